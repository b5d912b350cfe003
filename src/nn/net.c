#include "elmpi/net.h"

#include "elmpi/memory.h"
#include "nn/init.h"
#include "nn/net_state.h"

void elm_net_destroy(elm_net *net)
{
    if (!net)
        return;
    for (int l = 0; l < net->graph.layer_count; l++)
        net->graph.layers[l].kind->release(&net->graph.layers[l]);
    elm_plan_destroy(net->plan);
    elm_cosine_destroy(net->cosine);
    if (net->graph.backend)
        net->graph.backend->close(net->graph.engine);
    void *all[] = {net->weights,         net->gradients,
                   net->state,           net->logits,
                   net->logits_gradient, net->embeddings_gradient,
                   net->unscaled,        net->segments,
                   net->shared_groups,   net};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static void add_classifier(elm_net *net, const elm_net_spec *spec)
{
    elm_graph *graph = &net->graph;
    const bool cosine = spec->model->head == ELM_HEAD_COSINE;
    const int64_t width = net->embeddings->channels, shape[] = {spec->classes, width};
    net->train = (elm_net_train)spec->model->train;
    net->fc_weight =
        elm_graph_parameter(graph, "fc", "weight", 2, shape,
                            cosine ? ELM_INIT_UNIT_ROWS : graph->classifier_init, width);
    net->fc_bias = cosine ? -1
                          : elm_graph_parameter(graph, "fc", "bias", 1, shape,
                                                graph->classifier_bias_init, width);
    net->fc_scale = net->train == ELM_TRAIN_SCALE
                        ? elm_graph_parameter(graph, "fc", "scale", 1, shape, ELM_INIT_ONE, 1)
                        : -1;
}

/* Layers up to the embeddings, then the classifier's parameters. */
static int build_graph(elm_net *net, const elm_net_spec *spec, elm_error *err)
{
    const elm_graph *graph = &net->graph;
    if (elm_graph_build(&net->graph, spec, &net->input, &net->embeddings, err))
        return -1;
    add_classifier(net, spec);
    if (graph->failed)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the network is too large for elmpi's tables (model.name = %s)",
                             spec->model->name);
    return 0;
}

/* Gives each tensor its place in one contiguous block. */
static float *lay_out(elm_tensor *tensors, int count, int64_t *size, elm_error *err)
{
    int64_t total = 0;
    for (int t = 0; t < count; t++) {
        tensors[t].offset = total;
        total += tensors[t].count;
    }
    float *block = elm_alloc((size_t)total, sizeof *block, err);
    for (int t = 0; block && t < count; t++)
        tensors[t].data = block + tensors[t].offset;
    *size = total;
    return block;
}

static int allocate_parameters(elm_net *net, uint64_t seed, elm_error *err)
{
    elm_graph *graph = &net->graph;
    net->weights = lay_out(graph->parameters, graph->parameter_count, &net->size, err);
    net->state =
        net->weights ? lay_out(graph->states, graph->state_count, &net->state_size, err) : NULL;
    net->gradients = net->state ? elm_alloc((size_t)net->size, sizeof(float), err) : NULL;
    if (!net->gradients)
        return -1;
    for (int p = 0; p < graph->parameter_count; p++)
        elm_init_parameter(&graph->parameters[p], graph->init[p], graph->fan_in[p], seed);
    for (int l = 0; l < graph->layer_count; l++) {
        elm_layer *layer = &graph->layers[l];
        for (int p = 0; p < layer->parameter_count; p++) {
            layer->weight[p] = graph->parameters[layer->parameter[p]].data;
            layer->weight_gradient[p] =
                net->gradients + graph->parameters[layer->parameter[p]].offset;
        }
        for (int s = 0; s < layer->state_count; s++) {
            const elm_tensor *state = &graph->states[layer->state[s]];
            layer->running[s] = state->data;
            for (int64_t i = 0; i < state->count; i++)
                state->data[i] = s; /* mean 0, variance 1 */
        }
    }
    return 0;
}

static int allocate_activations(elm_net *net, bool training, elm_error *err)
{
    const size_t images = net->max_images, width = net->embeddings->channels;
    net->logits = elm_alloc(images * net->classes, sizeof(float), err);
    net->logits_gradient =
        net->logits ? elm_alloc(images * net->classes, sizeof(float), err) : NULL;
    net->embeddings_gradient =
        net->logits_gradient ? elm_alloc(images * width, sizeof(float), err) : NULL;
    if (!net->embeddings_gradient)
        return -1;
    if (net->fc_bias < 0 &&
        elm_cosine_create(&net->cosine, net->max_images, (int)width, net->classes, err))
        return -1;
    if (net->fc_scale >= 0 &&
        !(net->unscaled = elm_alloc(images * net->classes, sizeof(float), err)))
        return -1;
    if (elm_plan_create(&net->plan, &net->graph, net->embeddings,
                        training ? net->embeddings_gradient : NULL, net->max_images, err))
        return -1;
    return elm_plan_allocate(net->plan, err);
}

static int prepare_layers(elm_net *net, elm_error *err)
{
    const elm_capacity capacity = elm_norm_scope_capacity(net->scope, net->max_images, net->ranks);
    net->segments = elm_alloc(capacity.segments, sizeof *net->segments, err);
    net->shared_groups =
        net->segments ? elm_alloc(capacity.shared, sizeof *net->shared_groups, err) : NULL;
    if (!net->shared_groups)
        return -1;
    for (int l = 0; l < net->graph.layer_count; l++)
        if (net->graph.layers[l].kind->prepare(&net->graph.layers[l], &capacity, err))
            return -1;
    return 0;
}

int elm_net_create(elm_net **out, const elm_net_spec *spec, elm_error *err)
{
    elm_net *net = elm_alloc(1, sizeof *net, err);
    if (!net)
        return -1;
    net->classes = spec->classes;
    net->ranks = spec->ranks > 1 ? spec->ranks : 1;
    net->max_images = spec->max_images > 0 ? spec->max_images : 1;
    net->reducer = spec->reducer;
    if (elm_norm_scope_parse(spec->model->bn, &net->scope, err) || build_graph(net, spec, err) ||
        allocate_parameters(net, spec->seed, err) ||
        allocate_activations(net, spec->max_batch > 0 && elm_net_backbone_learns(net), err) ||
        prepare_layers(net, err)) {
        elm_net_destroy(net);
        return -1;
    }
    elm_net_weights_changed(net);
    *out = net;
    return 0;
}

elm_net_parameters elm_net_view(elm_net *net)
{
    const elm_graph *graph = &net->graph;
    return (elm_net_parameters){
        .count = graph->parameter_count,
        .tensors = graph->parameters,
        .is_norm = graph->is_norm,
        .weights = net->weights,
        .gradients = net->gradients,
        .size = net->size,
        .trainable_first = net->train == ELM_TRAIN_CLASSIFIER ? net->fc_weight
                           : net->train == ELM_TRAIN_SCALE    ? net->fc_scale
                                                              : 0,
        .learn_end = net->train == ELM_TRAIN_BACKBONE ? net->fc_weight : graph->parameter_count,
        .state_count = graph->state_count,
        .state_tensors = graph->states,
        .state = net->state,
        .state_size = net->state_size,
    };
}

const elm_graph *elm_net_graph(const elm_net *net)
{
    return &net->graph;
}

void elm_net_weights_changed(elm_net *net)
{
    for (int l = 0; l < net->graph.layer_count; l++)
        if (net->graph.layers[l].kind->weights_changed)
            net->graph.layers[l].kind->weights_changed(&net->graph.layers[l]);
}

void elm_net_set_timeline(elm_net *net, elm_timeline *timeline)
{
    net->timeline = timeline;
}

int elm_net_width(const elm_net *net)
{
    return net->embeddings->channels;
}

int elm_net_classes(const elm_net *net)
{
    return net->classes;
}

const char *elm_net_backend(const elm_net *net)
{
    return net->graph.backend->name;
}

elm_layout elm_net_layout(const elm_net *net)
{
    const int block = net->graph.block;
    return block == ELM_BLOCK_ALL ? ELM_LAYOUT_NHWC
           : block == 1           ? ELM_LAYOUT_NCHW
                                  : ELM_LAYOUT_BLOCKED;
}

double elm_net_training_flops(const elm_net *net)
{
    return net->graph.layer_flops + 3 * 2.0 * net->embeddings->channels * net->classes;
}

bool elm_net_state_differs(const elm_net *net)
{
    return net->ranks > 1 && net->scope.kind != ELM_NORM_GLOBAL && elm_net_backbone_learns(net);
}
