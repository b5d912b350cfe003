/* Faults: pictures that could not be read while a loader ran: which, why, and whether there are
 * too many of them. Any thread may call. */
#ifndef ELMPI_DATA_BAD_IMAGES_H
#define ELMPI_DATA_BAD_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
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
/** Notes that pictures could not even be fetched: no matter of single pictures, so nothing is
 * replaced. The first reason stays. */
void elm_faults_break(elm_faults *faults, const char *reason);
/** That reason, or NULL. */
const char *elm_faults_broken(elm_faults *faults);

/** Which pictures have failed: a bit for each, `elm_faults_bytes` bytes; and takes over what
 * others have found. */
size_t elm_faults_bytes(const elm_faults *faults);
void elm_faults_get(elm_faults *faults, uint8_t *bits);
void elm_faults_merge(elm_faults *faults, const uint8_t *bits);

/** What a caller may want to say next. */
typedef struct elm_fault {
    int64_t member;
    char reason[200];
} elm_fault;

/** Takes the oldest fault that has not been taken; false when there is none. Of many at once
 * only the first few are kept. */
bool elm_faults_take(elm_faults *faults, elm_fault *fault);
int64_t elm_faults_count(elm_faults *faults);
bool elm_faults_too_many(elm_faults *faults);

#endif
