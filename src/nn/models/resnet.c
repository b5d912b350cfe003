/* ResNets for large images: He et al. 2016 in torchvision's layout and names, version 1.5, in
 * which a bottleneck's 3 x 3 convolution carries the stride. */
#include <stdio.h>
#include <string.h>

#include "nn/graph.h"

enum { STAGES = 4, SMALLEST = 32 };

static const struct architecture {
    const char *depth;
    bool bottleneck;
    int blocks[STAGES];
} architectures[] = {
    {"18", false, {2, 2, 2, 2}},  {"34", false, {3, 4, 6, 3}},  {"50", true, {3, 4, 6, 3}},
    {"101", true, {3, 4, 23, 3}}, {"152", true, {3, 8, 36, 3}},
};

static const struct architecture *find(const char *variant)
{
    for (size_t a = 0; a < sizeof architectures / sizeof *architectures; a++)
        if (!strcmp(architectures[a].depth, variant))
            return &architectures[a];
    return NULL;
}

static int check(const char *variant)
{
    return find(variant) ? 0 : -1;
}

/* The block's input, or a 1 x 1 convolution and BatchNorm where its shape changes. */
static elm_value *shortcut(elm_graph *graph, elm_value *x, const char *block, int channels,
                           int stride)
{
    if (stride == 1 && x->channels == channels)
        return x;
    char name[ELM_NAME_SIZE];
    x = elm_graph_conv(graph, x, elm_graph_join(name, block, "downsample.0"), channels, 1, stride,
                       0);
    return elm_graph_norm(graph, x, elm_graph_join(name, block, "downsample.1"), NULL, false);
}

static elm_value *basic_block(elm_graph *graph, elm_value *x, const char *block, int width,
                              int stride)
{
    char name[ELM_NAME_SIZE];
    elm_value *residual = shortcut(graph, x, block, width, stride);
    elm_value *y =
        elm_graph_conv(graph, x, elm_graph_join(name, block, "conv1"), width, 3, stride, 1);
    y = elm_graph_norm(graph, y, elm_graph_join(name, block, "bn1"), NULL, true);
    y = elm_graph_conv(graph, y, elm_graph_join(name, block, "conv2"), width, 3, 1, 1);
    return elm_graph_norm(graph, y, elm_graph_join(name, block, "bn2"), residual, true);
}

static elm_value *bottleneck_block(elm_graph *graph, elm_value *x, const char *block, int width,
                                   int stride)
{
    char name[ELM_NAME_SIZE];
    elm_value *residual = shortcut(graph, x, block, 4 * width, stride);
    elm_value *y = elm_graph_conv(graph, x, elm_graph_join(name, block, "conv1"), width, 1, 1, 0);
    y = elm_graph_norm(graph, y, elm_graph_join(name, block, "bn1"), NULL, true);
    y = elm_graph_conv(graph, y, elm_graph_join(name, block, "conv2"), width, 3, stride, 1);
    y = elm_graph_norm(graph, y, elm_graph_join(name, block, "bn2"), NULL, true);
    y = elm_graph_conv(graph, y, elm_graph_join(name, block, "conv3"), 4 * width, 1, 1, 0);
    return elm_graph_norm(graph, y, elm_graph_join(name, block, "bn3"), residual, true);
}

static int build(elm_graph *graph, const char *variant, elm_value *input, elm_value **embeddings,
                 elm_error *err)
{
    const struct architecture *a = find(variant);
    if (elm_graph_refuse_small(input, SMALLEST, "cifar-resnet20 or the like for small images", err))
        return -1;
    elm_value *x = elm_graph_conv(graph, input, "conv1", 64, 7, 2, 3);
    x = elm_graph_norm(graph, x, "bn1", NULL, true);
    x = elm_graph_maxpool(graph, x, 3, 2, 1);
    for (int stage = 0; stage < STAGES; stage++)
        for (int b = 0; b < a->blocks[stage]; b++) {
            char block[ELM_NAME_SIZE];
            snprintf(block, sizeof block, "layer%d.%d", stage + 1, b);
            x = (a->bottleneck ? bottleneck_block : basic_block)(graph, x, block, 64 << stage,
                                                                 stage && !b ? 2 : 1);
        }
    *embeddings = elm_graph_pool(graph, x);
    graph->classifier_init = graph->classifier_bias_init = ELM_INIT_UNIFORM;
    return 0;
}

const elm_model elm_model_resnet = {"resnet", "18|34|50|101|152",
                                    "He et al. 2016, torchvision's layout", build, check};
