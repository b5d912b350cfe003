/* The old keys of options, and what they mean now. */
#include <stdio.h>
#include <string.h>

#include "job/resolver.h"

/* An old key. Its values are those of the new key, but for one that asked for nothing (`idle`):
 * options that ruled one thing together are one option now, and resolved jobs of before give them
 * all, `idle` or the new option's default wherever another one ruled. */
typedef struct elm_alias {
    const char *old, *key;
    const char *idle; /* NULL: every value counts */
    bool yields;      /* was ignored where another of the options ruled */
} elm_alias;

static const elm_alias aliases[ELM_ALIASES] = {
    {"data.order", "data.sampler", "shuffle", false},
    {"data.shuffle", "data.sampler", "full", true},
    {"loss.pull.scope", "loss.scope", NULL, false},
};

static elm_slot *slot_of(const elm_resolver *r, const char *key)
{
    return elm_resolver_find(r, key, strlen(key));
}

void elm_aliases_begin(elm_resolver *r)
{
    for (int i = 0; i < ELM_ALIASES; i++) {
        elm_former *f = &r->former[i];
        f->row = (elm_option){.key = aliases[i].old, .type = ELM_OPTION_TEXT};
        f->slot = (elm_slot){.row = &f->row, .value = f->value};
    }
}

elm_slot *elm_aliases_find(elm_resolver *r, const char *key, size_t length)
{
    for (int i = 0; i < ELM_ALIASES; i++)
        if (!strncmp(aliases[i].old, key, length) && !aliases[i].old[length] &&
            slot_of(r, aliases[i].key))
            return &r->former[i].slot;
    return NULL;
}

static bool is_idle(const elm_alias *alias, const char *value)
{
    return alias->idle && !strcmp(value, alias->idle);
}

static int refuse(const elm_resolver *r, const elm_former *f, const elm_slot *s, const char *value,
                  elm_error *err)
{
    char old[ELM_PLACE_SIZE], now[ELM_PLACE_SIZE];
    elm_resolver_place(r, f->slot.file, f->slot.line, old);
    elm_resolver_place(r, s->file, s->line, now);
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "%s = %.100s (%.300s) is at odds with %s = %.100s (%.300s): the former is "
                         "an old key of the latter; give %s alone",
                         f->row.key, f->value, old, s->row->key, value, now, s->row->key);
}

/* The old key's value becomes the option's. */
static int take(elm_resolver *r, const elm_alias *alias, elm_former *f, elm_error *err)
{
    elm_slot *s = slot_of(r, alias->key);
    char place[ELM_PLACE_SIZE], value[ELM_VALUE_SIZE];
    if (is_idle(alias, f->value))
        return 0;
    elm_value_print(s->row, s->value, value);
    const bool is_given =
        s->line != ELM_NOT_GIVEN && !(alias->idle && !strcmp(value, s->row->default_text));
    if (is_given && strcmp(value, f->value))
        return alias->yields ? 0 : refuse(r, f, s, value, err);
    elm_resolver_place(r, f->slot.file, f->slot.line, place);
    s->line = f->slot.line;
    s->file = f->slot.file;
    return elm_value_parse(s->row, s->value, f->value, place, err);
}

int elm_aliases_apply(elm_resolver *r, elm_error *err)
{
    for (int i = 0; i < ELM_ALIASES; i++) {
        elm_former *f = &r->former[i];
        if (f->slot.line == ELM_NOT_GIVEN)
            continue;
        elm_slot *s = slot_of(r, aliases[i].key);
        if (take(r, &aliases[i], f, err))
            return -1;
        if (f->slot.in_setup && !s->in_setup && !is_idle(&aliases[i], f->slot.setup)) {
            s->in_setup = true;
            snprintf(s->setup, sizeof s->setup, "%s", f->slot.setup);
        }
    }
    return 0;
}

bool elm_aliases_note(const elm_resolver *r, int i, char *note, size_t size)
{
    const elm_former *f = &r->former[i];
    char place[ELM_PLACE_SIZE], value[ELM_VALUE_SIZE];
    if (f->slot.line == ELM_NOT_GIVEN)
        return false;
    const elm_slot *s = slot_of(r, aliases[i].key);
    elm_resolver_place(r, f->slot.file, f->slot.line, place);
    elm_value_print(s->row, s->value, value);
    snprintf(note, size, "%s = %.100s is an old key (%.200s): read as %s = %.100s; use that key",
             f->row.key, f->value, place, s->row->key, value);
    return true;
}
