/* Option rows: every module lists its options in a table; `job` is their only parser, and help
 * texts, checks and documentation follow from the rows. */
#ifndef ELMPI_OPTION_H
#define ELMPI_OPTION_H

#include <stddef.h>

#include "elmpi/status.h"

enum { ELM_TEXT_SIZE = 512, ELM_REALS_MAX = 16 };

/** Values of an ELM_OPTION_REALS row: "96,192,224". */
typedef struct elm_reals {
    int count;
    double value[ELM_REALS_MAX];
} elm_reals;

typedef enum elm_option_type {
    ELM_OPTION_INT,  /* int64_t */
    ELM_OPTION_REAL, /* double */
    ELM_OPTION_BOOL, /* bool; true|false */
    ELM_OPTION_TEXT, /* char[ELM_TEXT_SIZE] */
    /* char[ELM_TEXT_SIZE], a file or folder: $VAR, ${VAR}, ~ and ~user are expanded, $$ is a
     * dollar sign */
    ELM_OPTION_PATH,
    ELM_OPTION_CHOICE, /* int: place in `choices` */
    ELM_OPTION_REALS,  /* elm_reals, comma separated */
} elm_option_type;

/** A row's default where it is the name of the job file that was started, without folder and
 * ".ini". Such a row must be given where the job comes from memory or a pipe. Compared by address.
 * */
extern const char elm_option_stem[];

typedef struct elm_option {
    const char *key; /* "section.name"; NULL ends a table */
    elm_option_type type;
    size_t offset;            /* of the value in the module's options struct */
    const char *default_text; /* default, as text, or elm_option_stem; NULL: must be given */
    /* numbers: inclusive range; both 0: unbounded */
    double min, max;
    const char *choices; /* "a|b|c" for ELM_OPTION_CHOICE */
    /* further check of a text, or NULL; err says what is valid */
    int (*check)(const char *value, elm_error *err);
    /* "optim.schedule=multistep|cosine" or "loss.embed!=none": else its default, with a note;
     * NULL: always used */
    const char *used_if;
    const char *help;
} elm_option;

/** A module's rows and the struct that their offsets point into. */
typedef struct elm_option_set {
    const elm_option *rows;
    void *values;
} elm_option_set;

#endif
