/* Memory bank: of every training image of the classes that a rank owns, the embedding that it had
 * when a step last saw it (loss.scope = bank). So an anchor's positives are all images of
 * its class, as ELM defines its pull term, not only those that the batch happens to hold. Every
 * class has one owner, all of its images' entries are there, and a step's embeddings go to the
 * owners of their classes: no entry is kept twice, however many ranks there are. */
#ifndef ELMPI_LOSS_EMBEDDING_MEMORY_BANK_H
#define ELMPI_LOSS_EMBEDDING_MEMORY_BANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu/bf16.h"
#include "elmpi/loss.h"

typedef struct elm_memory_bank elm_memory_bank;

typedef struct elm_memory_bank_spec {
    const elm_loss_options *options; /* only looked at during creation */
    elm_class_counts counts;
    const int32_t *labels; /* [counts.total] of the training images; borrowed for the bank's life */
    int width;             /* of an embedding */
    int rank, size;
} elm_memory_bank_spec;

/** Entries that the options allow a class of `count` images. */
int64_t elm_memory_bank_class_slots(const elm_loss_options *options, int64_t count);

/** Who owns each class: the largest first, each to the rank that has least so far of memory
 * (entries), messages (expected rows a step, ~ images) and work (expected pairs, ~ images *
 * entries), each as a share of the whole, with every image once an epoch.
 *  Shape:  owner [counts.classes] is written
 *  Ranks:  local: a pure function of its arguments, so all ranks agree without a message
 *  Errors: memory */
int elm_memory_bank_assign(const elm_loss_options *options, elm_class_counts counts, int size,
                           int32_t *owner, elm_error *err);

/** Owns:   all its memory, that of full classes from the start; the caller destroys
 *  Errors: -1 with *bank NULL */
int elm_memory_bank_create(elm_memory_bank **bank, const elm_memory_bank_spec *spec,
                           elm_error *err);
void elm_memory_bank_destroy(elm_memory_bank *bank);

/** [classes] as elm_memory_bank_assign says. */
const int32_t *elm_memory_bank_owners(const elm_memory_bank *bank);
/** Entries that there is room for, and their bytes, on this rank. */
int64_t elm_memory_bank_slots(const elm_memory_bank *bank);
size_t elm_memory_bank_bytes(const elm_memory_bank *bank);

/** Prepares for a batch of owned rows: its own images' entries are set aside, as are those that are
 * too old, and all before loss.bank.start_epoch.
 *  Shape:  batch->labels, members [local]
 *  Ranks:  local; allocates nothing */
void elm_memory_bank_begin(elm_memory_bank *bank, const elm_loss_batch *batch);
/** The entries that count as positives for anchors of that class, one that occurs in the batch
 * of the last elm_memory_bank_begin; *slot their places. */
int64_t elm_memory_bank_usable(const elm_memory_bank *bank, int32_t label, const int32_t **slot);
/** Adds a class's usable entries (as stored, not scaled) to sum [width]; returns how many. */
int64_t elm_memory_bank_add_up(const elm_memory_bank *bank, int32_t label, double *sum);
/** Counts the present batch's images that meet a usable entry: head, torso, tail. */
void elm_memory_bank_cover(const elm_memory_bank *bank, const elm_loss_batch *batch,
                           int64_t with_bank[3]);
/** The place of an image's own entry, if it has one that is not too old, else -1. */
int64_t elm_memory_bank_entry_of(const elm_memory_bank *bank, int64_t member);

/** An entry: value k is x[k] * scale. */
typedef struct elm_memory_bank_row {
    const float *fp32; /* one of the two */
    const elm_bf16 *bf16;
    double scale; /* 1, or 1 / length with loss.pull.normalize (0 without a direction) */
} elm_memory_bank_row;
elm_memory_bank_row elm_memory_bank_at(const elm_memory_bank *bank, int64_t slot);

/** What a step's images leave behind. */
typedef struct elm_bank_update {
    int64_t rows;
    const float *embeddings; /* [rows][width] */
    /* [rows] training images of classes that this rank owns, in the order of the batch */
    const int64_t *members;
    const bool *keep; /* [rows] false: not to be stored; NULL: all are */
    double passed;    /* epochs done: the entries' age counts from here */
} elm_bank_update;
/** Stores them; of an image that is there twice, the last. A full class gives up its oldest
 * entries, which may be those of images that come later in the same rows: these are then stored
 * as new ones. Allocates nothing. */
void elm_memory_bank_store(elm_memory_bank *bank, const elm_bank_update *news);

/** The bank as a sequence of records, one a slot, empty ones too, class by class: the same
 * places whoever owns them. For checkpoints. A record is the time of the entry (double, epochs;
 * -1: empty), its image (int64_t), then `width` values in the bank's precision. */
typedef struct elm_memory_bank_layout {
    int64_t records;
    size_t record_bytes;
} elm_memory_bank_layout;
elm_memory_bank_layout elm_memory_bank_layout_of(const elm_memory_bank *bank);
/** The next class that has slots, from `label` on; classes if there is none. *records: how many. */
int32_t elm_memory_bank_next_class(const elm_memory_bank *bank, int32_t label, int64_t *records);
/** Records [first, first + count) of a class that this rank owns, and back.
 *  Errors: a record that cannot be one of this bank */
void elm_memory_bank_export(const elm_memory_bank *bank, int32_t label, int64_t first,
                            int64_t count, void *records);
int elm_memory_bank_import(elm_memory_bank *bank, int32_t label, int64_t first, int64_t count,
                           const void *records, elm_error *err);

#endif
