/* Log: the programs' messages. Only rank 0 writes; the other ranks hold a quiet log. */
#ifndef ELMPI_LOG_H
#define ELMPI_LOG_H

#include <stdbool.h>
#include <stdio.h>

typedef struct elm_log {
    const char *program; /* "elmpi-train", for error lines; borrowed */
    bool quiet;          /* true: nothing is printed but errors */
    bool to_stderr;      /* information too: stdout holds something else */
    FILE *file;          /* log.txt of the run, or NULL; borrowed */
} elm_log;

/** Prints a line to stdout, or stderr, and the log file. */
void elm_log_info(const elm_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Prints "<program>: warning: ..." to stderr and the log file. */
void elm_log_warn(const elm_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Prints "<program>: error: ..." to stderr and the log file, on every rank that calls it. */
void elm_log_error(const elm_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
