/* Dataset: one split of a store, or its long-tailed subset, with its class counts: in memory,
 * or, images in shards, its index. */
#ifndef ELMPI_DATASET_H
#define ELMPI_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/option.h"
#include "elmpi/store.h"

/** data.verify */
enum { ELM_VERIFY_SAMPLE, ELM_VERIFY_ALL, ELM_VERIFY_NONE };
/** data.mix */
enum { ELM_MIX_NONE, ELM_MIX_MIXUP, ELM_MIX_CUTMIX };
/** data.outside */
enum { ELM_OUTSIDE_REFUSE, ELM_OUTSIDE_ALLOW };

/** [data] of a job file. */
typedef struct elm_data_options {
    char store[ELM_TEXT_SIZE];
    /* 0: the store's training set as it is; else rho of the LDAM-DRW subset */
    double imbalance;
    /* auto|none|resized-crop, or steps such as "crop:4, flip"; empty: auto */
    char augment[ELM_TEXT_SIZE];
    int mix; /* none|mixup|cutmix: images of a batch with each other */
    double mix_alpha, mix_probability;
    int normalize;  /* store|half */
    bool drop_last; /* an epoch's last batch, where it would be smaller */
    /* instance|sequential|window:<n>|class-balanced|sqrt|progressive|class-aware:<k>; empty:
     * instance */
    char sampler[ELM_TEXT_SIZE];
    /* images a class ("5") or share of each class ("0.1"); empty or "0": none */
    char holdout[ELM_TEXT_SIZE];
    /* no option of [data]: the run's length in epochs, set by the caller; progressive needs it */
    double run_epochs;

    /* Images in shards. */
    int64_t crop; /* side of the network's input */
    /* evaluation: length of the short side before the center is cut out; 0: elm_data_resize */
    int64_t resize;
    int64_t threads;            /* that decode, a rank */
    double unreadable;          /* share of a training set that may turn out to be unreadable */
    int unreadable_test;        /* evaluation: 0 such an image counts as wrong, 1 it is left out */
    char shards[ELM_TEXT_SIZE]; /* folder of the shards; empty: where the store says */
    /* sample|all|none: which images are compared with the store's digests at the start */
    int verify;
    int outside; /* refuse|allow shards that lie in other folders */
    /* folder on each node to copy them to before training; empty: none */
    char stage[ELM_TEXT_SIZE];
} elm_data_options;
extern const elm_option elm_data_option_rows[];

/** Images in shards, evaluation: the short side is resized to so many pixels, the long one in
 * proportion, rounded down, and the center of data.crop is cut out, as torchvision's Resize and
 * CenterCrop do. data.resize, or 8/7 of data.crop, rounded down: 256 for 224, 73 for 64. */
int elm_data_resize(const elm_data_options *options);

/** Mean and deviation as the network's input has them (data.normalize), in place of the store's. */
void elm_data_normalize(const elm_data_options *options, elm_store_info *info);

/** Images in shards: where they are. They are read and decoded as they are needed. */
typedef struct elm_encoded_images {
    elm_store_place *places; /* [count] */
    struct elm_shards *shards;
    int verify;        /* sample|all|none */
    char *store;       /* path */
    const char *split; /* "train" */
    int crop, resize, threads;
    double unreadable;
    bool omits_unreadable; /* in evaluation; else they count as wrong */
} elm_encoded_images;

typedef struct elm_dataset {
    elm_store_info info;
    int64_t count;
    int32_t *labels;             /* [count] */
    int64_t *rows;               /* [count] rows of the store's split that the images are */
    int64_t *class_count;        /* [info.classes] */
    uint8_t *images;             /* [count][H][W][C], or NULL */
    float *features;             /* [count][D], or NULL */
    elm_encoded_images *encoded; /* or NULL; info.height and info.width are the crop's then */
    char **class_names;          /* [info.classes] */
} elm_dataset;

/** Loads a split of the job's store: "train" as its long-tailed subset where the job asks for one,
 * without the images held out of that; "holdout": those; others whole.
 *  Ranks:  local
 *  Owns:   the caller destroys; options are copied
 *  Errors: missing or broken store or shards; a missing or empty split; a class without a
 *          training image when split is "train"; ELM_EXIT_USAGE for data.resize below data.crop,
 *          for "holdout" where none are held out */
int elm_dataset_load_job(elm_dataset **dataset, const elm_data_options *options, const char *split,
                         elm_error *err);

/** Whether the options hold images of the training set out, so that there is a split "holdout". */
bool elm_dataset_holds_out(const elm_data_options *options);

/** Loads a split with the defaults of all other options. `imbalance` as in elm_data_options, 0 for
 * test sets.
 *  Ranks:  local
 *  Owns:   the caller destroys
 *  Errors: missing or broken store; a missing or empty split; a class without a training image
 *          when split is "train" */
int elm_dataset_load(elm_dataset **dataset, const char *store_path, const char *split,
                     double imbalance, elm_error *err);
void elm_dataset_destroy(elm_dataset *dataset);

#endif
