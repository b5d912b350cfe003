#include "nn/fold.h"

#include <string.h>

/* The only layer that reads a value; -1: several, or none. */
static int only_reader(const elm_graph *graph, const elm_value *value)
{
    int reader = -1;
    for (int l = 0; l < graph->layer_count; l++) {
        const elm_layer *layer = &graph->layers[l];
        if (layer->input != value && layer->residual != value)
            continue;
        if (reader >= 0)
            return -1;
        reader = l;
    }
    return reader;
}

/* The convolution moves to where the BatchNorm was: its residual is there by then. */
static void fold(elm_graph *graph, int conv, int norm)
{
    const elm_layer *n = &graph->layers[norm];
    elm_layer folded = graph->layers[conv];
    folded.kind = &elm_folded_conv_layer;
    folded.residual = n->residual;
    folded.output = n->output;
    folded.relu = n->relu;
    for (int p = 0; p < n->parameter_count; p++)
        folded.parameter[folded.parameter_count++] = n->parameter[p];
    folded.state_count = n->state_count;
    memcpy(folded.state, n->state, sizeof folded.state);
    graph->layers[norm] = folded;
    memmove(&graph->layers[conv], &graph->layers[conv + 1],
            (size_t)(graph->layer_count - conv - 1) * sizeof folded);
    graph->layer_count--;
}

void elm_graph_fold_norms(elm_graph *graph)
{
    if (!graph->backend->forward_folded)
        return;
    for (int l = 0; l < graph->layer_count;) {
        const int reader = graph->layers[l].kind == &elm_conv_layer
                               ? only_reader(graph, graph->layers[l].output)
                               : -1;
        if (reader > l && graph->layers[reader].kind == elm_norm_layer() &&
            graph->layers[reader].residual != graph->layers[l].output)
            fold(graph, l, reader);
        else
            l++;
    }
}
