/* Dataset fingerprint: a few figures of a run's data set, by which ranks and resumed runs check
 * that they work on the same one. */
#ifndef ELMPI_TRAIN_DATASET_FINGERPRINT_H
#define ELMPI_TRAIN_DATASET_FINGERPRINT_H

#include <stdint.h>

#include "elmpi/checkpoint.h"
#include "elmpi/comm.h"
#include "elmpi/dataset.h"

/** Digests fit into a double, as which a checkpoint keeps them. */
typedef struct elm_dataset_fingerprint {
    char dataset[32];
    int64_t classes, train_count, test_count;
    /* labels, shapes, normalization, and images: those in memory whole, of those in shards
     * length and size */
    uint64_t train, test;
    /* of images in shards, training and test: the store's digests of all; 0: unknown */
    uint64_t content[2];
    uint64_t sample[2]; /* and some of them as they were read now; 0: not read */
} elm_dataset_fingerprint;

/** test may be NULL. */
elm_dataset_fingerprint elm_dataset_fingerprint_of(const elm_dataset *train,
                                                   const elm_dataset *test);

/** Reads a sample of the images, of which all share the same shards on a node: its first rank
 * does; or compares all of them (data.verify).
 *  Ranks:  collective
 *  Errors: images that are not those that the store was made with */
int elm_dataset_fingerprint_read_all(elm_dataset_fingerprint *identity, const elm_dataset *train,
                                     const elm_dataset *test, elm_comm *comm, elm_error *err);

/** Refuses to go on unless all ranks have read the same.
 *  Ranks:  collective
 *  Errors: what differs between rank 0 and the first rank that read something else */
int elm_dataset_fingerprint_same_all(const elm_dataset_fingerprint *mine, const char *store,
                                     elm_comm *comm, elm_error *err);

enum { ELM_DATASET_FINGERPRINT_VALUES = 6 };
/** The digests as progress values [ELM_DATASET_FINGERPRINT_VALUES]. */
void elm_dataset_fingerprint_export(const elm_dataset_fingerprint *identity,
                                    elm_progress_value *values);

/** Whether a checkpoint's run can go on with this data set.
 *  Errors: ELM_EXIT_FAILURE "another data set ..." */
int elm_dataset_fingerprint_check(const elm_dataset_fingerprint *identity, const elm_dataset *train,
                                  const elm_checkpoint *checkpoint, const char *store,
                                  elm_error *err);

#endif
