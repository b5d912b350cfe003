/* ResNets for small images: He et al. 2016, section 4.2, with option-A shortcuts, and the
 * public logit-adjustment code's variant (Menon et al. 2021) with equal-width bottlenecks and
 * convolution shortcuts (METHODS, "Set-ups"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/graph.h"

enum { STAGES = 3, SMALLEST = 4 };

/* Depth 6 n + 2 -> blocks a stage n. */
static int blocks_of(const char *variant)
{
    static const char *const depths[] = {"8", "20", "32", "44", "56"};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        if (!strcmp(variant, depths[i]))
            return (atoi(variant) - 2) / 6;
    return 0;
}

static int check(const char *variant)
{
    return blocks_of(variant) ? 0 : -1;
}

static elm_value *basic_block(elm_graph *graph, elm_value *x, const char *block, int channels,
                              int stride)
{
    char name[ELM_NAME_SIZE];
    elm_value *y =
        elm_graph_conv(graph, x, elm_graph_join(name, block, "conv1"), channels, 3, stride, 1);
    y = elm_graph_norm(graph, y, elm_graph_join(name, block, "bn1"), NULL, true);
    y = elm_graph_conv(graph, y, elm_graph_join(name, block, "conv2"), channels, 3, 1, 1);
    elm_value *shortcut = stride > 1 || x->channels != channels
                              ? elm_graph_shortcut_a(graph, x, channels, stride)
                              : x;
    return elm_graph_norm(graph, y, elm_graph_join(name, block, "bn2"), shortcut, true);
}

typedef elm_value *block_builder(elm_graph *graph, elm_value *x, const char *block, int channels,
                                 int stride);

/* Three stages of `blocks` blocks, 16, 32 and 64 channels wide, halving the image at the
 * second and third. */
static elm_value *stages(elm_graph *graph, elm_value *x, int blocks, block_builder *add_block)
{
    for (int stage = 0; stage < STAGES; stage++)
        for (int b = 0; b < blocks; b++) {
            char block[ELM_NAME_SIZE];
            snprintf(block, sizeof block, "layer%d.%d", stage + 1, b);
            x = add_block(graph, x, block, 16 << stage, stage && !b ? 2 : 1);
        }
    return x;
}

static int build(elm_graph *graph, const char *variant, elm_value *input, elm_value **embeddings,
                 elm_error *err)
{
    if (elm_graph_refuse_small(input, SMALLEST, "mlp:... for feature vectors", err))
        return -1;
    elm_value *x = elm_graph_conv(graph, input, "conv1", 16, 3, 1, 1);
    x = elm_graph_norm(graph, x, "bn1", NULL, true);
    *embeddings = elm_graph_pool(graph, stages(graph, x, blocks_of(variant), basic_block));
    graph->classifier_init = graph->classifier_bias_init = ELM_INIT_UNIFORM;
    return 0;
}

static elm_value *menon_block(elm_graph *graph, elm_value *x, const char *block, int channels,
                              int stride)
{
    char name[ELM_NAME_SIZE];
    elm_value *shortcut = x;
    /* in every stage's first block, also where the shapes would fit */
    if (!strcmp(strchr(block, '.'), ".0")) {
        shortcut = elm_graph_conv(graph, x, elm_graph_join(name, block, "downsample.0"), channels,
                                  1, stride, 0);
        shortcut = elm_graph_norm(graph, shortcut, elm_graph_join(name, block, "downsample.1"),
                                  NULL, false);
    }
    elm_value *y =
        elm_graph_conv(graph, x, elm_graph_join(name, block, "conv1"), channels, 1, 1, 0);
    y = elm_graph_norm(graph, y, elm_graph_join(name, block, "bn1"), NULL, true);
    y = elm_graph_conv_same(graph, y, elm_graph_join(name, block, "conv2"), channels, 3, stride);
    y = elm_graph_norm(graph, y, elm_graph_join(name, block, "bn2"), NULL, true);
    y = elm_graph_conv(graph, y, elm_graph_join(name, block, "conv3"), channels, 1, 1, 0);
    return elm_graph_norm(graph, y, elm_graph_join(name, block, "bn3"), shortcut, true);
}

static int menon_check(const char *variant)
{
    return *variant ? -1 : 0;
}

static int menon_build(elm_graph *graph, const char *variant, elm_value *input,
                       elm_value **embeddings, elm_error *err)
{
    (void)variant;
    if (elm_graph_refuse_small(input, SMALLEST, "mlp:... for feature vectors", err))
        return -1;
    if (input->height != input->width)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "cifar-resnet32-menon is for square images, not %d x %d "
                             "(model.name): use cifar-resnet32",
                             input->width, input->height);
    graph->conv_init = ELM_INIT_HE_TRUNCATED;
    elm_value *x = elm_graph_conv(graph, input, "conv1", 16, 3, 1, 3); /* 32 x 32 -> 36 x 36 */
    x = elm_graph_norm(graph, x, "bn1", NULL, true);
    x = stages(graph, x, 5, menon_block);
    x = elm_graph_norm(graph, x, "bn_last", NULL, false);
    *embeddings = elm_graph_pool(graph, x);
    graph->classifier_init = ELM_INIT_SMALL_NORMAL;
    graph->classifier_bias_init = ELM_INIT_ZERO;
    return 0;
}

const elm_model elm_model_cifar_resnet = {"cifar-resnet", "8|20|32|44|56",
                                          "He et al. 2016, option-A shortcuts", build, check};
const elm_model elm_model_cifar_resnet_menon = {"cifar-resnet32-menon", "",
                                                "the public logit-adjustment code's ResNet-32",
                                                menon_build, menon_check};
