#include "elmpi/net.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "nn/batchnorm_scope.h"
#include "nn/graph.h"
#include "nn/init.h"
#include "nn/layers/cosine.h"
#include "nn/layers/linear_gemm.h"
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
    elm_timeline *timeline; /* NULL: nobody wants to know */
};

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

static bool backbone_learns(const elm_net *net)
{
    return net->train == ELM_TRAIN_ALL || net->train == ELM_TRAIN_BACKBONE;
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
        allocate_activations(net, spec->max_batch > 0 && backbone_learns(net), err) ||
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
        .learn_first = net->train == ELM_TRAIN_CLASSIFIER ? net->fc_weight
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

static void begin_pass(elm_net *net, elm_share share, bool training)
{
    elm_pass *pass = &net->pass;
    *pass = (elm_pass){.images = share.local,
                       .training = training,
                       .segments = net->segments,
                       .share = share,
                       .reducer = &net->reducer};
    if (training) {
        pass->segment_count = elm_norm_scope_segments(net->scope, share, net->segments,
                                                      net->shared_groups, &pass->shared_count);
        return;
    }
    net->segments[0] = (elm_segment){0, share.local, -1};
    pass->segment_count = 1;
}

void elm_net_set_timeline(elm_net *net, elm_timeline *timeline)
{
    net->timeline = timeline;
}

/* Runs one of the layer's functions and says so. */
static void run_layer(const elm_net *net, elm_layer *layer,
                      void (*run)(elm_layer *layer, const elm_pass *pass), const char *part,
                      int passes)
{
    const double begin = elm_timeline_now(net->timeline);
    run(layer, &net->pass);
    const double images = net->pass.images;
    const double bytes =
        images * (double)(elm_value_image(layer->output) * elm_format_size(layer->output->format));
    elm_timeline_add(
        net->timeline,
        (elm_event){.name = layer->kind->name,
                    .part = part,
                    .begin = begin,
                    .end = elm_timeline_now(net->timeline),
                    .flops = images * layer->flops,
                    .bytes = passes ? (passes + (layer->residual != NULL)) * bytes : 0});
}

const float *elm_net_embed_all(elm_net *net, const float *input, elm_share share, bool training)
{
    begin_pass(net, share, training && backbone_learns(net));
    net->input->data = net->input->recalled = (float *)input; /* layers only read it */
    for (int l = 0; l < net->graph.layer_count; l++) {
        elm_layer *layer = &net->graph.layers[l];
        if (share.local || layer->kind->collective)
            run_layer(net, layer, layer->kind->forward, "forward", layer->kind->passes.forward);
    }
    return net->embeddings->data;
}

static void scale_logits(elm_net *net)
{
    const float *scale = net->graph.parameters[net->fc_scale].data;
    const size_t classes = net->classes, count = net->pass.images * classes;
    memcpy(net->unscaled, net->logits, count * sizeof *net->logits);
    for (size_t i = 0; i < count; i++)
        net->logits[i] = scale[i % classes] * net->unscaled[i];
}

/* One sum over the images for each class, in their order. */
static void scale_gradient(elm_net *net)
{
    float *gradient = net->gradients + net->graph.parameters[net->fc_scale].offset;
    for (int c = 0; c < net->classes; c++) {
        double sum = 0;
        for (int i = 0; i < net->pass.images; i++)
            sum += (double)net->logits_gradient[(size_t)i * net->classes + c] *
                   net->unscaled[(size_t)i * net->classes + c];
        gradient[c] = (float)sum;
    }
}

const float *elm_net_classify(elm_net *net)
{
    const size_t images = net->pass.images, width = net->embeddings->channels;
    const float *weight = net->graph.parameters[net->fc_weight].data;
    if (net->cosine)
        elm_cosine_forward(net->cosine, net->embeddings->data, weight, net->logits, (int)images);
    else
        elm_linear_forward(net->embeddings->data, weight, net->graph.parameters[net->fc_bias].data,
                           net->logits, (int)images, (int)width, net->classes);
    if (net->fc_scale >= 0)
        scale_logits(net);
    memset(net->logits_gradient, 0, images * net->classes * sizeof *net->logits_gradient);
    memset(net->embeddings_gradient, 0, images * width * sizeof *net->embeddings_gradient);
    return net->logits;
}

float *elm_net_logits_gradient(elm_net *net)
{
    return net->logits_gradient;
}

float *elm_net_embeddings_gradient(elm_net *net)
{
    return net->embeddings_gradient;
}

static void classifier_backward(elm_net *net)
{
    const elm_tensor *weight = &net->graph.parameters[net->fc_weight];
    float *weight_gradient = net->gradients + weight->offset;
    const int images = net->pass.images, width = net->embeddings->channels;
    if (net->cosine) {
        elm_cosine_backward(net->cosine, net->logits_gradient, weight_gradient,
                            net->embeddings_gradient, images);
        return;
    }
    elm_linear_weight_gradients(net->embeddings->data, net->logits_gradient, weight_gradient,
                                net->gradients + net->graph.parameters[net->fc_bias].offset, images,
                                width, net->classes);
    elm_linear_data_gradient(net->logits_gradient, weight->data, net->embeddings_gradient, images,
                             width, net->classes, 1);
}

/* Tells the watcher that everything from the layer's first parameter on is final, and lets it
 * move its messages on. */
static void announce(const elm_net *net, const elm_net_watch *watch, int first_parameter)
{
    if (!watch)
        return;
    if (first_parameter >= 0)
        watch->gradients_final(watch->context, net->graph.parameters[first_parameter].offset);
    watch->poll(watch->context);
}

static void backward_layer(const elm_net *net, elm_layer *layer, const elm_net_watch *watch)
{
    const elm_layer_kind *kind = layer->kind;
    const bool called = net->pass.images || kind->collective;
    if (called)
        run_layer(net, layer, kind->backward, kind->backward_input ? "weights" : "backward",
                  kind->passes.backward);
    announce(net, watch, layer->parameter_count ? layer->parameter[0] : -1);
    if (called && kind->backward_input && layer->input_gradient)
        run_layer(net, layer, kind->backward_input, "data", 0);
}

void elm_net_backward_all(elm_net *net, const elm_net_watch *watch)
{
    const elm_pass *pass = &net->pass;
    if (net->train == ELM_TRAIN_SCALE) {
        scale_gradient(net);
        announce(net, watch, net->fc_scale);
        return;
    }
    if (!pass->images) /* layers that are not called leave no gradient */
        memset(net->gradients, 0, (size_t)net->size * sizeof *net->gradients);
    classifier_backward(net);
    announce(net, watch, net->fc_weight);
    if (!backbone_learns(net))
        return;
    for (int l = net->graph.layer_count - 1, r = 0; l >= 0; l--) {
        elm_layer *layer = &net->graph.layers[l];
        for (; r < net->plan->rebuild_count && net->plan->rebuilds[r].before == l; r++) {
            elm_layer *producer = &net->graph.layers[net->plan->rebuilds[r].layer];
            run_layer(net, producer, producer->kind->rebuild, "rebuild",
                      producer->kind->passes.rebuild);
        }
        backward_layer(net, layer, watch);
    }
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
    return net->ranks > 1 && net->scope.kind != ELM_NORM_GLOBAL && backbone_learns(net);
}

int elm_net_resolve_precision(elm_precision precision, const char *backend, elm_precision *resolved,
                              elm_error *err)
{
    const elm_backend *b = elm_backend_find(backend, err);
    const bool automatic = precision == ELM_PRECISION_AUTO;
    if (!b)
        return -1;
    *resolved = precision == ELM_PRECISION_FP32 ? ELM_PRECISION_FP32 : ELM_PRECISION_BF16;
    if (*resolved == ELM_PRECISION_FP32 || !b->check_format(ELM_BF16, automatic ? NULL : err))
        return 0;
    *resolved = ELM_PRECISION_FP32;
    return automatic ? 0 : -1;
}

const char *elm_net_resolve_backend(const char *name, elm_error *err)
{
    const elm_backend *backend = elm_backend_find(name, err);
    return backend ? backend->name : NULL;
}

/* OpenBLAS has a part in every network: the last layer. */
void elm_net_describe(const elm_net *net, char *text, size_t size_bytes)
{
    char own[ELM_VERSION_SIZE], openblas[ELM_VERSION_SIZE];
    const bool both = net->graph.backend != &elm_backend_openblas;
    snprintf(text, size_bytes, "%s%s%s", both ? net->graph.backend->version(own) : "",
             both ? ", " : "", elm_backend_openblas.version(openblas));
}

void elm_net_cpu_names(char *onednn, size_t onednn_bytes, char *openblas, size_t openblas_bytes)
{
    const elm_backend *fastest = elm_backend_find("auto", NULL);
    snprintf(onednn, onednn_bytes, "%s", fastest != &elm_backend_openblas ? fastest->cpu() : "");
    snprintf(openblas, openblas_bytes, "%s", elm_backend_openblas.cpu());
}

void elm_net_cpu(char *text, size_t size_bytes)
{
    char onednn[ELM_VERSION_SIZE], openblas[ELM_VERSION_SIZE];
    elm_net_cpu_names(onednn, sizeof onednn, openblas, sizeof openblas);
    snprintf(text, size_bytes, "%s%s%sOpenBLAS for %s", *onednn ? "oneDNN for " : "", onednn,
             *onednn ? ", " : "", openblas);
}

void elm_net_implementation(const elm_net *net, char *text, size_t size_bytes)
{
    char name[ELM_VERSION_SIZE], other[ELM_VERSION_SIZE];
    double most = 0;
    snprintf(text, size_bytes, "%s", "");
    for (int l = 0; l < net->graph.layer_count; l++) {
        const elm_layer *layer = &net->graph.layers[l];
        if (layer->kind != &elm_conv_layer)
            continue;
        layer->backend->implementation(layer->own, name);
        double flops = 0;
        for (int o = 0; o < net->graph.layer_count; o++) {
            const elm_layer *like = &net->graph.layers[o];
            if (like->kind == &elm_conv_layer &&
                !strcmp(like->backend->implementation(like->own, other), name))
                flops += like->flops;
        }
        if (flops > most)
            snprintf(text, size_bytes, "%s", name);
        most = flops > most ? flops : most;
    }
}

int elm_net_check_backend(const char *name, elm_error *err)
{
    return elm_backend_find(name, err) ? 0 : -1;
}
