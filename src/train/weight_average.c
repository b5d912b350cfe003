#include "train/weight_average.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "elmpi/optim.h"

int elm_weight_average_create(elm_weight_average **average, elm_net *net, double decay,
                              elm_error *err)
{
    const elm_net_parameters view = elm_net_view(net);
    *average = NULL;
    if (decay == 0)
        return 0;
    elm_weight_average *a = elm_alloc(1, sizeof *a, err);
    if (!a)
        return -1;
    a->decay = decay;
    a->weights = elm_alloc((size_t)view.size, sizeof *a->weights, err);
    a->state = a->weights ? elm_alloc((size_t)view.state_size, sizeof *a->state, err) : NULL;
    if (!a->state) {
        elm_weight_average_destroy(a);
        return -1;
    }
    *average = a;
    return 0;
}

void elm_weight_average_destroy(elm_weight_average *a)
{
    if (!a)
        return;
    elm_free(a->weights);
    elm_free(a->state);
    elm_free(a);
}

void elm_weight_average_begin(elm_weight_average *a, elm_net *net)
{
    if (!a || a->begun)
        return;
    const elm_net_parameters view = elm_net_view(net);
    memcpy(a->weights, view.weights, (size_t)view.size * sizeof *a->weights);
    memcpy(a->state, view.state, (size_t)view.state_size * sizeof *a->state);
    a->begun = true;
}

void elm_weight_average_update(elm_weight_average *a, elm_net *net)
{
    if (!a)
        return;
    const elm_net_parameters view = elm_net_view(net);
    elm_average_update(a->decay, a->weights, view.weights, view.size);
    elm_average_update(a->decay, a->state, view.state, view.state_size);
}

static elm_tensor tensor_of(const elm_tensor *like, float *block)
{
    elm_tensor tensor = *like;
    snprintf(tensor.name, sizeof tensor.name, "ema/%.*s", (int)(sizeof tensor.name - sizeof "ema/"),
             like->name);
    tensor.data = block + like->offset;
    return tensor;
}

int elm_weight_average_tensors(elm_weight_average *a, elm_net *net, elm_tensor *tensors)
{
    if (!a)
        return 0;
    const elm_net_parameters view = elm_net_view(net);
    for (int p = 0; tensors && p < view.count; p++)
        tensors[p] = tensor_of(&view.tensors[p], a->weights);
    for (int s = 0; tensors && s < view.state_count; s++)
        tensors[view.count + s] = tensor_of(&view.state_tensors[s], a->state);
    return view.count + view.state_count;
}

void elm_weight_average_resume(elm_weight_average *a)
{
    if (a)
        a->begun = true;
}
