#include "nn/plan.h"

#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"

enum { BUFFERS_MAX = ELM_GRAPH_VALUES };

struct elm_gradient_plan {
    struct {
        float *data;
        size_t size; /* floats */
        bool busy;
    } buffers[BUFFERS_MAX];
    int count;
};

/* The smallest free buffer that is large enough, or a new one. */
static float *acquire(elm_gradient_plan *plan, size_t size, elm_error *err)
{
    int best = -1;
    for (int b = 0; b < plan->count; b++)
        if (!plan->buffers[b].busy && plan->buffers[b].size >= size && (best < 0 || plan->buffers[b].size < plan->buffers[best].size))
            best = b;
    if (best < 0) {
        best = plan->count;
        plan->buffers[best].data = elm_alloc(size, sizeof(float), err);
        if (!plan->buffers[best].data)
            return NULL;
        plan->buffers[best].size = size;
        plan->count++;
    }
    plan->buffers[best].busy = true;
    return plan->buffers[best].data;
}

/* Buffers that are not the plan's own (the embeddings' gradient) are left alone. */
static void give_back(elm_gradient_plan *plan, const float *data)
{
    for (int b = 0; b < plan->count; b++)
        if (plan->buffers[b].data == data)
            plan->buffers[b].busy = false;
}

static int contribute(elm_value *value, float *buffer, elm_error *err)
{
    if (value->contributions == ELM_CONTRIBUTIONS_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE, "a value has more than %d consumers (model): a copy layer is needed",
                             ELM_CONTRIBUTIONS_MAX);
    value->gradient[value->contributions++] = buffer;
    return 0;
}

static int plan_layer(elm_gradient_plan *plan, elm_layer *layer, int max_images, elm_error *err)
{
    elm_value *out = layer->output, *in = layer->input;
    float *first = out->gradient[0];
    if (out->contributions > layer->kind->contributions)
        return elm_error_set(err, ELM_EXIT_FAILURE, "a %s layer's output has %d consumers (model): it can add the gradients of %d",
                             layer->kind->name, out->contributions, layer->kind->contributions);
    if (out->contributions > 1)
        give_back(plan, out->gradient[1]); /* read before the input's gradient is written */
    bool handed_on = false;
    if (layer->residual) {
        if (contribute(layer->residual, first, err))
            return -1;
        handed_on = true;
    }
    if (in->wants_gradient) {
        const bool reuse = layer->kind->in_place_gradient && !layer->residual;
        layer->input_gradient = reuse ? first : acquire(plan, elm_value_image(in) * max_images, err);
        if (!layer->input_gradient || contribute(in, layer->input_gradient, err))
            return -1;
        handed_on |= reuse;
    }
    if (!handed_on)
        give_back(plan, first);
    return 0;
}

int elm_gradient_plan_create(elm_gradient_plan **out, elm_graph *graph, elm_value *embeddings, float *embeddings_gradient, int max_images,
                             elm_error *err)
{
    elm_gradient_plan *plan = elm_alloc(1, sizeof *plan, err);
    if (!plan)
        return -1;
    embeddings->gradient[0] = embeddings_gradient;
    embeddings->contributions = 1;
    for (int l = graph->layer_count - 1; l >= 0; l--)
        if (plan_layer(plan, &graph->layers[l], max_images, err)) {
            elm_gradient_plan_destroy(plan);
            return -1;
        }
    *out = plan;
    return 0;
}

void elm_gradient_plan_destroy(elm_gradient_plan *plan)
{
    if (!plan)
        return;
    for (int b = 0; b < plan->count; b++)
        elm_free(plan->buffers[b].data);
    elm_free(plan);
}

int elm_norm_scope_parse(const char *text, elm_norm_scope *scope, elm_error *err)
{
    *scope = (elm_norm_scope){.kind = ELM_NORM_GLOBAL};
    if (!strcmp(text, "global"))
        return 0;
    scope->kind = ELM_NORM_RANK;
    if (!strcmp(text, "rank"))
        return 0;
    scope->kind = ELM_NORM_GROUP;
    char *end = NULL;
    if (!strncmp(text, "group:", 6)) {
        scope->group = strtoll(text + 6, &end, 10);
        if (end != text + 6 && !*end && scope->group >= 1)
            return 0;
    }
    return elm_error_set(err, ELM_EXIT_USAGE, "\"%s\" is no BatchNorm scope (model.bn): use global, rank or group:<images>", text);
}

elm_capacity elm_norm_scope_capacity(elm_norm_scope scope, int max_images, int ranks)
{
    const int borders = ranks > 1 ? ranks - 1 : 0;
    switch (scope.kind) {
    case ELM_NORM_GLOBAL:
        return (elm_capacity){max_images, 1, borders ? 1 : 0};
    case ELM_NORM_RANK:
        return (elm_capacity){max_images, 1, 0};
    default:
        return (elm_capacity){max_images, (int)(max_images / scope.group) + 2, borders};
    }
}

int elm_norm_scope_segments(elm_norm_scope scope, elm_share share, elm_segment *segments, int64_t *shared_groups, int *shared_count)
{
    *shared_count = 0;
    if (scope.kind == ELM_NORM_RANK) {
        segments[0] = (elm_segment){0, share.local, -1};
        return share.local ? 1 : 0;
    }
    const int64_t group = scope.kind == ELM_NORM_GLOBAL ? share.global : scope.group;
    if (scope.kind == ELM_NORM_GLOBAL && share.size > 1) /* shared whoever holds the images: ranks without any follow its statistics */
        shared_groups[(*shared_count)++] = 0;
    for (int r = 1; r < share.size && scope.kind == ELM_NORM_GROUP;
         r++) { /* a border between ranks inside a group makes that group shared */
        const int64_t border = elm_split_begin(share.global, share.size, r);
        const bool cuts = border > 0 && border < share.global && border % group;
        if (cuts && (!*shared_count || shared_groups[*shared_count - 1] != border / group))
            shared_groups[(*shared_count)++] = border / group;
    }
    int count = 0, next = 0;
    for (int64_t at = share.first; at < share.first + share.local; count++) {
        const int64_t end = (at / group + 1) * group, last = share.first + share.local;
        while (next < *shared_count && shared_groups[next] < at / group)
            next++;
        const bool shared = next < *shared_count && shared_groups[next] == at / group;
        segments[count] = (elm_segment){(int)(at - share.first), (int)((end < last ? end : last) - at), shared ? next : -1};
        at += segments[count].images;
    }
    return count;
}
