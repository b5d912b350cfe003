/* Weights: a network's parameters and state as the tensors of a checkpoint, and back. */
#ifndef ELMPI_NN_WEIGHTS_H
#define ELMPI_NN_WEIGHTS_H

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

/** Copies the "model/<name>" tensors among `tensors` into the network and calls
 * elm_net_weights_changed. Others, such as momentum, are passed over.
 *  Ranks:  local
 *  Errors: a tensor that the network has and `tensors` lack, of another shape, unknown to the
 *          network, or with a value that is not finite: the network is as it was */
int elm_weights_load(elm_net *net, const elm_tensor *tensors, int count, elm_error *err);

/** The same to begin a run with: of the classifier ("model/fc.*"), what `tensors` lack keeps its
 * initial values if that is its scale, and with `new_classifier` all of it does, whatever it
 * looks like in the file. A scale that the network lacks is multiplied into its weights. */
int elm_weights_load_pretrained(elm_net *net, const elm_tensor *tensors, int count,
                                bool new_classifier, elm_error *err);

#endif
