/* Weight average: the exponential moving average of a network's weights and running statistics
 * (optim.ema), which training keeps beside them and never reads. */
#ifndef ELMPI_TRAIN_WEIGHT_AVERAGE_H
#define ELMPI_TRAIN_WEIGHT_AVERAGE_H

#include "elmpi/checkpoint.h"
#include "elmpi/net.h"

typedef struct elm_weight_average {
    double decay;
    bool begun;             /* false: there is nothing to average yet */
    float *weights, *state; /* like elm_net_parameters' blocks */
} elm_weight_average;

/** Ranks:  local. decay 0: *average NULL, and all of the other functions do nothing
 *  Owns:   its blocks; _destroy accepts NULL */
int elm_weight_average_create(elm_weight_average **average, elm_net *net, double decay,
                              elm_error *err);
void elm_weight_average_destroy(elm_weight_average *average);

/** The average begins as what the network holds now; does nothing when it has begun. To be called
 * before the first step, when the weights of a file have been loaded. */
void elm_weight_average_begin(elm_weight_average *average, elm_net *net);

/** Follows a step that was not discarded.
 *  Math:   a += (1 - decay) (w - a), for weights and for BatchNorm's running means and variances
 *          alike (Tarvainen and Valpola 2017; the statistics as in timm's ModelEma)
 *  Ranks:  local: weights and running statistics are equal on all ranks, and so are averages.
 *          Allocates nothing */
void elm_weight_average_update(elm_weight_average *average, elm_net *net);

/** The average as checkpoint tensors "ema/<name>"; returns how many, and fills `tensors` unless it
 * is NULL. The data is the average's. */
int elm_weight_average_tensors(elm_weight_average *average, elm_net *net, elm_tensor *tensors);
/** To be called when the tensors have been filled from a checkpoint. */
void elm_weight_average_resume(elm_weight_average *average);

#endif
