#include "job/sources.h"

#include <stdio.h>

#include "elmpi/memory.h"

void elm_sources_begin(elm_sources *sources, const elm_job_file *root)
{
    sources->all[0] = (elm_source){.file = *root, .by = -1, .depth = 1};
    sources->count = 1;
    sources->now = 0;
}

void elm_sources_place(const elm_sources *sources, int file, int line, char *place)
{
    snprintf(place, ELM_PLACE_SIZE, "%s:%d", sources->all[file].file.path, line);
}

static bool is_same(const elm_job_file *a, const elm_job_file *b)
{
    return a->inode && a->inode == b->inode && a->device == b->device;
}

/* A file that is being read would lead back to itself; one that was read would undo what came after
 * it. */
static int check_new(const elm_sources *s, const elm_source *next, const char *name,
                     const char *place, elm_error *err)
{
    char first[ELM_PLACE_SIZE];
    for (int i = next->by; i >= 0; i = s->all[i].by)
        if (is_same(&s->all[i].file, &next->file))
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "job.include = %.300s leads back to %.300s (%.300s): remove one of the includes",
                name, s->all[i].file.path, place);
    for (int i = 0; i < s->count; i++)
        if (is_same(&s->all[i].file, &next->file)) {
            elm_sources_place(s, s->all[i].by, s->all[i].line, first);
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "job.include = %.300s is included twice (%.300s and %.300s): remove one of them",
                name, place, first);
        }
    return 0;
}

int elm_sources_enter(elm_sources *s, const char *name, int line, char **text, elm_error *err)
{
    char place[ELM_PLACE_SIZE];
    elm_sources_place(s, s->now, line, place);
    *text = NULL;
    if (s->all[s->now].depth == ELM_SOURCES_DEEP)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "a chain of more than %d files (%s): include fewer files in a row",
                             ELM_SOURCES_DEEP, place);
    if (s->count == ELM_SOURCES_MAX)
        return elm_error_set(err, ELM_EXIT_USAGE, "more than %d files (%s): include fewer",
                             ELM_SOURCES_MAX, place);
    elm_source *next = &s->all[s->count];
    *next = (elm_source){.by = s->now, .line = line, .depth = s->all[s->now].depth + 1};
    if (!*name || !elm_job_file_beside(s->all[s->now].file.path, name, next->file.path))
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "job.include is %s (%s): name job files, relative to this one, with commas between",
            *name ? "too long" : "empty", place);
    if (elm_job_file_read(&next->file, place, text, err))
        return -1;
    if (check_new(s, next, name, place, err)) {
        elm_free(*text);
        *text = NULL;
        return -1;
    }
    s->now = s->count++;
    return 0;
}

void elm_sources_leave(elm_sources *s)
{
    s->now = s->all[s->now].by;
}
