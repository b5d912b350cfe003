/* Resolving a job: defaults first, then the files (an included one before the one that includes
 * it), then --set, then what the chosen methods do not use goes back to its default. */
#include "elmpi/job.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "job/resolver.h"

enum { NOTE_SIZE = 512 };

struct elm_job {
    char *text;
    char *differences; /* from the set-up; NULL: none */
    char *origin;
    char (*notes)[NOTE_SIZE];
    int note_count;
};

static int set_default(const elm_resolver *r, const elm_slot *s, elm_error *err)
{
    char place[ELM_PLACE_SIZE];
    elm_resolver_place(r, 0, ELM_NOT_GIVEN, place);
    return s->row->default_text && s->row->default_text != elm_option_stem
               ? elm_value_parse(s->row, s->value, s->row->default_text, place, err)
               : 0;
}

/* Whether a rule "section.key=a|b" or "section.key!=a|b" holds. */
static bool rule_holds(const elm_resolver *r, const char *rule)
{
    const char *equals = strchr(rule, '=');
    const bool negated = equals[-1] == '!';
    const elm_slot *other = elm_resolver_find(r, rule, (size_t)(equals - rule) - negated);
    if (!other)
        return true; /* that module has no part in this program */
    char value[ELM_VALUE_SIZE];
    elm_value_print(other->row, other->value, value);
    for (const char *name = equals + 1;;) {
        const size_t length = strcspn(name, "|");
        if (length == strlen(value) && !strncmp(name, value, length))
            return !negated;
        if (!name[length])
            return negated;
        name += length + 1;
    }
}

static void write_note(const elm_resolver *r, const elm_slot *s, char *note)
{
    char place[ELM_PLACE_SIZE];
    elm_resolver_place(r, s->file, s->line, place);
    const char *rule = s->row->used_if, *equals = strchr(rule, '=');
    const bool negated = equals[-1] == '!';
    int used = snprintf(note, NOTE_SIZE,
                        "%s is ignored (%.200s): it has a meaning only with %.*s %s ", s->row->key,
                        place, (int)(equals - rule) - negated, rule, negated ? "other than" : "=");
    for (const char *c = equals + 1; *c && used < NOTE_SIZE - 8; c++)
        used += snprintf(note + used, NOTE_SIZE - (size_t)used, *c == '|' ? " or " : "%c", *c);
}

/* Unused values go back to their default: the resolved job shows no setting that had no effect.
 * A note is due where one was changed. */
static int drop_unused(elm_resolver *r, elm_job *job, elm_error *err)
{
    for (int i = 0; i < r->count; i++) {
        elm_slot *s = &r->slots[i];
        if (!s->row->used_if || !s->row->default_text || rule_holds(r, s->row->used_if))
            continue;
        char before[ELM_VALUE_SIZE], after[ELM_VALUE_SIZE];
        elm_value_print(s->row, s->value, before);
        if (set_default(r, s, err))
            return -1;
        elm_value_print(s->row, s->value, after);
        if (s->line != ELM_NOT_GIVEN && strcmp(before, after))
            write_note(r, s, job->notes[job->note_count++]);
    }
    return 0;
}

static int refuse_missing(const elm_resolver *r, const elm_slot *s, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "%s is missing (%.500s): add \"%s = ...\" under [%.*s], or --set %s=...",
                         s->row->key, r->sources.all[0].file.path, elm_option_short(s->row),
                         (int)elm_option_section(s->row), s->row->key, s->row->key);
}

/* Each old key is noted once, whatever it was read as. */
static void note_old_keys(const elm_resolver *r, elm_job *job)
{
    for (int i = 0; i < ELM_ALIASES; i++)
        if (elm_aliases_note(r, i, job->notes[job->note_count], NOTE_SIZE))
            job->note_count++;
}

/* The job file's name for the options that have it as their default. */
static int fill_stems(elm_resolver *r, elm_error *err)
{
    const elm_job_file *file = &r->sources.all[0].file;
    const char *slash = strrchr(file->path, '/');
    char stem[ELM_JOB_PATH_SIZE];
    snprintf(stem, sizeof stem, "%s", slash ? slash + 1 : file->path);
    const size_t length = strlen(stem);
    if (length > 4 && !strcmp(stem + length - 4, ".ini"))
        stem[length - 4] = 0;
    for (int i = 0; i < r->count; i++) {
        elm_slot *s = &r->slots[i];
        if (s->row->default_text != elm_option_stem || s->line != ELM_NOT_GIVEN)
            continue;
        if (!file->named)
            return refuse_missing(r, s, err);
        if (elm_value_parse(s->row, s->value, stem, file->path, err))
            return -1;
    }
    return 0;
}

static int check_required(const elm_resolver *r, elm_error *err)
{
    for (int i = 0; i < r->count; i++) {
        const elm_slot *s = &r->slots[i];
        if (!s->row->default_text && s->line == ELM_NOT_GIVEN &&
            (!s->row->used_if || rule_holds(r, s->row->used_if)))
            return refuse_missing(r, s, err);
    }
    return 0;
}

static int write_text(const elm_resolver *r, elm_job *job, elm_error *err)
{
    size_t size;
    FILE *out = open_memstream(&job->text, &size);
    if (!out)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "out of memory (%s): use a host with more memory",
                             r->sources.all[0].file.path);
    const elm_option *before = NULL;
    for (int i = 0; i < r->count; i++) {
        const elm_slot *s = &r->slots[i];
        if (!s->row->default_text && s->line == ELM_NOT_GIVEN)
            continue;
        if (!before || elm_option_section(before) != elm_option_section(s->row) ||
            strncmp(before->key, s->row->key, elm_option_section(before)))
            fprintf(out, "%s[%.*s]\n", before ? "\n" : "", (int)elm_option_section(s->row),
                    s->row->key);
        char value[ELM_VALUE_SIZE];
        elm_value_print(s->row, s->value, value);
        fprintf(out, "%s =%s%s\n", elm_option_short(s->row), *value ? " " : "", value);
        before = s->row;
    }
    if (fclose(out))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "out of memory (%s): use a host with more memory",
                             r->sources.all[0].file.path);
    return 0;
}

static int collect_slots(elm_resolver *r, const elm_option_set *sets, int set_count, elm_error *err)
{
    int count = 0;
    for (int i = 0; i < set_count; i++)
        for (const elm_option *row = sets[i].rows; row->key; row++)
            count++;
    r->slots = elm_alloc((size_t)count, sizeof *r->slots, err);
    if (!r->slots)
        return -1;
    for (int i = 0; i < set_count; i++)
        for (const elm_option *row = sets[i].rows; row->key; row++) {
            elm_slot *s = &r->slots[r->count++];
            *s = (elm_slot){.row = row, .value = elm_value_at(&sets[i], row)};
            if (set_default(r, s, err))
                return -1;
        }
    return 0;
}

/* The sources as a comment. */
static int write_origin(const elm_resolver *r, elm_job *job, elm_error *err)
{
    size_t size;
    const elm_sources *s = &r->sources;
    FILE *out = open_memstream(&job->origin, &size);
    for (int i = 0; out && s->count > 1 && i < s->count; i++) {
        fputs(i ? "\n; " : "; Resolved from ", out);
        for (const char *c = s->all[i].file.path; *c; c++)
            fputc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, out);
        if (!i)
            fputs(", which includes", out);
    }
    if (out && s->count > 1)
        fputs("\n\n", out);
    if (!out || fclose(out))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "out of memory (%s): use a host with more memory",
                             s->all[0].file.path);
    return 0;
}

/* What the run does otherwise than the set-up that a file declares. Settings that have no meaning
 * in this run do not count. */
static int write_differences(const elm_resolver *r, elm_job *job, elm_error *err)
{
    size_t size;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    int count = 0;
    for (int i = 0; out && i < r->count; i++) {
        const elm_slot *s = &r->slots[i];
        char value[ELM_VALUE_SIZE];
        elm_value_print(s->row, s->value, value);
        if (!s->in_setup || !strcmp(value, s->setup) ||
            (s->row->used_if && !rule_holds(r, s->row->used_if)))
            continue;
        if (!count)
            fprintf(out, "differs from the %s's set-up:", r->setup);
        fprintf(out, "%s %s %s (%s)", count++ ? "," : "", s->row->key, value, s->setup);
    }
    if (!out || fclose(out)) {
        free(text);
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "out of memory (%s): use a host with more memory",
                             r->sources.all[0].file.path);
    }
    if (count)
        job->differences = text;
    else
        free(text);
    return 0;
}

/* `file` is the first of the chain, `text` what it holds. */
static int resolve(elm_job **job, const elm_job_file *file, const char *text,
                   const char *const *overrides, int override_count, const elm_option_set *sets,
                   int set_count, elm_error *err)
{
    elm_resolver *r = elm_alloc(1, sizeof *r, err);
    elm_job *made = elm_alloc(1, sizeof *made, err);
    int status = r && made ? 0 : -1;
    if (!status) {
        elm_sources_begin(&r->sources, file);
        elm_aliases_begin(r);
        status = collect_slots(r, sets, set_count, err);
    }
    if (!status) {
        made->notes = elm_alloc((size_t)r->count + ELM_ALIASES + 1, sizeof *made->notes, err);
        status = made->notes ? elm_resolver_read(r, text, err) : -1;
    }
    for (int i = 0; !status && i < override_count; i++)
        status = elm_resolver_override(r, overrides[i], err);
    if (!status)
        status = elm_aliases_apply(r, err);
    if (!status)
        note_old_keys(r, made);
    if (!status &&
        (fill_stems(r, err) || check_required(r, err) || drop_unused(r, made, err) ||
         write_text(r, made, err) || write_origin(r, made, err) || write_differences(r, made, err)))
        status = -1;
    if (status)
        elm_job_destroy(made);
    else
        *job = made;
    if (r)
        elm_free(r->slots);
    elm_free(r);
    return status;
}

int elm_job_parse(elm_job **job, const char *text, const char *name, const char *const *overrides,
                  int override_count, const elm_option_set *sets, int set_count, elm_error *err)
{
    elm_job_file file = {0};
    snprintf(file.path, sizeof file.path, "%s", name);
    *job = NULL;
    return resolve(job, &file, text, overrides, override_count, sets, set_count, err);
}

int elm_job_load(elm_job **job, const char *path, const char *const *overrides, int override_count,
                 const elm_option_set *sets, int set_count, elm_error *err)
{
    elm_job_file file = {0};
    char *text;
    *job = NULL;
    if (elm_job_find(path, file.path, err) || elm_job_file_read(&file, NULL, &text, err))
        return -1;
    const int status = resolve(job, &file, text, overrides, override_count, sets, set_count, err);
    elm_free(text);
    return status;
}

void elm_job_destroy(elm_job *job)
{
    if (!job)
        return;
    free(job->text); /* open_memstream's, as are the others */
    free(job->differences);
    free(job->origin);
    elm_free(job->notes);
    elm_free(job);
}

const char *elm_job_text(const elm_job *job)
{
    return job->text;
}

const char *elm_job_origin(const elm_job *job)
{
    return job->origin;
}

const char *elm_job_note(const elm_job *job, int i)
{
    return i >= 0 && i < job->note_count ? job->notes[i] : NULL;
}

const char *elm_job_differences(const elm_job *job)
{
    return job->differences;
}
