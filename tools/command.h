/* Command: the command line of every program, as a table of flags. Help, checks and "did you
 * mean" follow from the rows. */
#ifndef ELMPI_TOOLS_COMMAND_H
#define ELMPI_TOOLS_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

enum { ELM_LIST_MAX = 256 };

/** Values of a flag that may be given again and again. Borrowed from argv. */
typedef struct elm_text_list {
    int count;
    const char *item[ELM_LIST_MAX];
} elm_text_list;

typedef enum elm_flag_type {
    ELM_FLAG_SWITCH, /* bool: no value */
    ELM_FLAG_TEXT,   /* const char *: borrowed from argv */
    ELM_FLAG_INT,    /* int64_t */
    ELM_FLAG_REAL,   /* double */
    ELM_FLAG_LIST,   /* elm_text_list: repeatable */
} elm_flag_type;

/** One flag. What its value points at keeps its old content where the flag is not given: that is
 * the default. */
typedef struct elm_flag {
    const char *name; /* "--out"; NULL ends a table */
    elm_flag_type type;
    void *value;
    double min, max;      /* numbers: inclusive range; both 0: unbounded */
    const char *argument; /* "FILE", for the help; NULL for a switch */
    const char *help;
} elm_flag;

/** A flag that prints something and ends the program, as --help does. `print` returns 0, or -1 with
 * `err` filled; with `quiet` it fails the same way but prints nothing. */
typedef struct elm_topic {
    const char *name; /* "--list-jobs"; NULL ends a table */
    const char *help;
    int (*print)(bool quiet, elm_error *err);
} elm_topic;

/** A program's command line. */
typedef struct elm_command {
    const char *program; /* "elmpi-train" */
    const char *version;
    const char *usage;       /* "JOB [--set KEY=VALUE]..." */
    const char *summary;     /* one sentence */
    const elm_flag *flags;   /* --help and --version are known without a row */
    const elm_topic *topics; /* or NULL */
    int min_words, max_words;
    const char *word_name;   /* what the words are, for messages: "a job file" */
    void (*more_help)(void); /* printed after the flags, or NULL */
    bool quiet;              /* other ranks than 0: --help, --version and topics print nothing */
    int word_count;          /* out: arguments that are no flags */
    const char **words;      /* out: borrowed from argv, which is reordered */
} elm_command;

typedef enum elm_command_result {
    ELM_COMMAND_ERROR = -1, /* err says why; its code is ELM_EXIT_USAGE */
    ELM_COMMAND_RUN = 0,
    ELM_COMMAND_DONE = 1, /* --help, --version or a topic has been printed: exit with success */
} elm_command_result;

/** Parses argv against the table: "--name value", "--name=value", switches, words in any order,
 * "--" ends the flags. A flag given twice counts the last time.
 *  Ranks:  local; the same result on every rank given the same argv */
elm_command_result elm_command_parse(elm_command *command, int argc, char **argv, elm_error *err);

#endif
