/* Two resolved jobs, entry by entry. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/job.h"
#include "job/ini.h"
#include "job/value.h"

/* Looks for one entry. */
typedef struct search {
    const elm_ini_entry *wanted;
    bool found;
    char value[ELM_VALUE_SIZE];
} search;

static int take_wanted(void *context, const elm_ini_entry *entry, elm_error *err)
{
    (void)err;
    search *s = context;
    if (!strcmp(entry->section, s->wanted->section) && !strcmp(entry->key, s->wanted->key)) {
        s->found = true;
        snprintf(s->value, sizeof s->value, "%s", entry->value);
    }
    return 0;
}

typedef struct comparison {
    const char *other, *other_name;
    bool other_is_now;
    const char *const *allowed;
} comparison;

static bool is_allowed(const char *const *allowed, const char *key)
{
    for (; *allowed; allowed++)
        if (!strncmp(key, *allowed, strlen(*allowed)))
            return true;
    return false;
}

/* One entry of one text against the other text. Jobs are some 40 lines: reading the other anew
 * for each is cheap. */
static int take_entry(void *context, const elm_ini_entry *entry, elm_error *err)
{
    const comparison *c = context;
    char key[256];
    snprintf(key, sizeof key, "%.60s.%.190s", entry->section, entry->key);
    if (is_allowed(c->allowed, key))
        return 0;
    search s = {.wanted = entry};
    if (elm_ini_read(c->other, c->other_name, take_wanted, &s, err))
        return -1;
    if (s.found && !strcmp(s.value, entry->value))
        return 0;
    const char *was = c->other_is_now ? entry->value : s.found ? s.value : "not known";
    const char *is = !c->other_is_now ? entry->value : s.found ? s.value : "not known";
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "%s was \"%.300s\" and is now \"%.300s\" (resolved job): go back to the "
                         "former value, or start anew with another "
                         "run.name or --run-dir",
                         key, was, is);
}

int elm_job_compare(const char *before, const char *now, const char *const *allowed, elm_error *err)
{
    comparison c = {.other = before, .other_name = "job of the checkpoint", .allowed = allowed};
    if (elm_ini_read(now, "present job", take_entry, &c, err))
        return -1;
    c = (comparison){
        .other = now, .other_name = "present job", .other_is_now = true, .allowed = allowed};
    return elm_ini_read(before, "job of the checkpoint", take_entry, &c, err);
}
