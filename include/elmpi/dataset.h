/* Dataset: one split of a store, or its long-tailed subset, in memory, with its class counts. */
#ifndef ELMPI_DATASET_H
#define ELMPI_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/option.h"
#include "elmpi/store.h"

/** [data] of a job file. */
typedef struct elm_data_options {
    char store[ELM_TEXT_SIZE];
    double imbalance; /* 0: the store's training set as it is; else rho of the LDAM-DRW subset */
    int augment;      /* auto|none|crop-flip|shift */
    int order;        /* shuffle|sequential */
    int sampler;      /* instance (more come with part 3) */
} elm_data_options;
extern const elm_option elm_data_option_rows[];

typedef struct elm_dataset {
    elm_store_info info;
    int64_t count;
    int32_t *labels;      /* [count] */
    int64_t *class_count; /* [info.classes] */
    uint8_t *images;      /* [count][H][W][C], or NULL */
    float *features;      /* [count][D], or NULL */
    char **class_names;   /* [info.classes] */
} elm_dataset;

/** Loads a split. `imbalance` as in elm_data_options, 0 for test sets.
 *  Ranks:  local
 *  Owns:   the caller destroys
 *  Errors: missing or broken store; a missing or empty split; a class without a training image when split is "train" */
int elm_dataset_load(elm_dataset **dataset, const char *store_path, const char *split, double imbalance, elm_error *err);
void elm_dataset_destroy(elm_dataset *dataset);

#endif
