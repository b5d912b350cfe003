/* Network input: what a checkpoint's network is fed with, by the checkpoint itself or, of one that
 * does not say, by its store. */
#ifndef ELMPI_EVAL_NETWORK_INPUT_H
#define ELMPI_EVAL_NETWORK_INPUT_H

#include "elmpi/checkpoint.h"
#include "elmpi/dataset.h"

/** The input of a network that learns from that data set: for its checkpoints. */
elm_checkpoint_input elm_network_input_of(const elm_dataset *dataset);

/** As the checkpoint has it; with `store`, or where the checkpoint is of before it was in them, as
 * that store (NULL: the job's) and the job say.
 *  Errors: ELM_EXIT_USAGE for a store that is not there, ELM_EXIT_FAILURE for one of other
 *          classes */
int elm_network_input_find(const elm_checkpoint *checkpoint, const elm_data_options *job,
                           const char *store, elm_checkpoint_input *input, elm_error *err);

/** The same as a store would describe it. */
elm_store_info elm_network_input_info(const elm_checkpoint_input *input, int classes);

#endif
