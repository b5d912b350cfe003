#include "nn/graph.h"

#include <stdio.h>
#include <string.h>

static elm_value *add_value(elm_graph *graph, int channels, int height, int width, int block,
                            elm_format format)
{
    if (graph->value_count == ELM_GRAPH_VALUES) {
        graph->failed = true;
        return &graph->values[0];
    }
    elm_value *value = &graph->values[graph->value_count++];
    *value = (elm_value){.channels = channels,
                         .height = height,
                         .width = width,
                         .block = block == ELM_BLOCK_ALL ? channels
                                  : channels % block     ? 1
                                                         : block,
                         .channels_last = block == ELM_BLOCK_ALL,
                         .format = format,
                         .wants_gradient = true};
    return value;
}

static elm_layer *add_layer(elm_graph *graph, const elm_layer_kind *kind, elm_value *input,
                            elm_value *output)
{
    if (graph->layer_count == ELM_GRAPH_LAYERS) {
        graph->failed = true;
        graph->layer_count--;
    }
    elm_layer *layer = &graph->layers[graph->layer_count++];
    *layer = (elm_layer){.kind = kind,
                         .input = input,
                         .output = output,
                         .backend = graph->backend,
                         .engine = graph->engine};
    return layer;
}

/* Names and shapes of a tensor; its offset is set when the block is laid out. */
static void name_tensor(elm_graph *graph, elm_tensor *tensor, const char *layer, const char *suffix,
                        int dimensions, const int64_t *shape)
{
    *tensor = (elm_tensor){.dimensions = dimensions, .count = 1};
    const int length = snprintf(tensor->name, sizeof tensor->name, "%s.%s", layer, suffix);
    graph->failed |= length >= (int)sizeof tensor->name;
    for (int d = 0; d < dimensions; d++) {
        tensor->shape[d] = shape[d];
        tensor->count *= shape[d];
    }
}

int elm_graph_parameter(elm_graph *graph, const char *layer, const char *suffix, int dimensions,
                        const int64_t *shape, elm_init init, int64_t fan_in)
{
    if (graph->parameter_count == ELM_GRAPH_PARAMETERS) {
        graph->failed = true;
        return 0;
    }
    const int place = graph->parameter_count++;
    name_tensor(graph, &graph->parameters[place], layer, suffix, dimensions, shape);
    graph->init[place] = init;
    graph->fan_in[place] = fan_in;
    return place;
}

const char *elm_graph_join(char buffer[ELM_NAME_SIZE], const char *block, const char *part)
{
    snprintf(buffer, ELM_NAME_SIZE, "%.60s.%.30s", block, part);
    return buffer;
}

int elm_graph_refuse_small(const elm_value *input, int smallest, const char *instead,
                           elm_error *err)
{
    if (input->height >= smallest && input->width >= smallest)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "images of %d x %d are too small for this network (model.name): use %s",
                         input->width, input->height, instead);
}

static void give_parameter(elm_layer *layer, int place)
{
    layer->parameter[layer->parameter_count++] = place;
}

elm_value *elm_graph_input(elm_graph *graph, int channels, int height, int width)
{
    elm_value *value = add_value(graph, channels, height, width, 1, ELM_FP32);
    value->wants_gradient = false;
    return value;
}

/* Places of a window that begins `before` pixels ahead of the image and may reach as far as
 * `after` pixels behind it. */
static int window_places(int side, int kernel, int stride, int before, int after)
{
    return (side + before + after - kernel) / stride + 1;
}

/* A layer that moves a square window over the image. */
static elm_layer *add_window(elm_graph *graph, const elm_layer_kind *kind, elm_value *x,
                             int channels, int kernel, int stride, int padding, int after)
{
    const int height = window_places(x->height, kernel, stride, padding, after);
    const int width = window_places(x->width, kernel, stride, padding, after);
    elm_layer *layer = add_layer(
        graph, kind, x, add_value(graph, channels, height, width, graph->block, graph->format));
    layer->kernel = kernel;
    layer->stride = stride;
    layer->padding = padding;
    layer->padding_after = after;
    return layer;
}

/* The value in the network's format, and channels last where its layout is so; other layouts
 * take an image's few channels as they are. */
static elm_value *cast(elm_graph *graph, elm_value *x)
{
    const bool last = graph->block == ELM_BLOCK_ALL;
    if (x->format == graph->format && x->channels_last == last)
        return x;
    elm_value *y = add_value(graph, x->channels, x->height, x->width,
                             last ? ELM_BLOCK_ALL : x->block, graph->format);
    y->wants_gradient = false; /* only images come in another format */
    add_layer(graph, elm_cast_layer(), x, y);
    return y;
}

/* How many numbers the initial distribution's variance counts. */
static int64_t conv_fan(const elm_graph *graph, int in_channels, int channels, int kernel)
{
    return (int64_t)(graph->conv_init == ELM_INIT_HE_TRUNCATED ? in_channels : channels) * kernel *
           kernel;
}

static elm_value *add_conv(elm_graph *graph, elm_value *x, const char *name, int channels,
                           int kernel, int stride, int padding, int after)
{
    x = cast(graph, x);
    /* the pixels that count first, then no strides: kernels are twice as fast so */
    if (kernel == 1 && padding == 0 && stride > 1) {
        x = elm_graph_shortcut_a(graph, x, x->channels, stride);
        stride = 1;
    }
    elm_layer *layer =
        add_window(graph, &elm_conv_layer, x, channels, kernel, stride, padding, after);
    elm_value *y = layer->output;
    const int64_t shape[] = {channels, x->channels, kernel, kernel};
    give_parameter(layer, elm_graph_parameter(graph, name, "weight", 4, shape, graph->conv_init,
                                              conv_fan(graph, x->channels, channels, kernel)));
    layer->flops = 2.0 * channels * y->height * y->width * x->channels * kernel * kernel;
    graph->layer_flops += layer->flops * (x->wants_gradient ? 3 : 2);
    return y;
}

elm_value *elm_graph_conv(elm_graph *graph, elm_value *x, const char *name, int channels,
                          int kernel, int stride, int padding)
{
    return add_conv(graph, x, name, channels, kernel, stride, padding, padding);
}

elm_value *elm_graph_conv_same(elm_graph *graph, elm_value *x, const char *name, int channels,
                               int kernel, int stride)
{
    /* pixels of the last window's first stride */
    const int left = x->height % stride, reached = left ? left : stride;
    const int padding = kernel > reached ? kernel - reached : 0;
    graph->failed |= x->height != x->width; /* one padding serves both directions */
    return add_conv(graph, x, name, channels, kernel, stride, padding / 2, padding - padding / 2);
}

elm_value *elm_graph_norm(elm_graph *graph, elm_value *x, const char *name, elm_value *residual,
                          bool relu)
{
    elm_value *y = add_value(graph, x->channels, x->height, x->width, graph->block, x->format);
    elm_layer *layer = add_layer(graph, elm_norm_layer(), x, y);
    layer->residual = residual;
    layer->relu = relu;
    const int64_t shape[] = {x->channels};
    const struct {
        const char *suffix;
        elm_init init;
    } parameters[] = {{"weight", residual && graph->zero_init_gamma ? ELM_INIT_ZERO : ELM_INIT_ONE},
                      {"bias", ELM_INIT_ZERO}};
    for (int p = 0; p < 2; p++) {
        const int place =
            elm_graph_parameter(graph, name, parameters[p].suffix, 1, shape, parameters[p].init, 1);
        graph->is_norm[place] = true;
        give_parameter(layer, place);
    }
    static const char *const states[] = {"running_mean", "running_var"};
    for (int s = 0; s < 2; s++) {
        layer->state[layer->state_count++] = graph->state_count;
        name_tensor(graph, &graph->states[graph->state_count++], name, states[s], 1, shape);
    }
    return y;
}

elm_value *elm_graph_shortcut_a(elm_graph *graph, elm_value *x, int channels, int stride)
{
    elm_value *y = add_value(graph, channels, (x->height + stride - 1) / stride,
                             (x->width + stride - 1) / stride, graph->block, x->format);
    add_layer(graph, elm_shortcut_a_layer(), x, y)->stride = stride;
    return y;
}

elm_value *elm_graph_maxpool(elm_graph *graph, elm_value *x, int kernel, int stride, int padding)
{
    return add_window(graph, elm_maxpool_layer(), x, x->channels, kernel, stride, padding, padding)
        ->output;
}

elm_value *elm_graph_pool(elm_graph *graph, elm_value *x)
{
    elm_value *y = add_value(graph, x->channels, 1, 1, 1, ELM_FP32);
    add_layer(graph, elm_pool_layer(), x, y);
    return y;
}

elm_value *elm_graph_linear(elm_graph *graph, elm_value *x, const char *name, int width, bool relu)
{
    elm_value *y = add_value(graph, width, 1, 1, 1, ELM_FP32);
    elm_layer *layer = add_layer(graph, elm_linear_layer(), x, y);
    layer->relu = relu;
    const int64_t shape[] = {width, x->channels};
    give_parameter(layer,
                   elm_graph_parameter(graph, name, "weight", 2, shape,
                                       relu ? ELM_INIT_HE_UNIFORM : ELM_INIT_UNIFORM, x->channels));
    give_parameter(layer,
                   elm_graph_parameter(graph, name, "bias", 1, shape, ELM_INIT_ZERO, x->channels));
    layer->flops = 2.0 * width * x->channels;
    graph->layer_flops += layer->flops * (x->wants_gradient ? 3 : 2);
    return y;
}
