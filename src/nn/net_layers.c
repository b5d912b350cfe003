#include "nn/net_layers.h"

#include "nn/graph.h"

static elm_net_layer_type type_of(const elm_layer_kind *kind)
{
    const elm_layer_kind *const kinds[] = {
        [ELM_LAYER_CONV] = &elm_conv_layer,
        [ELM_LAYER_NORM] = elm_norm_layer(),
        [ELM_LAYER_SHORTCUT_A] = elm_shortcut_a_layer(),
        [ELM_LAYER_MAXPOOL] = elm_maxpool_layer(),
        [ELM_LAYER_POOL] = elm_pool_layer(),
        [ELM_LAYER_LINEAR] = elm_linear_layer(),
    };
    int type = 0;
    while (kinds[type] != kind)
        type++;
    return (elm_net_layer_type)type;
}

int elm_net_layer_count(const elm_net *net)
{
    return elm_net_graph(net)->layer_count;
}

elm_net_layer elm_net_layer_at(const elm_net *net, int place)
{
    const elm_graph *graph = elm_net_graph(net);
    const elm_layer *layer = &graph->layers[place];
    const elm_tensor *parameters[ELM_LAYER_PARAMETERS] = {NULL, NULL}, *states[2] = {NULL, NULL};
    for (int p = 0; p < layer->parameter_count; p++)
        parameters[p] = &graph->parameters[layer->parameter[p]];
    for (int s = 0; s < layer->state_count; s++)
        states[s] = &graph->states[layer->state[s]];
    return (elm_net_layer){
        .type = type_of(layer->kind),
        .input = (int)(layer->input - graph->values),
        .output = (int)(layer->output - graph->values),
        .residual = layer->residual != NULL ? (int)(layer->residual - graph->values) : -1,
        .channels_in = layer->input->channels,
        .channels = layer->output->channels,
        .kernel = layer->kernel,
        .stride = layer->stride,
        .padding = layer->padding,
        .padding_after = layer->padding_after,
        .relu = layer->relu,
        .weight = parameters[0],
        .bias = parameters[1],
        .mean = states[0],
        .variance = states[1],
        .epsilon = elm_norm_epsilon,
    };
}
