/* Times a network's layers without the network: each distinct layer once, with its own shapes,
 * in the order of the network, so that what a layer reads has been pushed out of the nearer
 * caches by others, as in a training step. Buffers are shared by all layers. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/process/clock.h"
#include "elmpi/choice.h"
#include "elmpi/memory.h"
#include "nn/graph.h"

enum { FEWEST = 3, SWEEPS = 8, PARTS = 4, BUFFERS = 7, PARAMETERS = BUFFERS - 1 };

/* after which no further sweep begins, when there were a few */
static const double seconds_enough = 1.5;
/* after which nothing further begins: a machine that busy cannot be measured better */
static const double seconds_most = 8;
/* of a sweep: what is measured on large networks is a part of the images */
static const double flops_a_thread = 9e9;
/* Times the quickest, from where on a candidate is not swept again, or not even once to the end:
 * reference kernels may take minutes. */
static const double hopeless = 2.5, endless = 8, endless_seconds = 0.5;

/* Memory that all layers of all candidates in one format share. */
typedef struct shared_memory {
    void *buffer[BUFFERS]; /* x, residual, y, two gradients of y, dx; parameters */
    size_t parameters;     /* of the largest tensor */
    float *states[2];
} shared_memory;

/* A candidate being measured. */
typedef struct meter {
    elm_graph *graph;
    shared_memory *pool;
    /* how often a layer with these shapes occurs; 0: an earlier one stands for it */
    int times[ELM_GRAPH_LAYERS];
    bool prepared[ELM_GRAPH_LAYERS];
    double best[ELM_GRAPH_LAYERS][PARTS];
    elm_segment segment;
    elm_pass pass;
    bool training, dropped;
} meter;

static void pool_release(shared_memory *p)
{
    for (int b = 0; b < BUFFERS; b++)
        elm_free(p->buffer[b]);
    for (int s = 0; s < 2; s++)
        elm_free(p->states[s]);
}

static void meter_destroy(meter *m)
{
    if (!m)
        return;
    for (int l = 0; m->graph && l < m->graph->layer_count; l++)
        if (m->prepared[l])
            m->graph->layers[l].kind->release(&m->graph->layers[l]);
    if (m->graph && m->graph->backend)
        m->graph->backend->close(m->graph->engine);
    elm_free(m->graph);
    elm_free(m);
}

static bool same_value(const elm_value *a, const elm_value *b)
{
    return a->channels == b->channels && a->height == b->height && a->width == b->width &&
           a->block == b->block && a->format == b->format && a->wants_gradient == b->wants_gradient;
}

static bool same_work(const elm_layer *a, const elm_layer *b)
{
    return a->kind == b->kind && same_value(a->input, b->input) &&
           same_value(a->output, b->output) && a->relu == b->relu && a->kernel == b->kernel &&
           a->stride == b->stride && a->padding == b->padding &&
           a->padding_after == b->padding_after && !a->residual == !b->residual &&
           a->output->contributions == b->output->contributions;
}

/* Consumers of each value, as the plan counts them, and which layers stand for which. */
static void find_distinct(meter *m)
{
    elm_graph *g = m->graph;
    for (int l = 0; l < g->layer_count; l++) {
        g->layers[l].input->contributions++;
        if (g->layers[l].residual)
            g->layers[l].residual->contributions++;
    }
    for (int l = 0; l < g->layer_count; l++) {
        int first = 0;
        while (!same_work(&g->layers[first], &g->layers[l]))
            first++;
        m->times[first]++;
    }
}

static bool has_convolutions(const elm_graph *graph)
{
    for (int l = 0; l < graph->layer_count; l++)
        if (graph->layers[l].kind == &elm_conv_layer)
            return true;
    return false;
}

/* The same for every candidate: it follows from the network and the threads alone. */
static int images_of(const meter *m, int most)
{
    double flops = 0;
    for (int l = 0; l < m->graph->layer_count; l++)
        if (m->times[l])
            flops += m->graph->layers[l].flops * (m->training ? 3 : 1);
    const int threads = omp_get_max_threads();
    const double fit = flops > 0 ? flops_a_thread * threads / flops : most;
    if (fit >= most)
        return most;
    const int even = (int)fit / threads * threads; /* no thread waits for another's last image */
    return even ? even : most < threads ? most : threads;
}

/* Random numbers in a format: real activations are no zeros. */
static void fill(void *array, size_t count, elm_format format)
{
    uint32_t state = 12345;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        elm_write(array, i, (float)(int32_t)state * 0x1p-31f, format);
    }
}

static int pool_fill(shared_memory *pool, const elm_graph *g, int images, elm_error *err)
{
    size_t most = 0, channels = 1;
    pool->parameters = 1;
    for (int v = 0; v < g->value_count; v++) {
        const size_t numbers = (size_t)images * elm_value_image(&g->values[v]);
        most = numbers > most ? numbers : most;
        channels =
            (size_t)g->values[v].channels > channels ? (size_t)g->values[v].channels : channels;
    }
    for (int p = 0; p < g->parameter_count; p++)
        pool->parameters = (size_t)g->parameters[p].count > pool->parameters
                               ? (size_t)g->parameters[p].count
                               : pool->parameters;
    for (int b = 0; b < BUFFERS; b++) {
        const size_t count = b == PARAMETERS ? 4 * pool->parameters : most;
        pool->buffer[b] = elm_alloc(count, sizeof(float), err);
        if (!pool->buffer[b])
            return -1;
        fill(pool->buffer[b], count, b == PARAMETERS ? ELM_FP32 : g->format);
    }
    for (int s = 0; s < 2; s++) {
        pool->states[s] = elm_alloc(channels, sizeof(float), err);
        for (size_t k = 0; pool->states[s] && k < channels; k++)
            pool->states[s][k] = (float)s; /* mean 0, variance 1 */
    }
    return pool->states[0] && pool->states[1] ? 0 : -1;
}

/* Points a layer and its values to the shared buffers. */
static void attach(const meter *m, elm_layer *layer)
{
    elm_value *in = layer->input, *out = layer->output;
    void *const *buffer = m->pool->buffer;
    in->data = in->recalled = buffer[0];
    if (layer->residual)
        layer->residual->data = layer->residual->recalled = buffer[1];
    out->data = out->recalled = buffer[2];
    out->gradient[0] = buffer[3];
    out->gradient[1] = buffer[4];
    layer->input_gradient = NULL;
    if (in->wants_gradient)
        layer->input_gradient =
            layer->kind->in_place_gradient && !layer->residual ? buffer[3] : buffer[5];
    float *parameters = buffer[PARAMETERS];
    for (int p = 0; p < 2; p++) { /* what is measured learns: nothing is folded */
        layer->weight[p] = parameters + p * m->pool->parameters;
        layer->weight_gradient[p] = parameters + (p + 2) * m->pool->parameters;
        layer->running[p] = m->pool->states[p];
    }
}

/* One pass of a layer, if there is one; returns its seconds. */
static double time_pass(const meter *m, elm_layer *layer,
                        void (*run)(elm_layer *layer, const elm_pass *pass))
{
    if (!run)
        return 0;
    const double begin = elm_clock_seconds();
    run(layer, &m->pass);
    return elm_clock_seconds() - begin;
}

/* All passes of a layer. A network rebuilds the outputs of norms without a residual in the
 * backward pass, and few others. */
static void time_layer(meter *m, int l, double seconds[PARTS])
{
    elm_layer *layer = &m->graph->layers[l];
    const elm_layer_kind *kind = layer->kind;
    attach(m, layer);
    memset(seconds, 0, PARTS * sizeof *seconds);
    seconds[0] = time_pass(m, layer, kind->forward);
    if (!m->training)
        return;
    seconds[1] = layer->residual ? 0 : time_pass(m, layer, kind->rebuild);
    seconds[2] = time_pass(m, layer, kind->backward);
    seconds[3] = layer->input_gradient ? time_pass(m, layer, kind->backward_input) : 0;
}

/* Best times of every layer so far, as often as it occurs. */
static double total_of(const meter *m)
{
    double total = 0;
    for (int l = 0; l < m->graph->layer_count; l++)
        for (int p = 0; p < PARTS && m->times[l]; p++)
            total += m->times[l] * m->best[l][p];
    return total;
}

/* Times each distinct layer; gives up when the whole is bound to take longer than `limit`. */
static bool sweep(meter *m, int number, double limit)
{
    double total = 0;
    for (int l = 0; l < m->graph->layer_count; l++) {
        double seconds[PARTS];
        if (!m->times[l])
            continue;
        time_layer(m, l, seconds);
        for (int p = 0; p < PARTS; p++) {
            if (number <= 1 || seconds[p] < m->best[l][p])
                /* the first sweep warms up: its times serve as long as there are no others */
                m->best[l][p] = seconds[p];
            total += m->times[l] * m->best[l][p];
        }
        if (total > limit)
            return false;
    }
    return true;
}

static int prepare_layers(meter *m, int images, elm_error *err)
{
    const elm_capacity capacity = {images, 1, 1};
    for (int l = 0; l < m->graph->layer_count; l++) {
        elm_layer *layer = &m->graph->layers[l];
        if (!m->times[l])
            continue;
        attach(m, layer);
        m->prepared[l] = true;
        if (layer->kind->prepare(layer, &capacity, err))
            return -1;
        if (layer->kind->weights_changed)
            layer->kind->weights_changed(layer);
    }
    return 0;
}

/* Everything but the memory. */
static int meter_create(meter **out, const elm_candidate *candidate, const elm_net_spec *spec,
                        elm_error *err)
{
    meter *m = *out = elm_alloc(1, sizeof *m, err);
    elm_value *input, *embeddings;
    if (!m || !(m->graph = elm_alloc(1, sizeof *m->graph, err)))
        return -1;
    elm_net_spec as = *spec;
    as.backend = candidate->backend;
    as.layout = candidate->layout;
    as.precision = candidate->precision;
    m->training = spec->max_batch > 0 &&
                  (spec->model->train == ELM_TRAIN_ALL || spec->model->train == ELM_TRAIN_BACKBONE);
    if (elm_graph_build(m->graph, &as, &input, &embeddings, err))
        return -1;
    find_distinct(m);
    return 0;
}

static int meter_prepare(meter *m, shared_memory pools[], const elm_net_spec *spec, elm_error *err)
{
    const int images = images_of(m, spec->max_images > 0 ? spec->max_images : 1);
    m->pool = &pools[m->graph->format == ELM_BF16];
    m->segment = (elm_segment){0, images, -1};
    m->pass = (elm_pass){
        .images = images, .training = m->training, .segments = &m->segment, .segment_count = 1};
    if (!m->pool->states[1] && pool_fill(m->pool, m->graph, images, err))
        return -1;
    return prepare_layers(m, images, err);
}

/* A sweep over every candidate that is still in the race, in turn, so that whatever else the
 * machine does disturbs all of them alike. */
static void sweep_all(elm_candidate *list, meter *const *meters, int count, int number,
                      double begin)
{
    double quickest = INFINITY;
    for (int c = 0; c < count; c++) {
        meter *m = meters[c];
        if (!m || m->dropped)
            continue;
        if (elm_clock_seconds() - begin > seconds_most) {
            if (number == 0) { /* not even once, and others were */
                list[c].cut = m->dropped = true;
                list[c].seconds = INFINITY;
            }
            continue;
        }
        const double limit = endless * quickest * m->pass.images;
        m->dropped = list[c].cut =
            !sweep(m, number, number || limit < endless_seconds ? INFINITY : limit);
        list[c].seconds = total_of(m) / m->pass.images;
        quickest = list[c].seconds < quickest ? list[c].seconds : quickest;
    }
    for (int c = 0; number && c < count; c++)
        if (meters[c])
            meters[c]->dropped |= list[c].seconds > hopeless * quickest;
}

static void measure(elm_candidate *list, meter *const *meters, int count)
{
    const double begin = elm_clock_seconds();
    for (int s = 0; s < SWEEPS; s++) {
        const double passed = elm_clock_seconds() - begin;
        if (passed > (s < FEWEST ? seconds_most : seconds_enough))
            return;
        sweep_all(list, meters, count, s, begin);
    }
}

int elm_choice_measure(elm_candidate *list, int count, const elm_net_spec *spec, elm_error *err)
{
    meter *meters[ELM_CANDIDATES_MAX] = {0};
    shared_memory pools[2] = {0};
    int status = 0;
    bool convolutions = false;
    for (int c = 0; c < count && !status; c++)
        if (isfinite(list[c].seconds)) {
            status = meter_create(&meters[c], &list[c], spec, err);
            convolutions = !status && has_convolutions(meters[c]->graph);
            if (convolutions)
                status = meter_prepare(meters[c], pools, spec, err);
        }
    if (!status && convolutions)
        measure(list, meters, count);
    for (int c = 0; c < count; c++)
        meter_destroy(meters[c]);
    for (int p = 0; p < 2; p++)
        pool_release(&pools[p]);
    return status;
}
