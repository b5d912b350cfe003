/* The entries of job files and --set, one by one: which option each is for, and what stands in
 * [job], which is about the file itself. */
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "job/ini.h"
#include "job/path.h"
#include "job/resolver.h"

enum { NAMES_MAX = 256 };

static bool in_section(const elm_option *row, const char *section)
{
    return strlen(section) == elm_option_section(row) &&
           !strncmp(row->key, section, elm_option_section(row));
}

/* The slot of a present or an old key. */
static elm_slot *find_any(elm_resolver *r, const char *key, size_t length)
{
    elm_slot *s = elm_resolver_find(r, key, length);
    return s ? s : elm_aliases_find(r, key, length);
}

static int refuse_section(const elm_resolver *r, const char *section, const char *place,
                          elm_error *err)
{
    char names[NAMES_MAX][32], list[512] = "";
    const char *pointers[NAMES_MAX];
    int count = 0, used = 0;
    for (int i = 0; i < r->count && count < NAMES_MAX; i++) {
        const elm_option *row = r->slots[i].row;
        if (count && in_section(row, names[count - 1]))
            continue;
        snprintf(names[count], sizeof names[count], "%.*s", (int)elm_option_section(row), row->key);
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

static int refuse_key(const elm_resolver *r, const char *section, const char *key,
                      const char *place, elm_error *err)
{
    const char *names[NAMES_MAX], *elsewhere = NULL;
    char list[600] = "";
    int count = 0, used = 0;
    for (int i = 0; i < r->count && count < NAMES_MAX; i++) {
        const elm_option *row = r->slots[i].row;
        if (!strcmp(elm_option_short(row), key))
            elsewhere = row->key;
        if (!in_section(row, section))
            continue;
        names[count++] = elm_option_short(row);
        if (used < (int)sizeof list)
            used += snprintf(list + used, sizeof list - (size_t)used, "%s%s", used ? ", " : "",
                             elm_option_short(row));
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

static int take_entry(void *context, const elm_ini_entry *entry, elm_error *err);

/* One name of the list. */
static int include_file(elm_resolver *r, const char *written, int line, const char *place,
                        elm_error *err)
{
    static const elm_option row = {.key = "job.include"};
    char name[ELM_TEXT_SIZE], *text;
    if (elm_path_expand(&row, written, place, name, err) ||
        elm_sources_enter(&r->sources, name, line, &text, err))
        return -1;
    const int status =
        elm_ini_read(text, r->sources.all[r->sources.now].file.path, take_entry, r, err);
    elm_sources_leave(&r->sources);
    r->setup_is_open = false;
    elm_free(text);
    return status;
}

/* "[job] include = a.ini, b.ini": the files' entries come before the rest of this one's. Where
 * several give a value, the last does. */
static int include(elm_resolver *r, const elm_ini_entry *entry, const char *place, elm_error *err)
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
static int begin_setup(elm_resolver *r, const elm_ini_entry *entry, const char *place,
                       elm_error *err)
{
    char first[ELM_PLACE_SIZE];
    elm_resolver_place(r, r->setup_file, r->setup_line, first);
    if (*r->setup)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "job.setup is given twice (%.400s and %.400s): remove one of them",
                             place, first);
    if (!*entry->value || strlen(entry->value) >= ELM_SETUP_NAME_SIZE)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "job.setup is no name (%s): give one of 1 to %d characters", place,
                             ELM_SETUP_NAME_SIZE - 1);
    snprintf(r->setup, sizeof r->setup, "%s", entry->value);
    r->setup_file = r->sources.now;
    r->setup_line = entry->line;
    r->setup_is_open = true;
    return 0;
}

/* "[job] data_set = name": what $data_set stands for in paths from here on. A later one replaces
 * it. */
static int name_data_set(elm_resolver *r, const elm_ini_entry *entry, const char *place,
                         elm_error *err)
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

static int parse_slot(const elm_resolver *r, const elm_slot *s, const char *text, const char *place,
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
static int take_own(elm_resolver *r, const elm_ini_entry *entry, const char *place, elm_error *err)
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
static int take_entry(void *context, const elm_ini_entry *entry, elm_error *err)
{
    elm_resolver *r = context;
    char key[256], place[ELM_PLACE_SIZE];
    const int file = r->sources.now;
    elm_resolver_place(r, file, entry->line, place);
    if (!strcmp(entry->section, "job")) {
        const int status = take_own(r, entry, place, err);
        r->sources.all[file].begun = true;
        return status;
    }
    r->sources.all[file].begun = true;
    const int length = snprintf(key, sizeof key, "%s.%s", entry->section, entry->key);
    elm_slot *s = length < (int)sizeof key ? find_any(r, key, (size_t)length) : NULL;
    if (!s || !in_section(s->row, entry->section))
        return refuse_key(r, entry->section, entry->key, place, err);
    if (s->line != ELM_NOT_GIVEN && s->file == file)
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
int elm_resolver_override(elm_resolver *r, const char *text, elm_error *err)
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
    elm_slot *s = find_any(r, text, length);
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
    s->line = ELM_GIVEN_BY_SET;
    const int status = parse_slot(r, s, copy, "--set", err);
    elm_free(copy);
    return status;
}

int elm_resolver_read(elm_resolver *r, const char *text, elm_error *err)
{
    return elm_ini_read(text, r->sources.all[r->sources.now].file.path, take_entry, r, err);
}
