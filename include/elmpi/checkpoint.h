/* Checkpoint: one training state in one HDF5 file (docs/design.md, section 5). Used by rank 0 only;
 * nothing here communicates. */
#ifndef ELMPI_CHECKPOINT_H
#define ELMPI_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"
#include "elmpi/tensor.h"
#include "elmpi/watchdog.h"

/** A named column of per-epoch figures under /history. */
typedef struct elm_history_column {
    char name[64];
    int64_t count;
    const double *values;
} elm_history_column;

/** A named scalar under /progress (attributes): metric accumulators and counters that make a
 * resume in mid-epoch exact. */
typedef struct elm_progress_value {
    char name[64];
    double value;
} elm_progress_value;

/** Records behind the HDF5 part of the file, for what is too large for one memory: the class
 * bank. They have no name inside HDF5, which builds its part in memory; the root attributes
 * bank_records and bank_record_bytes tell their number and size, and they are the file's last
 * records * record_bytes bytes (elm_memory_bank_layout says what is in them). The user block's
 * length and digest cover them. */
typedef struct elm_checkpoint_tail {
    int64_t records; /* 0: none */
    size_t record_bytes;
    /* For writing: gives the next piece, in whole, until all records have been given; never
     * fails. */
    void (*next)(void *context, const void **piece, size_t *size_bytes);
    void *context;
    int64_t offset; /* after reading: of the first record in the file */
} elm_checkpoint_tail;

enum { ELM_INPUT_CHANNELS_MAX = 4, ELM_INPUT_DATASET_BYTES = 32 };

/** What the network's input is and how an image becomes it, under /input. All zero: a checkpoint
 * of before these were in it; its store knows them.
 *  Math:   an image is turned as its EXIF says, its short side resized to `resize` (0: to the
 *          input's), the center of height x width cut out, then (pixel / 255 - mean) / std by
 *          channel */
typedef struct elm_checkpoint_input {
    char dataset[ELM_INPUT_DATASET_BYTES];
    int channels, height, width; /* of an image as the network sees it, or */
    int features;                /* length of a feature vector */
    int resize;                  /* images in shards; 0: the store's images have that size */
    float mean[ELM_INPUT_CHANNELS_MAX], std[ELM_INPUT_CHANNELS_MAX]; /* data.normalize done */
} elm_checkpoint_input;

/** What a checkpoint says and holds. For writing everything is borrowed; after reading
 * everything belongs to the struct. */
typedef struct elm_checkpoint {
    const char *job; /* resolved job text */
    double epoch;    /* finished epochs, with fraction */
    int64_t step;
    uint64_t seed;
    int ranks;
    const char *git;       /* version that wrote it */
    const char *made_with; /* threads a rank and libraries; an empty text: not known */
    const char *chosen_on; /* what chose it as the best: "holdout"; NULL: nothing did */
    /* full path in `name`: "model/conv1.weight", "optimizer/momentum/conv1.weight", "loss/..." */
    int tensor_count;
    elm_tensor *tensors;
    int classes;
    const char *const *class_names; /* /classes/name */
    const int64_t *class_count;     /* /classes/train_count */
    elm_checkpoint_input input;
    int history_count;
    elm_history_column *history;
    int progress_count;
    elm_progress_value *progress;
    elm_watchdog *watch; /* gets a heartbeat at each stage of writing; NULL: none */
    elm_checkpoint_tail tail;
} elm_checkpoint;

/** Writes `path` by way of a temporary file beside it: written, closed, digest put into the user
 * block, read back and verified, fsynced, renamed, folder fsynced. An existing `path` is replaced
 * in one instant or stays as it was. Format: HDF5, H5Pset_libver_bounds(V110, V110), chunked with
 * fletcher32, 512-byte user block "ELMPI checkpoint 1\nlength <n>\nsha256 <hex>\n"
 *  Errors: full disk, no permission: temporary file removed, message says where and what */
int elm_checkpoint_write(const char *path, const elm_checkpoint *checkpoint, elm_error *err);

/** Checks length and SHA-256 before HDF5 sees the file. */
int elm_checkpoint_verify(const char *path, elm_error *err);

/** Verifies and reads the whole file into *checkpoint.
 *  Owns:   the caller calls elm_checkpoint_free (tensors' data included) */
int elm_checkpoint_read(const char *path, elm_checkpoint **checkpoint, elm_error *err);
void elm_checkpoint_free(elm_checkpoint *checkpoint);

/** The library that reads and writes it, for logs: "HDF5 1.10.8". */
void elm_checkpoint_library(char *text, size_t size_bytes);

/** Bytes [offset, offset + size_bytes) of the tail of a checkpoint that has been read from
 * `path`. */
int elm_checkpoint_read_tail(const char *path, const elm_checkpoint_tail *tail, int64_t offset,
                             void *bytes, size_t size_bytes, elm_error *err);

/** Whether a checkpoint says what the network's input is. */
bool elm_checkpoint_knows_input(const elm_checkpoint *checkpoint);

/** The tensor of that full name, or NULL. */
const elm_tensor *elm_checkpoint_tensor(const elm_checkpoint *checkpoint, const char *name);
/** Makes one kind of weights in a checkpoint that has been read its network's: those of "model/".
 * which  "last" or NULL: as the last step left them; "ema": their moving average (optim.ema),
 *        running statistics included, whose places the last ones take
 *  Errors: ELM_EXIT_USAGE: another name (--weights), or a run that kept no average */
int elm_checkpoint_choose_weights(elm_checkpoint *checkpoint, const char *which, elm_error *err);

/** A progress value, or `missing`. */
double elm_checkpoint_progress(const elm_checkpoint *checkpoint, const char *name, double missing);
/** A history column, or NULL. */
const elm_history_column *elm_checkpoint_history(const elm_checkpoint *checkpoint,
                                                 const char *name);

#endif
