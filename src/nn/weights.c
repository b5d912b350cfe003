/* Weights by name: every tensor is checked before the first one is copied, so that a wrong
 * checkpoint leaves the network untouched. */
#include "nn/weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "model/";

/* What may stay as it was initialized. */
typedef struct allowance {
    bool classifier, scale;
} allowance;

static bool may_keep(allowance a, const char *name)
{
    return (a.classifier && strncmp(name, "fc.", 3) == 0) ||
           (a.scale && strcmp(name, "fc.scale") == 0);
}

/* The place of a parameter or state tensor in one sequence: parameters first. */
static const elm_tensor *net_tensor(const elm_net_parameters *view, int i)
{
    return i < view->count ? &view->tensors[i] : &view->state_tensors[i - view->count];
}

static const elm_tensor *find(const elm_tensor *tensors, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strncmp(tensors[i].name, prefix, sizeof prefix - 1) == 0 &&
            strcmp(tensors[i].name + sizeof prefix - 1, name) == 0)
            return &tensors[i];
    return NULL;
}

static void shape_text(const elm_tensor *tensor, char *text, size_t size_bytes)
{
    int used = snprintf(text, size_bytes, "[");
    for (int d = 0; d < tensor->dimensions && used < (int)size_bytes; d++)
        used += snprintf(text + used, size_bytes - (size_t)used, d > 0 ? " x %" PRId64 : "%" PRId64,
                         tensor->shape[d]);
    if (used < (int)size_bytes)
        snprintf(text + used, size_bytes - (size_t)used, "]");
}

/* What else helps where the last layer does not fit and the weights are for a run to begin with. */
static const char *remedy(allowance a, const char *name)
{
    return a.scale && strncmp(name, "fc.", 3) == 0
               ? ", or begin the last layer anew with run.new_classifier = true"
               : "";
}

static int check_shape(const elm_tensor *want, const elm_tensor *have, allowance allowed,
                       elm_error *err)
{
    bool equal = want->dimensions == have->dimensions && want->count == have->count;
    for (int d = 0; equal && d < want->dimensions; d++)
        equal = want->shape[d] == have->shape[d];
    if (equal)
        return 0;
    char wanted[128], given[128];
    shape_text(want, wanted, sizeof wanted);
    shape_text(have, given, sizeof given);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "the file's weights do not fit (%s is %s, the network needs %s): use them "
                         "with their own model, data set and number of classes%s",
                         have->name, given, wanted, remedy(allowed, want->name));
}

/* Every tensor of the network is there in its shape. */
static int check_complete(const elm_net_parameters *view, const elm_tensor *tensors, int count,
                          allowance allowed, elm_error *err)
{
    for (int i = 0; i < view->count + view->state_count; i++) {
        const elm_tensor *want = net_tensor(view, i);
        const elm_tensor *have = find(tensors, count, want->name);
        if (may_keep(allowed, want->name) && (have == NULL || allowed.classifier))
            continue;
        if (have == NULL)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "the file lacks a weight of the network (%s): use it with its own model%s",
                want->name, remedy(allowed, want->name));
        if (check_shape(want, have, allowed, err) != 0)
            return -1;
    }
    return 0;
}

/* Nothing under "model/" is left over: a deeper network's checkpoint would otherwise pass for a
 * shallower one's. */
static int check_known(const elm_net_parameters *view, const elm_tensor *tensors, int count,
                       allowance allowed, elm_error *err)
{
    for (int t = 0; t < count; t++) {
        if (strncmp(tensors[t].name, prefix, sizeof prefix - 1) != 0)
            continue;
        bool known = may_keep(allowed, tensors[t].name + sizeof prefix - 1);
        for (int i = 0; !known && i < view->count + view->state_count; i++)
            known = strcmp(tensors[t].name + sizeof prefix - 1, net_tensor(view, i)->name) == 0;
        if (!known)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "the file holds a weight that the network does not have (%s): use "
                                 "it with its own model",
                                 tensors[t].name);
    }
    return 0;
}

int elm_weights_count(elm_net *net)
{
    const elm_net_parameters view = elm_net_view(net);
    return view.count + view.state_count;
}

int elm_weights_export(elm_net *net, elm_tensor *tensors, elm_error *err)
{
    const elm_net_parameters view = elm_net_view(net);
    for (int i = 0; i < view.count + view.state_count; i++) {
        const elm_tensor *tensor = net_tensor(&view, i);
        tensors[i] = *tensor;
        const int length =
            snprintf(tensors[i].name, sizeof tensors[i].name, "%s%s", prefix, tensor->name);
        if (length >= (int)sizeof tensors[i].name)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "a weight's name is too long for a checkpoint (%s): shorten it to %d characters",
                tensor->name, (int)(sizeof tensors[i].name - sizeof prefix));
    }
    return 0;
}

static const elm_tensor *net_find(const elm_net_parameters *view, const char *name)
{
    for (int i = 0; i < view->count; i++)
        if (strcmp(view->tensors[i].name, name) == 0)
            return &view->tensors[i];
    return NULL;
}

/* The factors on the logits that the file has and the network lacks, NULL where there is nothing to
 * do.
 *  Errors: *status -1 where they do not fit */
static const elm_tensor *scale_to_fold(const elm_net_parameters *view, const elm_tensor *tensors,
                                       int count, allowance allowed, int *status, elm_error *err)
{
    const elm_tensor *scale = find(tensors, count, "fc.scale"),
                     *weight = net_find(view, "fc.weight");
    *status = 0;
    if (!allowed.scale || allowed.classifier || scale == NULL || weight == NULL ||
        net_find(view, "fc.scale") != NULL)
        return NULL;
    if (net_find(view, "fc.bias") == NULL) {
        *status = elm_error_set(
            err, ELM_EXIT_FAILURE,
            "the checkpoint holds factors on its logits (%s), which cosines cannot take into their "
            "weights: go on with "
            "model.train = scale, or begin the last layer anew with run.new_classifier = true",
            scale->name);
        return NULL;
    }
    const elm_tensor want = {
        .dimensions = 1, .shape = {weight->shape[0]}, .count = weight->shape[0]};
    *status = check_shape(&want, scale, allowed, err);
    return *status == 0 ? scale : NULL;
}

/* s (w x + b) = (s w) x + s b: a network without factors that predicts the same. */
static void fold_scale(const elm_net_parameters *view, const elm_tensor *scale)
{
    const elm_tensor *const folded[] = {net_find(view, "fc.weight"), net_find(view, "fc.bias")};
    for (size_t f = 0; f < sizeof folded / sizeof folded[0]; f++) {
        const int64_t row = folded[f]->count / scale->count;
        for (int64_t i = 0; i < folded[f]->count; i++)
            folded[f]->data[i] *= scale->data[i / row];
    }
}

static int load(elm_net *net, const elm_tensor *tensors, int count, allowance allowed,
                elm_error *err)
{
    const elm_net_parameters view = elm_net_view(net);
    const char *broken = elm_tensors_not_finite(tensors, count);
    if (check_complete(&view, tensors, count, allowed, err) != 0 ||
        check_known(&view, tensors, count, allowed, err) != 0)
        return -1;
    if (broken != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "%s holds NaN or infinite values (weights): the run that wrote them "
                             "had diverged, take an earlier checkpoint",
                             broken);
    int status;
    const elm_tensor *scale = scale_to_fold(&view, tensors, count, allowed, &status, err);
    if (status != 0)
        return -1;
    for (int i = 0; i < view.count + view.state_count; i++) {
        const elm_tensor *to = net_tensor(&view, i), *from = find(tensors, count, to->name);
        if (from != NULL && !(allowed.classifier && may_keep(allowed, to->name)))
            memcpy(to->data, from->data, (size_t)to->count * sizeof *to->data);
    }
    if (scale != NULL)
        fold_scale(&view, scale);
    elm_net_weights_changed(net);
    return 0;
}

int elm_weights_load(elm_net *net, const elm_tensor *tensors, int count, elm_error *err)
{
    return load(net, tensors, count, (allowance){false, false}, err);
}

int elm_weights_load_pretrained(elm_net *net, const elm_tensor *tensors, int count,
                                bool new_classifier, elm_error *err)
{
    return load(net, tensors, count, (allowance){new_classifier, true}, err);
}
