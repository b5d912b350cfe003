/* Resolving a job: defaults first, then the files (an included one before the one that includes
 * it), then --set, then what the chosen methods do not use goes back to its default. */
#include "elmpi/job.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "job/lines.h"
#include "job/path.h"
#include "job/sources.h"
#include "job/value.h"

enum { NOTE_SIZE = 512, NAMES_MAX = 256, NOT_GIVEN = 0, GIVEN_BY_SET = -1, SETUP_NAME_SIZE = 64 };

struct elm_job {
    char *text;
    char *differences; /* from the set-up; NULL: none */
    char *origin;
    char (*notes)[NOTE_SIZE];
    int note_count;
};

/* A row, its value and where that value comes from. */
typedef struct slot {
    const elm_option *row;
    void *value;
    int line; /* NOT_GIVEN, GIVEN_BY_SET, or of the file */
    int file; /* place among the sources */
    bool in_setup;
    char setup[ELM_VALUE_SIZE]; /* its value there */
} slot;

typedef struct resolver {
    slot *slots;
    int count;
    elm_sources sources;
    char setup[SETUP_NAME_SIZE];
    int setup_file, setup_line;
    char data_set[SETUP_NAME_SIZE]; /* what $data_set stands for; "": not declared */
    bool setup_is_open;             /* entries of the file being read belong to it */
} resolver;

static void place_of(const resolver *r, int file, int line, char *place)
{
    if (line == GIVEN_BY_SET)
        snprintf(place, ELM_PLACE_SIZE, "--set");
    else if (line == NOT_GIVEN)
        snprintf(place, ELM_PLACE_SIZE, "default");
    else
        elm_sources_place(&r->sources, file, line, place);
}

static size_t section_length(const elm_option *row)
{
    return strcspn(row->key, ".");
}

static const char *short_key(const elm_option *row)
{
    return row->key + section_length(row) + 1;
}

static bool in_section(const elm_option *row, const char *section)
{
    return strlen(section) == section_length(row) &&
           !strncmp(row->key, section, section_length(row));
}

static slot *find_slot(const resolver *r, const char *key, size_t length)
{
    for (int i = 0; i < r->count; i++)
        if (!strncmp(r->slots[i].row->key, key, length) && !r->slots[i].row->key[length])
            return &r->slots[i];
    return NULL;
}

static int refuse_section(const resolver *r, const char *section, const char *place, elm_error *err)
{
    char names[NAMES_MAX][32], list[512] = "";
    const char *pointers[NAMES_MAX];
    int count = 0, used = 0;
    for (int i = 0; i < r->count && count < NAMES_MAX; i++) {
        const elm_option *row = r->slots[i].row;
        if (count && in_section(row, names[count - 1]))
            continue;
        snprintf(names[count], sizeof names[count], "%.*s", (int)section_length(row), row->key);
        if (used < (int)sizeof list)
            used += snprintf(list + used, sizeof list - (size_t)used, "%s[%s]", count ? " " : "",
                             names[count]);
        pointers[count] = names[count];
        count++;
    }
    const char *nearest = elm_nearest_name(section, pointers, count);
    if (nearest)
        return elm_error_set(err, ELM_EXIT_USAGE, "unknown section [%s] (%s): did you mean [%s]?",
                             section, place, nearest);
    return elm_error_set(err, ELM_EXIT_USAGE, "unknown section [%s] (%s): use one of %s", section,
                         place, list);
}

static int refuse_key(const resolver *r, const char *section, const char *key, const char *place,
                      elm_error *err)
{
    const char *names[NAMES_MAX], *elsewhere = NULL;
    char list[600] = "";
    int count = 0, used = 0;
    for (int i = 0; i < r->count && count < NAMES_MAX; i++) {
        const elm_option *row = r->slots[i].row;
        if (!strcmp(short_key(row), key))
            elsewhere = row->key;
        if (!in_section(row, section))
            continue;
        names[count++] = short_key(row);
        if (used < (int)sizeof list)
            used += snprintf(list + used, sizeof list - (size_t)used, "%s%s", used ? ", " : "",
                             short_key(row));
    }
    if (!count)
        return refuse_section(r, section, place, err);
    const char *nearest = elm_nearest_name(key, names, count);
    if (nearest)
        return elm_error_set(err, ELM_EXIT_USAGE, "unknown key %s.%.100s (%s): did you mean %s.%s?",
                             section, key, place, section, nearest);
    if (elsewhere)
        return elm_error_set(err, ELM_EXIT_USAGE, "unknown key %s.%.100s (%s): did you mean %s?",
                             section, key, place, elsewhere);
    return elm_error_set(err, ELM_EXIT_USAGE, "unknown key %s.%.100s (%s): use one of %s", section,
                         key, place, list);
}

static int take_entry(void *context, const elm_entry *entry, elm_error *err);

/* One name of the list. */
static int include_file(resolver *r, const char *written, int line, const char *place,
                        elm_error *err)
{
    static const elm_option row = {.key = "job.include"};
    char name[ELM_TEXT_SIZE], *text;
    if (elm_path_expand(&row, written, place, name, err) ||
        elm_sources_enter(&r->sources, name, line, &text, err))
        return -1;
    const int status =
        elm_lines_read(text, r->sources.all[r->sources.now].file.path, take_entry, r, err);
    elm_sources_leave(&r->sources);
    r->setup_is_open = false;
    elm_free(text);
    return status;
}

/* "[job] include = a.ini, b.ini": the files' entries come before the rest of this one's. Where
 * several give a value, the last does. */
static int include(resolver *r, const elm_entry *entry, const char *place, elm_error *err)
{
    if (r->sources.all[r->sources.now].begun)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "job.include stands below other entries (%s): make it the file's first entry", place);
    for (const char *rest = entry->value;; rest++) {
        char name[ELM_TEXT_SIZE];
        rest += strspn(rest, " \t");
        size_t length = strcspn(rest, ",");
        const char *end = rest + length;
        while (length && strchr(" \t", rest[length - 1]))
            length--;
        if (length >= sizeof name)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "job.include is too long (%s): use shorter paths", place);
        snprintf(name, sizeof name, "%.*s", (int)length, rest);
        if (include_file(r, name, entry->line, place, err))
            return -1;
        if (!*end)
            return 0;
        rest = end;
    }
}

/* "[job] setup = name": what this file says from here on is the set-up that a run's log compares
 * with. */
static int begin_setup(resolver *r, const elm_entry *entry, const char *place, elm_error *err)
{
    char first[ELM_PLACE_SIZE];
    place_of(r, r->setup_file, r->setup_line, first);
    if (*r->setup)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "job.setup is given twice (%.400s and %.400s): remove one of them",
                             place, first);
    if (!*entry->value || strlen(entry->value) >= SETUP_NAME_SIZE)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "job.setup is no name (%s): give one of 1 to %d characters", place,
                             SETUP_NAME_SIZE - 1);
    snprintf(r->setup, sizeof r->setup, "%s", entry->value);
    r->setup_file = r->sources.now;
    r->setup_line = entry->line;
    r->setup_is_open = true;
    return 0;
}

/* "[job] data_set = name": what $data_set stands for in paths from here on. A later one replaces
 * it. */
static int name_data_set(resolver *r, const elm_entry *entry, const char *place, elm_error *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t length = strlen(entry->value);
    if (!length || length >= sizeof r->data_set || strspn(entry->value, allowed) != length)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "job.data_set = %.100s is no name (%s): give 1 to %d letters, digits, dots, dashes",
            entry->value, place, (int)sizeof r->data_set - 1);
    memcpy(r->data_set, entry->value, length + 1);
    return 0;
}

static int parse_slot(const resolver *r, const slot *s, const char *text, const char *place,
                      elm_error *err)
{
    char named[ELM_TEXT_SIZE];
    if (s->row->type != ELM_OPTION_PATH)
        return elm_value_parse(s->row, s->value, text, place, err);
    if (elm_path_name_data_set(s->row, text, *r->data_set ? r->data_set : NULL, place, named, err))
        return -1;
    return elm_value_parse(s->row, s->value, named, place, err);
}

/* [job]: about the file itself. */
static int take_own(resolver *r, const elm_entry *entry, const char *place, elm_error *err)
{
    if (!strcmp(entry->key, "include"))
        return include(r, entry, place, err);
    if (!strcmp(entry->key, "setup"))
        return begin_setup(r, entry, place, err);
    if (!strcmp(entry->key, "data_set"))
        return name_data_set(r, entry, place, err);
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "unknown key job.%.100s (%s): use one of include, setup, data_set",
                         entry->key, place);
}

/* One entry of a file. */
static int take_entry(void *context, const elm_entry *entry, elm_error *err)
{
    resolver *r = context;
    char key[256], place[ELM_PLACE_SIZE];
    const int file = r->sources.now;
    place_of(r, file, entry->line, place);
    if (!strcmp(entry->section, "job")) {
        const int status = take_own(r, entry, place, err);
        r->sources.all[file].begun = true;
        return status;
    }
    r->sources.all[file].begun = true;
    const int length = snprintf(key, sizeof key, "%s.%s", entry->section, entry->key);
    slot *s = length < (int)sizeof key ? find_slot(r, key, (size_t)length) : NULL;
    if (!s || !in_section(s->row, entry->section))
        return refuse_key(r, entry->section, entry->key, place, err);
    if (s->line != NOT_GIVEN && s->file == file)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "%s is given twice (%s and line %d): remove one of them", s->row->key,
                             place, s->line);
    s->line = entry->line;
    s->file = file;
    if (parse_slot(r, s, entry->value, place, err))
        return -1;
    if (r->setup_is_open) {
        s->in_setup = true;
        elm_value_print(s->row, s->value, s->setup);
    }
    return 0;
}

/* "section.key=value"; a later one replaces an earlier one. */
static int apply_override(resolver *r, const char *text, elm_error *err)
{
    const char *equals = strchr(text, '='), *dot = strchr(text, '.');
    if (!equals || !dot || dot > equals)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "\"%.200s\" is no override (--set): write section.key=value, such as optim.lr=0.1",
            text);
    size_t length = (size_t)(equals - text);
    while (length && text[length - 1] == ' ')
        length--;
    slot *s = find_slot(r, text, length);
    if (!s) {
        char section[64], key[128];
        snprintf(section, sizeof section, "%.*s", (int)(dot - text), text);
        snprintf(key, sizeof key, "%.*s", (int)(text + length - dot - 1), dot + 1);
        return refuse_key(r, section, key, "--set", err);
    }
    const char *value = equals + 1 + strspn(equals + 1, " ");
    size_t value_length = strlen(value);
    while (value_length && value[value_length - 1] == ' ')
        value_length--;
    char *copy = elm_alloc(value_length + 1, 1, err);
    if (!copy)
        return -1;
    memcpy(copy, value, value_length);
    s->line = GIVEN_BY_SET;
    const int status = parse_slot(r, s, copy, "--set", err);
    elm_free(copy);
    return status;
}

static int set_default(const resolver *r, const slot *s, elm_error *err)
{
    char place[ELM_PLACE_SIZE];
    place_of(r, 0, NOT_GIVEN, place);
    return s->row->fallback && s->row->fallback != elm_option_stem
               ? elm_value_parse(s->row, s->value, s->row->fallback, place, err)
               : 0;
}

/* Whether a rule "section.key=a|b" or "section.key!=a|b" holds. */
static bool rule_holds(const resolver *r, const char *rule)
{
    const char *equals = strchr(rule, '=');
    const bool negated = equals[-1] == '!';
    const slot *other = find_slot(r, rule, (size_t)(equals - rule) - negated);
    if (!other)
        return true; /* that room has no part in this program */
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

static void write_note(const resolver *r, const slot *s, char *note)
{
    char place[ELM_PLACE_SIZE];
    place_of(r, s->file, s->line, place);
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
static int drop_unused(resolver *r, elm_job *job, elm_error *err)
{
    for (int i = 0; i < r->count; i++) {
        slot *s = &r->slots[i];
        if (!s->row->used_if || !s->row->fallback || rule_holds(r, s->row->used_if))
            continue;
        char before[ELM_VALUE_SIZE], after[ELM_VALUE_SIZE];
        elm_value_print(s->row, s->value, before);
        if (set_default(r, s, err))
            return -1;
        elm_value_print(s->row, s->value, after);
        if (s->line != NOT_GIVEN && strcmp(before, after))
            write_note(r, s, job->notes[job->note_count++]);
    }
    return 0;
}

static int refuse_missing(const resolver *r, const slot *s, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "%s is missing (%.500s): add \"%s = ...\" under [%.*s], or --set %s=...",
                         s->row->key, r->sources.all[0].file.path, short_key(s->row),
                         (int)section_length(s->row), s->row->key, s->row->key);
}

/* The job file's name for the options that have it as their default. */
static int fill_stems(resolver *r, elm_error *err)
{
    const elm_job_file *file = &r->sources.all[0].file;
    const char *slash = strrchr(file->path, '/');
    char stem[ELM_JOB_PATH_SIZE];
    snprintf(stem, sizeof stem, "%s", slash ? slash + 1 : file->path);
    const size_t length = strlen(stem);
    if (length > 4 && !strcmp(stem + length - 4, ".ini"))
        stem[length - 4] = 0;
    for (int i = 0; i < r->count; i++) {
        slot *s = &r->slots[i];
        if (s->row->fallback != elm_option_stem || s->line != NOT_GIVEN)
            continue;
        if (!file->named)
            return refuse_missing(r, s, err);
        if (elm_value_parse(s->row, s->value, stem, file->path, err))
            return -1;
    }
    return 0;
}

static int check_required(const resolver *r, elm_error *err)
{
    for (int i = 0; i < r->count; i++) {
        const slot *s = &r->slots[i];
        if (!s->row->fallback && s->line == NOT_GIVEN &&
            (!s->row->used_if || rule_holds(r, s->row->used_if)))
            return refuse_missing(r, s, err);
    }
    return 0;
}

static int write_text(const resolver *r, elm_job *job, elm_error *err)
{
    size_t size;
    FILE *out = open_memstream(&job->text, &size);
    if (!out)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "out of memory (%s): use a host with more memory",
                             r->sources.all[0].file.path);
    const elm_option *before = NULL;
    for (int i = 0; i < r->count; i++) {
        const slot *s = &r->slots[i];
        if (!s->row->fallback && s->line == NOT_GIVEN)
            continue;
        if (!before || section_length(before) != section_length(s->row) ||
            strncmp(before->key, s->row->key, section_length(before)))
            fprintf(out, "%s[%.*s]\n", before ? "\n" : "", (int)section_length(s->row),
                    s->row->key);
        char value[ELM_VALUE_SIZE];
        elm_value_print(s->row, s->value, value);
        fprintf(out, "%s =%s%s\n", short_key(s->row), *value ? " " : "", value);
        before = s->row;
    }
    if (fclose(out))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "out of memory (%s): use a host with more memory",
                             r->sources.all[0].file.path);
    return 0;
}

static int collect_slots(resolver *r, const elm_option_set *sets, int set_count, elm_error *err)
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
            slot *s = &r->slots[r->count++];
            *s = (slot){.row = row, .value = elm_value_at(&sets[i], row)};
            if (set_default(r, s, err))
                return -1;
        }
    return 0;
}

/* The sources as a comment. */
static int write_origin(const resolver *r, elm_job *job, elm_error *err)
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
static int write_differences(const resolver *r, elm_job *job, elm_error *err)
{
    size_t size;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    int count = 0;
    for (int i = 0; out && i < r->count; i++) {
        const slot *s = &r->slots[i];
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
    resolver *r = elm_alloc(1, sizeof *r, err);
    elm_job *made = elm_alloc(1, sizeof *made, err);
    int status = r && made ? 0 : -1;
    if (!status) {
        elm_sources_begin(&r->sources, file);
        status = collect_slots(r, sets, set_count, err);
    }
    if (!status) {
        made->notes = elm_alloc((size_t)r->count + 1, sizeof *made->notes, err);
        status = made->notes ? elm_lines_read(text, file->path, take_entry, r, err) : -1;
    }
    for (int i = 0; !status && i < override_count; i++)
        status = apply_override(r, overrides[i], err);
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
