/* Max pooling. Of equal values the first of the window counts, and a NaN counts as largest, as in PyTorch. Forward notes in one byte which
 * pixel of its window each output came from; backward adds each gradient there, plane by plane on one thread, so that overlapping windows
 * are summed in the same order every time. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "nn/layer.h"

enum { BLOCK_MAX = 16, PIXELS_MAX = 256 };

/* The part of an output pixel's window that lies inside the picture. */
typedef struct window {
    int top, left;       /* of the whole window, perhaps negative */
    int y0, y1, x0, x1;  /* rows and columns of the window, end excluded */
    const elm_value *in; /* the picture */
} window;

static inline window window_at(const elm_layer *layer, int oy, int ox)
{
    const elm_value *in = layer->input;
    window w = {.top = oy * layer->stride - layer->padding, .left = ox * layer->stride - layer->padding, .in = in};
    w.y0 = w.top < 0 ? -w.top : 0;
    w.x0 = w.left < 0 ? -w.left : 0;
    w.y1 = in->height - w.top < layer->kernel ? in->height - w.top : layer->kernel;
    w.x1 = in->width - w.left < layer->kernel ? in->width - w.left : layer->kernel;
    return w;
}

static inline size_t pixel_of(const window *w, int y, int x, int block)
{
    return ((size_t)(w->top + y) * w->in->width + (w->left + x)) * block;
}

/* Inlined once for each block, so that the loops over a pixel's channels have a fixed length and become vectors. */
static inline __attribute__((always_inline)) void pool_plane(const elm_layer *layer, const float *x, float *y, uint8_t *from,
                                                             const int block)
{
    const elm_value *out = layer->output;
    for (int oy = 0; oy < out->height; oy++)
        for (int ox = 0; ox < out->width; ox++) {
            const window w = window_at(layer, oy, ox);
            const size_t at = ((size_t)oy * out->width + ox) * block;
            float most[BLOCK_MAX];
            int32_t place[BLOCK_MAX];
            for (int k = 0; k < block; k++) {
                most[k] = -INFINITY;
                place[k] = w.y0 * layer->kernel + w.x0;
            }
            for (int wy = w.y0; wy < w.y1; wy++)
                for (int wx = w.x0; wx < w.x1; wx++) {
                    const float *v = x + pixel_of(&w, wy, wx, block);
                    const int32_t here = wy * layer->kernel + wx;
                    for (int k = 0; k < block; k++) {
                        const bool larger = (v[k] > most[k]) | (v[k] != v[k]);
                        most[k] = larger ? v[k] : most[k];
                        place[k] = larger ? here : place[k];
                    }
                }
            for (int k = 0; k < block; k++) {
                y[at + k] = most[k];
                from[at + k] = (uint8_t)place[k];
            }
        }
}

/* dx = 0, then each output's gradient to where its value came from; second may be NULL. */
static inline __attribute__((always_inline)) void spread_plane(const elm_layer *layer, const float *first, const float *second,
                                                               const uint8_t *from, float *dx, const int block)
{
    const elm_value *out = layer->output;
    memset(dx, 0, elm_value_plane(layer->input) * sizeof *dx);
    for (int oy = 0; oy < out->height; oy++)
        for (int ox = 0; ox < out->width; ox++) {
            const window w = window_at(layer, oy, ox);
            const size_t at = ((size_t)oy * out->width + ox) * block;
            float gradient[BLOCK_MAX];
            int32_t place[BLOCK_MAX];
            for (int k = 0; k < block; k++) {
                gradient[k] = first[at + k] + (second ? second[at + k] : 0);
                place[k] = from[at + k];
            }
            for (int wy = w.y0; wy < w.y1; wy++)
                for (int wx = w.x0; wx < w.x1; wx++) {
                    float *to = dx + pixel_of(&w, wy, wx, block);
                    const int32_t here = wy * layer->kernel + wx;
                    for (int k = 0; k < block; k++)
                        to[k] += place[k] == here ? gradient[k] : 0;
                }
        }
}

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    if (layer->kernel * layer->kernel > PIXELS_MAX || 2 * layer->padding > layer->kernel)
        return elm_error_set(err, ELM_EXIT_FAILURE, "a window of %d x %d pixels with padding %d cannot be pooled (model): change the model",
                             layer->kernel, layer->kernel, layer->padding);
    layer->own = elm_alloc(capacity->images * elm_value_image(layer->output), sizeof(uint8_t), err);
    return layer->own ? 0 : -1;
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const int planes = in->channels / in->block;
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int p = 0; p < planes; p++) {
            const size_t to = i * elm_value_image(out) + p * elm_value_plane(out);
            const float *x = in->data + i * elm_value_image(in) + p * elm_value_plane(in);
            float *y = out->data + to;
            uint8_t *from = (uint8_t *)layer->own + to;
            switch (in->block) {
            case 16:
                pool_plane(layer, x, y, from, 16);
                break;
            case 8:
                pool_plane(layer, x, y, from, 8);
                break;
            default:
                pool_plane(layer, x, y, from, 1);
            }
        }
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const int planes = in->channels / in->block;
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int p = 0; p < planes; p++) {
            const size_t at = i * elm_value_image(out) + p * elm_value_plane(out);
            const float *first = out->gradient[0] + at, *second = out->contributions > 1 ? out->gradient[1] + at : NULL;
            float *dx = layer->input_gradient + i * elm_value_image(in) + p * elm_value_plane(in);
            const uint8_t *from = (const uint8_t *)layer->own + at;
            switch (in->block) {
            case 16:
                spread_plane(layer, first, second, from, dx, 16);
                break;
            case 8:
                spread_plane(layer, first, second, from, dx, 8);
                break;
            default:
                spread_plane(layer, first, second, from, dx, 1);
            }
        }
}

static void release(elm_layer *layer)
{
    elm_free(layer->own);
}

const elm_layer_kind elm_maxpool_layer = {
    .name = "maxpool",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .contributions = 2,
};
