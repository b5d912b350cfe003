/* Program: the first and the last lines of every main: signals, the watchdog, MPI. Nothing waits
 * for ever between them. */
#ifndef ELMPI_TOOLS_PROGRAM_H
#define ELMPI_TOOLS_PROGRAM_H

#include "elmpi/watchdog.h"

typedef struct elm_program {
    const char *name;
    elm_watchdog *watch;
} elm_program;

/** First thing in main: signals are answered, and the watchdog waits as long as ELMPI_STALL_TIMEOUT
 * says (600 seconds without it).
 *  Errors: err says why; elm_program_end is still due */
int elm_program_begin(elm_program *program, const char *name, elm_error *err);

/** Last thing in main: returns the exit status, which is a failure where words of the program
 * were lost on their way out. */
int elm_program_end(elm_program *program, int code);

#endif
