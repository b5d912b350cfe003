/* Prepare: original archives in, stores out. One file a data set, one row in a table (src/data/prepare.c). */
#ifndef ELMPI_PREPARE_H
#define ELMPI_PREPARE_H

#include <stdint.h>

#include "elmpi/log.h"
#include "elmpi/status.h"

typedef struct elm_prepare_request {
    const char *archive; /* path of the original archive, or NULL */
    const char *out;     /* path of the store */
    double imbalance;    /* digits, two-moons: of the training set made; 0: the data set's default */
    int64_t images;      /* two-moons: training points; 0: default */
    uint64_t seed;       /* two-moons */
    const elm_log *log;
} elm_prepare_request;

typedef struct elm_prepare_source {
    const char *name; /* "cifar100" */
    const char *help; /* one line: what it is, where the archive comes from */
    int needs_archive;
    int (*run)(const elm_prepare_request *request, elm_error *err);
} elm_prepare_source;

/** The sources elmpi knows, ended by name NULL. */
extern const elm_prepare_source elm_prepare_sources[];

#endif
