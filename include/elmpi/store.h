/* Store: an HDF5 file with a data set ready for training (DESIGN 5): one group a split, /classes, and the data set's name and
 * normalisation as root attributes. */
#ifndef ELMPI_STORE_H
#define ELMPI_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

enum { ELM_CHANNELS_MAX = 4 };

/** What a store holds, from its root attributes and /classes. */
typedef struct elm_store_info {
    char dataset[32]; /* "cifar100" */
    int classes;
    int height, width, channels;  /* of a picture; 0 for features */
    int features;                 /* length of a feature vector; 0 for pictures */
    float mean[ELM_CHANNELS_MAX]; /* of x / 255, by channel; features: unused (already as they should be) */
    float deviation[ELM_CHANNELS_MAX];
} elm_store_info;

typedef struct elm_store elm_store; /* open for reading */
typedef struct elm_store_writer elm_store_writer;

/** Opens a store and checks its shape: types, sizes, labels in range, known version.
 *  Ranks:  local; each rank opens the file for itself */
int elm_store_open(elm_store **store, const char *path, elm_error *err);
void elm_store_close(elm_store *store);
const elm_store_info *elm_store_describe(const elm_store *store);
const char *elm_store_class_name(const elm_store *store, int class_index);

/** Images of a split ("train", "val", "test"); 0 where it is absent. */
int64_t elm_store_count(const elm_store *store, const char *split);
/** Labels of a split: *labels [count], to be freed with elm_free. */
int elm_store_labels(elm_store *store, const char *split, int32_t **labels, int64_t *count, elm_error *err);
/** Reads the rows `members` (any order, each < count) of a split: pictures as uint8 [members][H][W][C] or features as float [members][D].
 *  Owns:   *rows to be freed with elm_free */
int elm_store_read(elm_store *store, const char *split, const int64_t *members, int64_t member_count, void **rows, elm_error *err);

/** Starts `path`.part; nothing stands under `path` until elm_store_writer_finish. */
int elm_store_writer_create(elm_store_writer **writer, const char *path, const elm_store_info *info, const char *const *class_names,
                            elm_error *err);
/** Appends one record to a split. Shape: row uint8 [H][W][C] or float [D]. */
int elm_store_writer_append(elm_store_writer *writer, const char *split, int32_t label, const void *row, elm_error *err);
/** Writes /classes/train_count, flushes, fsyncs and renames. The writer is gone afterwards, also on failure (and so is the .part file). */
int elm_store_writer_finish(elm_store_writer *writer, elm_error *err);
/** Gives up: removes the .part file. Accepts NULL. */
void elm_store_writer_destroy(elm_store_writer *writer);

#endif
