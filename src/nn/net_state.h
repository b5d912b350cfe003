/* What the files of a network share: net.c (building it), net_passes.c (forward and backward) and
 * net_libraries.c (what computes it). */
#ifndef ELMPI_NN_NET_STATE_H
#define ELMPI_NN_NET_STATE_H

#include "elmpi/net.h"
#include "nn/batchnorm_scope.h"
#include "nn/graph.h"
#include "nn/layers/cosine.h"
#include "nn/plan.h"

struct elm_net {
    elm_graph graph;
    elm_value *input, *embeddings;
    elm_norm_scope scope;
    int classes, ranks, max_images;
    elm_net_train train;
    float *weights, *gradients, *state;
    int64_t size, state_size;
    /* places of the classifier's parameters, the last ones; -1: there is none */
    int fc_weight;
    int fc_bias;        /* not with cosines */
    int fc_scale;       /* only with model.train = scale */
    elm_cosine *cosine; /* model.head = cosine; else NULL */
    float *unscaled;    /* logits before fc_scale */
    float *logits, *logits_gradient, *embeddings_gradient;
    elm_plan *plan;
    elm_reducer reducer;
    elm_pass pass;
    elm_segment *segments;
    int64_t *shared_groups;
    elm_timeline *timeline; /* NULL: not recorded */
};

static inline bool elm_net_backbone_learns(const elm_net *net)
{
    return net->train == ELM_TRAIN_ALL || net->train == ELM_TRAIN_BACKBONE;
}

#endif
