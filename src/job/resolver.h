/* Resolver: a job while it is being resolved: every option with its value and where that comes
 * from. */
#ifndef ELMPI_JOB_RESOLVER_H
#define ELMPI_JOB_RESOLVER_H

#include <stdbool.h>
#include <string.h>

#include "job/sources.h"
#include "job/value.h"

enum { ELM_NOT_GIVEN = 0, ELM_GIVEN_BY_SET = -1, ELM_SETUP_NAME_SIZE = 64, ELM_ALIASES = 3 };

/** A row, its value and where that value comes from. */
typedef struct elm_slot {
    const elm_option *row;
    void *value;
    int line; /* ELM_NOT_GIVEN, ELM_GIVEN_BY_SET, or of the file */
    int file; /* place among the sources */
    bool in_setup;
    char setup[ELM_VALUE_SIZE]; /* its value there */
} elm_slot;

/** What an old key was given. */
typedef struct elm_former {
    elm_option row;
    elm_slot slot;
    char value[ELM_TEXT_SIZE];
} elm_former;

typedef struct elm_resolver {
    elm_slot *slots;
    int count;
    elm_former former[ELM_ALIASES]; /* in the order of the table in aliases.c */
    elm_sources sources;
    char setup[ELM_SETUP_NAME_SIZE];
    int setup_file, setup_line;
    char data_set[ELM_SETUP_NAME_SIZE]; /* what $data_set stands for; "": not declared */
    bool setup_is_open;                 /* entries of the file being read belong to it */
} elm_resolver;

/** The length of the section's name in the row's key, and the key behind it. */
static inline size_t elm_option_section(const elm_option *row)
{
    return strcspn(row->key, ".");
}

static inline const char *elm_option_short(const elm_option *row)
{
    return row->key + elm_option_section(row) + 1;
}

/** The slot of a key of `length` characters, or NULL. */
elm_slot *elm_resolver_find(const elm_resolver *r, const char *key, size_t length);

/** "a.ini:2", "--set" or "default".
 *  Shape:  place [ELM_PLACE_SIZE] */
void elm_resolver_place(const elm_resolver *r, int file, int line, char *place);

/** Takes the entries of the present file, whose text this is, and of those that it includes.
 *  Errors: ELM_EXIT_USAGE with file and line */
int elm_resolver_read(elm_resolver *r, const char *text, elm_error *err);

/** Takes "section.key=value"; a later one replaces an earlier one.
 *  Errors: ELM_EXIT_USAGE */
int elm_resolver_override(elm_resolver *r, const char *text, elm_error *err);

/** Aliases: keys of options that are now part of another option or have another name. Job files and
 * checkpoints of before hold them. elm_aliases_begin makes a slot for each. */
void elm_aliases_begin(elm_resolver *r);

/** The slot of an old key of `length` characters whose option the job has, or NULL. */
elm_slot *elm_aliases_find(elm_resolver *r, const char *key, size_t length);

/** Gives the options the values that the files and --set gave to their old keys.
 *  Errors: ELM_EXIT_USAGE naming both keys and places where old and new key, or two old ones,
 *          disagree; a value that the option does not take */
int elm_aliases_apply(elm_resolver *r, elm_error *err);

/** Whether the i-th old key was given.
 *  Shape:  note [size] says then what it was read as; only after elm_aliases_apply */
bool elm_aliases_note(const elm_resolver *r, int i, char *note, size_t size);

#endif
