/* Weights: a network's parameters and state as the tensors of a checkpoint, and back; a checkpoint shared by all ranks. */
#ifndef ELMPI_WEIGHTS_H
#define ELMPI_WEIGHTS_H

#include "elmpi/checkpoint.h"
#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/net.h"
#include "elmpi/status.h"
#include "elmpi/tensor.h"

/** Tensors that elm_weights_export gives: parameters, then state. */
int elm_weights_count(elm_net *net);

/** Lists the network's parameters and state as checkpoint tensors "model/<name>".
 *  Shape:  tensors [elm_weights_count]; their data points into the network's own blocks
 *  Ranks:  local
 *  Errors: a name too long for ELM_NAME_SIZE */
int elm_weights_export(elm_net *net, elm_tensor *tensors, elm_error *err);

/** Copies the "model/<name>" tensors among `tensors` into the network and calls elm_net_weights_changed. Others, such as momentum, are
 * passed over. Ranks:  local Errors: a tensor that the network has and `tensors` lack, of another shape, or unknown to the network: the
 * network is as it was */
int elm_weights_load(elm_net *net, const elm_tensor *tensors, int count, elm_error *err);

/** The same to begin a run with: of the classifier ("model/fc.*"), what `tensors` lack keeps its initial values if that is its scale, and
 * with `new_classifier` all of it does, whatever it looks like in the file. A scale that the network lacks is multiplied into its weights.
 */
int elm_weights_start(elm_net *net, const elm_tensor *tensors, int count, bool new_classifier, elm_error *err);

/** Hands rank 0's checkpoint to all: every other rank gets a copy of its own, tensors included.
 *  Ranks:  collective; *checkpoint counts on rank 0 only
 *  Owns:   the caller calls elm_checkpoint_free
 *  Errors: memory, agreed by all ranks; rank 0 keeps *checkpoint, it is NULL elsewhere */
int elm_checkpoint_share_all(elm_comm *comm, elm_checkpoint **checkpoint, elm_error *err);

/** Whether a checkpoint says how many training images its classes had, and its classes are the data set's. `store` and `advice` are for the
 * error. Errors: ELM_EXIT_FAILURE with the first difference */
int elm_checkpoint_check_classes(const elm_checkpoint *checkpoint, const elm_dataset *dataset, const char *store, const char *advice,
                                 elm_error *err);

/** Reads a checkpoint on rank 0 and hands it to all: every rank gets a copy of its own, tensors included.
 *  Ranks:  collective; `path` counts on rank 0 only
 *  Owns:   the caller calls elm_checkpoint_free
 *  Errors: elm_checkpoint_read's and memory, agreed by all ranks; *checkpoint is NULL then */
int elm_checkpoint_read_all(elm_comm *comm, const char *path, elm_checkpoint **checkpoint, elm_error *err);

#endif
