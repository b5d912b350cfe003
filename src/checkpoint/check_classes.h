/* Check of classes: whether a checkpoint belongs to a data set. */
#ifndef ELMPI_CHECKPOINT_CHECK_CLASSES_H
#define ELMPI_CHECKPOINT_CHECK_CLASSES_H

#include "elmpi/checkpoint.h"

/** A data set as the check and its messages name it. All texts are borrowed. */
typedef struct elm_checkpoint_data {
    const char *dataset;      /* "CIFAR100-LT" */
    const char *store;        /* path */
    char *const *class_names; /* [classes] */
    int classes;
} elm_checkpoint_data;

/** Whether a checkpoint says how many training images its classes had, and its classes are the data
 * set's. `advice` ends the message.
 *  Ranks:  local
 *  Errors: ELM_EXIT_FAILURE with the first difference */
int elm_checkpoint_check_classes(const elm_checkpoint *checkpoint, const elm_checkpoint_data *data,
                                 const char *advice, elm_error *err);

#endif
