/* Graph: the network under construction. A model is a function that appends layers; the net module
 * then allocates and plans. Layers run in the order in which they are appended, parameters lie
 * in memory in that order, and their gradients are final in the reverse order. */
#ifndef ELMPI_NN_GRAPH_H
#define ELMPI_NN_GRAPH_H

#include "elmpi/net.h"
#include "nn/layers/layer.h"

enum { ELM_GRAPH_VALUES = 512, ELM_GRAPH_LAYERS = 512, ELM_GRAPH_PARAMETERS = 1024 };

/** How a parameter begins. */
typedef enum elm_init {
    /* normal, variance 2 / (out_channels kernel^2): He et al. 2015, fan-out, as torchvision */
    ELM_INIT_HE,
    /* normal cut off at two deviations, variance 2 / (in_channels kernel^2) after the cut:
     * Keras's he_normal */
    ELM_INIT_HE_TRUNCATED,
    ELM_INIT_UNIFORM,      /* uniform within 1 / sqrt(fan-in): PyTorch's linear layers */
    ELM_INIT_HE_UNIFORM,   /* uniform within sqrt(6 / fan-in): ReLU layers of perceptrons */
    ELM_INIT_SMALL_NORMAL, /* normal, deviation 0.01 */
    /* uniform in [-1, 1], then each row scaled to length 1: class vectors of cosines */
    ELM_INIT_UNIT_ROWS,
    ELM_INIT_ONE,
    ELM_INIT_ZERO,
} elm_init;

typedef struct elm_graph {
    elm_value values[ELM_GRAPH_VALUES];
    int value_count;
    elm_layer layers[ELM_GRAPH_LAYERS];
    int layer_count;
    elm_tensor parameters[ELM_GRAPH_PARAMETERS], states[ELM_GRAPH_PARAMETERS];
    elm_init init[ELM_GRAPH_PARAMETERS];
    int64_t fan_in[ELM_GRAPH_PARAMETERS];
    bool is_norm[ELM_GRAPH_PARAMETERS];
    int parameter_count, state_count;
    /* of activations between the images and the embeddings; ELM_BLOCK_ALL: channels last */
    int block;
    elm_format format; /* of activations between the images and the embeddings */
    const elm_backend *backend;
    void *engine;
    elm_init conv_init; /* of convolutions: HE or HE_TRUNCATED */
    /* of fc.weight, unless its logits are cosines; a bias begins as the model says */
    elm_init classifier_init;
    elm_init classifier_bias_init;
    bool zero_init_gamma; /* the last gamma of each residual block begins at 0 */
    bool failed;          /* too large, or a name too long */
    double layer_flops;   /* of a training step an image: convolutions and linear layers */
} elm_graph;

/** The images or vectors. */
elm_value *elm_graph_input(elm_graph *graph, int channels, int height, int width);
/** <name>.weight, square kernel, no bias. */
elm_value *elm_graph_conv(elm_graph *graph, elm_value *x, const char *name, int channels,
                          int kernel, int stride, int padding);
/** The same with TensorFlow's padding 'same' for square images: as many outputs as strides fit
 * into the image, the odd pixel of padding behind it (stride 2 on an even side: 0 before, 1
 * after). */
elm_value *elm_graph_conv_same(elm_graph *graph, elm_value *x, const char *name, int channels,
                               int kernel, int stride);
/** BatchNorm <name>.{weight,bias,running_mean,running_var}, plus residual (or NULL), then ReLU
 * if asked. One with a residual is the last of its block. */
elm_value *elm_graph_norm(elm_graph *graph, elm_value *x, const char *name, elm_value *residual,
                          bool relu);
elm_value *elm_graph_shortcut_a(elm_graph *graph, elm_value *x, int channels, int stride);
elm_value *elm_graph_maxpool(elm_graph *graph, elm_value *x, int kernel, int stride, int padding);
/** Mean over the plane. */
elm_value *elm_graph_pool(elm_graph *graph, elm_value *x);
/** <name>.{weight,bias} on vectors. */
elm_value *elm_graph_linear(elm_graph *graph, elm_value *x, const char *name, int width, bool relu);
/** Appends a parameter; returns its place. */
int elm_graph_parameter(elm_graph *graph, const char *layer, const char *suffix, int dimensions,
                        const int64_t *shape, elm_init init, int64_t fan_in);

/** "<block>.<part>" in buffer, which is returned. */
const char *elm_graph_join(char buffer[ELM_NAME_SIZE], const char *block, const char *part);
/** -1 with err when the input is a vector or an image with a side below `smallest`; `instead`
 * is what to use then. */
int elm_graph_refuse_small(const elm_value *input, int smallest, const char *instead,
                           elm_error *err);

/** A family of models: one file each, one row in models.c. */
typedef struct elm_model {
    const char *prefix;   /* what the name begins with */
    const char *variants; /* what may follow, for messages: "8|20|32" */
    const char *help;
    /* Appends the layers up to the embeddings. `variant` is what follows the prefix. -1 with err
     * when the variant or the input does not fit. */
    int (*build)(elm_graph *graph, const char *variant, elm_value *input, elm_value **embeddings,
                 elm_error *err);
    int (*check)(const char *variant); /* 0 or -1 */
} elm_model;

extern const elm_model elm_model_cifar_resnet, elm_model_cifar_resnet_menon, elm_model_resnet,
    elm_model_mlp;

/** The layers of a spec's network up to the embeddings, into a zeroed graph. The backend's
 * engine is open whenever graph->backend is set: the caller closes it, after a failure too. */
int elm_graph_build(elm_graph *graph, const elm_net_spec *spec, elm_value **input,
                    elm_value **embeddings, elm_error *err);

/** A built network's graph. */
const elm_graph *elm_net_graph(const elm_net *net);

/** The model of that name; *variant receives the rest of the name. */
const elm_model *elm_model_find(const char *name, const char **variant, elm_error *err);

#endif
