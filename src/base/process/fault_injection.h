/* Fault injection: one planned failure (elmpi/watchdog.h describes ELMPI_FAULT). */
#ifndef ELMPI_BASE_PROCESS_FAULT_INJECTION_H
#define ELMPI_BASE_PROCESS_FAULT_INJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_fault {
    int kind; /* index of the kind's row; -1: none planned */
    char phase[32];
    int rank;
    int64_t step; /* -1: any */
} elm_fault;

/** Reads a plan; NULL or empty: none.
 *  Errors: ELM_EXIT_USAGE */
int elm_fault_parse(elm_fault *fault, const char *text, elm_error *err);
/** Whether it is now. */
bool elm_fault_is_due(const elm_fault *fault, const char *phase, int rank, int64_t step);
/** Says on stderr that a planned failure never came: by its rank, or, where there is none such,
 * by rank 0. */
void elm_fault_tell_unused(const elm_fault *fault, int rank, int size);
/** Strikes, once. Returns -1 if that is a returned error. */
int elm_fault_strike(elm_fault *fault, elm_error *err);

#endif
