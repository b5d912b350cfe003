/* Plan: where every activation and gradient lies, and which activations are computed twice.
 *
 * A training step runs the layers forwards and then backwards; each of these runs is a tick of the
 * plan's clock. A buffer is alive from the tick that writes it to the last tick that reads it, and
 * buffers that are never alive together share memory: one arena holds them all. So the gradients of
 * early layers lie where the activations of late ones were.
 *
 * BatchNorm's backward pass needs its input (the convolution's output), and the next
 * convolution's needs its output. Storing both would double the activations, so norm layers'
 * outputs are given up after their last use in the forward pass and rebuilt from the input just
 * before the backward pass reads them: a pass over memory, and one that BatchNorm's backward
 * pass saves again, since a ReLU's mask too follows from the input. Where a residual was added,
 * rebuilding needs the residual: a chain of blocks keeps every second output. */
#ifndef ELMPI_NN_PLAN_H
#define ELMPI_NN_PLAN_H

#include "nn/graph.h"

/** Layer `layer` has its output rebuilt before layer `before` runs backwards. */
typedef struct elm_rebuild {
    int before, layer;
} elm_rebuild;

typedef struct elm_plan {
    size_t size; /* bytes of the arena */
    char *arena;
    elm_rebuild rebuilds[ELM_GRAPH_LAYERS]; /* in the order in which they are due */
    int rebuild_count;
    struct elm_plan_draft *draft; /* what is alive when; until elm_plan_allocate */
} elm_plan;

/** Lays everything out for `max_images`, without the memory itself. The embeddings stay until
 * the next step; embeddings_gradient is where the losses leave their gradient, NULL: there is no
 * backward pass. */
int elm_plan_create(elm_plan **plan, elm_graph *graph, elm_value *embeddings,
                    float *embeddings_gradient, int max_images, elm_error *err);

/** Allocates the arena and points values and layers into it. */
int elm_plan_allocate(elm_plan *plan, elm_error *err);

void elm_plan_destroy(elm_plan *plan);

#endif
