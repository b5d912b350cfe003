#include "nn/plan.h"

#include <stdlib.h>

#include "elmpi/memory.h"

enum { NOWHERE = -1, BUFFERS_PER_VALUE = 2 + ELM_CONTRIBUTIONS_MAX, LINE = ELM_ALIGNMENT };

typedef struct buffer {
    size_t size, offset; /* bytes */
    int first, last;     /* ticks in which it is alive */
    void *outside;       /* memory that is not the arena's, or NULL */
} buffer;

/* A value's producer and its buffers, by number. */
typedef struct place {
    int producer; /* layer; NOWHERE for the images */
    bool wanted;  /* by some layer's backward pass */
    bool rebuilt; /* for the backward pass; else its data are kept */
    int data, recalled, gradient[ELM_CONTRIBUTIONS_MAX];
} place;

typedef struct elm_plan_draft {
    elm_graph *graph;
    size_t images;
    place places[ELM_GRAPH_VALUES];
    int input_gradient[ELM_GRAPH_LAYERS];
    buffer buffers[ELM_GRAPH_VALUES * BUFFERS_PER_VALUE];
    int buffer_count;
} draft;

static place *place_of(draft *d, const elm_value *value)
{
    return &d->places[value - d->graph->values];
}

static int forward_tick(int layer)
{
    return layer;
}

static int backward_tick(const draft *d, int layer)
{
    return 2 * d->graph->layer_count - 1 - layer;
}

/* A buffer for the value, alive from this tick on. */
static int add_buffer(draft *d, const elm_value *value, int tick)
{
    const size_t bytes = d->images * elm_value_image(value) * elm_format_size(value->format);
    d->buffers[d->buffer_count] =
        (buffer){.size = (bytes + LINE - 1) / LINE * LINE, .first = tick, .last = tick};
    return d->buffer_count++;
}

static unsigned reads(const elm_layer *layer)
{
    return layer->kind->backward_reads ? layer->kind->backward_reads(layer) : 0;
}

/* A norm layer's output is rebuilt when that takes one pass and frees something: without a
 * residual, or with one that is there anyway or needs nothing but its own producer's input. */
static bool worth_rebuilding(draft *d, const elm_layer *layer)
{
    if (!layer->kind->rebuild)
        return false;
    if (!layer->residual)
        return true;
    const place *residual = place_of(d, layer->residual);
    return residual->rebuilt ? !d->graph->layers[residual->producer].residual : residual->wanted;
}

static void choose_rebuilt(draft *d)
{
    for (int l = 0; l < d->graph->layer_count; l++) {
        const elm_layer *layer = &d->graph->layers[l];
        place_of(d, layer->input)->wanted |= (reads(layer) & ELM_READS_INPUT) != 0;
        place_of(d, layer->output)->wanted |= (reads(layer) & ELM_READS_OUTPUT) != 0;
    }
    for (int l = 0; l < d->graph->layer_count; l++)
        place_of(d, d->graph->layers[l].output)->rebuilt =
            worth_rebuilding(d, &d->graph->layers[l]);
}

static void keep_until(draft *d, int number, int tick)
{
    buffer *b = &d->buffers[number];
    b->last = tick > b->last ? tick : b->last;
}

/* The images are the caller's, and stay. */
static void use_forward(draft *d, const elm_value *value, int tick)
{
    const place *p = place_of(d, value);
    if (p->producer != NOWHERE)
        keep_until(d, p->data, tick);
}

static void plan_forward(draft *d)
{
    for (int v = 0; v < d->graph->value_count; v++)
        d->places[v] = (place){.producer = NOWHERE, .data = NOWHERE, .recalled = NOWHERE};
    for (int l = 0; l < d->graph->layer_count; l++) {
        const elm_layer *layer = &d->graph->layers[l];
        d->input_gradient[l] = NOWHERE;
        use_forward(d, layer->input, forward_tick(l));
        if (layer->residual)
            use_forward(d, layer->residual, forward_tick(l));
        place *out = place_of(d, layer->output);
        out->producer = l;
        out->data = add_buffer(d, layer->output, forward_tick(l));
    }
}

/* Layer `by` needs the value in its backward pass, for itself or to rebuild another. */
static void recall(elm_plan *plan, const elm_value *value, int by)
{
    draft *d = plan->draft;
    place *p = place_of(d, value);
    if (p->producer == NOWHERE)
        return;
    if (p->recalled == NOWHERE && !p->rebuilt)
        p->recalled = p->data;
    if (p->recalled == NOWHERE) {
        const elm_layer *producer = &d->graph->layers[p->producer];
        recall(plan, producer->input, by);
        if (producer->residual)
            recall(plan, producer->residual, by);
        p->recalled = add_buffer(d, value, backward_tick(d, by));
        plan->rebuilds[plan->rebuild_count++] = (elm_rebuild){by, p->producer};
    }
    keep_until(d, p->recalled, backward_tick(d, by));
}

static int contribute(draft *d, elm_value *value, int number, elm_error *err)
{
    if (value->contributions == ELM_CONTRIBUTIONS_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "a value has more than %d consumers (model): a copy layer is needed",
                             ELM_CONTRIBUTIONS_MAX);
    place_of(d, value)->gradient[value->contributions++] = number;
    return 0;
}

/* Where a layer's backward pass leaves its gradients. Layers that work in place hand on what
 * they read: the residual gets the first contribution, the input the next; there is a new buffer
 * when none is left. */
static int plan_gradients(draft *d, int l, elm_error *err)
{
    elm_layer *layer = &d->graph->layers[l];
    elm_value *in = layer->input, *out = layer->output;
    const place *p = place_of(d, out);
    if (out->contributions > layer->kind->contributions)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "a %s layer's output has %d consumers (model): it can add the gradients of %d",
            layer->kind->name, out->contributions, layer->kind->contributions);
    for (int c = 0; c < out->contributions; c++)
        keep_until(d, p->gradient[c], backward_tick(d, l));
    int handed_on = 0;
    if (layer->residual && contribute(d, layer->residual, p->gradient[handed_on++], err))
        return -1;
    if (!in->wants_gradient)
        return 0;
    const bool reuse = layer->kind->in_place_gradient && handed_on < out->contributions;
    d->input_gradient[l] = reuse ? p->gradient[handed_on] : add_buffer(d, in, backward_tick(d, l));
    return contribute(d, in, d->input_gradient[l], err);
}

static int plan_backward(elm_plan *plan, elm_value *embeddings, float *embeddings_gradient,
                         elm_error *err)
{
    draft *d = plan->draft;
    const int outside = add_buffer(d, embeddings, 0);
    d->buffers[outside].outside = embeddings_gradient;
    if (contribute(d, embeddings, outside, err))
        return -1;
    choose_rebuilt(d);
    for (int l = d->graph->layer_count - 1; l >= 0; l--) {
        const elm_layer *layer = &d->graph->layers[l];
        if (reads(layer) & ELM_READS_INPUT)
            recall(plan, layer->input, l);
        if (reads(layer) & ELM_READS_OUTPUT)
            recall(plan, layer->output, l);
        if (plan_gradients(d, l, err))
            return -1;
    }
    return 0;
}

static int largest_first(const void *a, const void *b)
{
    const buffer *x = *(buffer *const *)a, *y = *(buffer *const *)b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : (x > y) - (x < y);
}

/* The lowest offset at which the buffer meets none that lives when it does. `placed` is sorted
 * by offset. */
static size_t find_offset(const buffer *b, buffer *const *placed, int count)
{
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        const buffer *other = placed[i];
        if (other->last < b->first || b->last < other->first)
            continue;
        if (other->offset >= offset + b->size)
            return offset; /* a gap before it */
        if (other->offset + other->size > offset)
            offset = other->offset + other->size;
    }
    return offset;
}

/* Packs the buffers into one arena, largest first, each at the lowest offset that is free all
 * its life: a known heuristic for this problem (interval coloring with sizes, which is
 * NP-hard), and on the ResNets within a few per cent of the most that is alive at once. */
static int pack(elm_plan *plan, elm_error *err)
{
    draft *d = plan->draft;
    buffer **order = elm_alloc((size_t)d->buffer_count * 2, sizeof *order, err);
    if (!order)
        return -1;
    buffer **placed = order + d->buffer_count;
    int count = 0, placed_count = 0;
    for (int b = 0; b < d->buffer_count; b++)
        if (!d->buffers[b].outside)
            order[count++] = &d->buffers[b];
    qsort(order, (size_t)count, sizeof *order, largest_first);
    for (int i = 0; i < count; i++) {
        buffer *b = order[i];
        b->offset = find_offset(b, placed, placed_count);
        if (b->offset + b->size > plan->size)
            plan->size = b->offset + b->size;
        int at = placed_count++;
        for (; at > 0 && placed[at - 1]->offset > b->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = b;
    }
    elm_free(order);
    return 0;
}

int elm_plan_create(elm_plan **out, elm_graph *graph, elm_value *embeddings,
                    float *embeddings_gradient, int max_images, elm_error *err)
{
    elm_plan *plan = elm_alloc(1, sizeof *plan, err);
    draft *d = plan ? elm_alloc(1, sizeof *d, err) : NULL;
    if (!d)
        goto fail;
    plan->draft = d;
    d->graph = graph;
    d->images = (size_t)max_images;
    plan_forward(d);
    use_forward(d, embeddings, backward_tick(d, 0));
    if ((embeddings_gradient && plan_backward(plan, embeddings, embeddings_gradient, err)) ||
        pack(plan, err))
        goto fail;
    *out = plan;
    return 0;
fail:
    elm_plan_destroy(plan);
    return -1;
}

static void *memory_of(const elm_plan *plan, int number)
{
    if (number == NOWHERE)
        return NULL;
    const buffer *b = &plan->draft->buffers[number];
    return b->outside ? b->outside : plan->arena + b->offset;
}

int elm_plan_allocate(elm_plan *plan, elm_error *err)
{
    draft *d = plan->draft;
    plan->arena = elm_alloc(plan->size, sizeof *plan->arena, err);
    if (!plan->arena)
        return -1;
    for (int v = 0; v < d->graph->value_count; v++) {
        elm_value *value = &d->graph->values[v];
        value->data = memory_of(plan, d->places[v].data);
        value->recalled = memory_of(plan, d->places[v].recalled);
        for (int c = 0; c < value->contributions; c++)
            value->gradient[c] = memory_of(plan, d->places[v].gradient[c]);
    }
    for (int l = 0; l < d->graph->layer_count; l++)
        d->graph->layers[l].input_gradient = memory_of(plan, d->input_gradient[l]);
    elm_free(d);
    plan->draft = NULL;
    return 0;
}

void elm_plan_destroy(elm_plan *plan)
{
    if (!plan)
        return;
    elm_free(plan->arena);
    elm_free(plan->draft);
    elm_free(plan);
}
