/* Faults: pictures that could not be read while a loader ran: which, why, and whether there are too many of them. Any thread may call. */
#ifndef ELMPI_DATA_FAULTS_H
#define ELMPI_DATA_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_faults elm_faults;

/** For a data set of `count` pictures, of which `limit` may fail.
 *  Owns:   the caller destroys */
int elm_faults_create(elm_faults **faults, int64_t count, int64_t limit, elm_error *err);
void elm_faults_destroy(elm_faults *faults);

/** Whether a picture has failed before. */
bool elm_faults_known(elm_faults *faults, int64_t member);
/** Notes a picture, once, and why. */
void elm_faults_add(elm_faults *faults, int64_t member, const char *reason);
/** Notes that a class has no picture left that can be read. */
void elm_faults_add_empty_class(elm_faults *faults, int class_index);

/** What a caller may want to say next. */
typedef struct elm_fault {
    int64_t member;
    char reason[200];
} elm_fault;

/** Takes the oldest fault that has not been taken; false when there is none. Of many at once only the first few are kept. */
bool elm_faults_take(elm_faults *faults, elm_fault *fault);
int64_t elm_faults_count(elm_faults *faults);
/** The class without a readable picture, or -1. */
int elm_faults_empty_class(elm_faults *faults);
bool elm_faults_too_many(elm_faults *faults);

#endif
