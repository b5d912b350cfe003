/* Max pooling. Of equal values the first of the window counts, and a NaN counts as largest, as
 * in PyTorch. Forward notes in one byte which pixel of its window each output came from;
 * backward sums for each pixel the gradients of the windows that chose it, in their order, so
 * that the sum is the same every time. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#define LANES_OF_REGISTERS
#include "nn/layers/layer.h"
#include "nn/layers/simd.h"

enum { PIXELS_MAX = 256 };

/* The part of an output pixel's window that lies inside the image. */
typedef struct window {
    int top, left;       /* of the whole window, perhaps negative */
    int y0, y1, x0, x1;  /* rows and columns of the window, end excluded */
    const elm_value *in; /* the image */
} window;

static inline window window_at(const elm_layer *layer, int oy, int ox)
{
    const elm_value *in = layer->input;
    window w = {.top = oy * layer->stride - layer->padding,
                .left = ox * layer->stride - layer->padding,
                .in = in};
    w.y0 = w.top < 0 ? -w.top : 0;
    w.x0 = w.left < 0 ? -w.left : 0;
    w.y1 = in->height - w.top < layer->kernel ? in->height - w.top : layer->kernel;
    w.x1 = in->width - w.left < layer->kernel ? in->width - w.left : layer->kernel;
    return w;
}

static inline size_t pixel_of(const window *w, int y, int x, size_t pitch)
{
    return ((size_t)(w->top + y) * w->in->width + (w->left + x)) * pitch;
}

typedef uint8_t bytes __attribute__((vector_size(SIMD_WIDTH)));

/* A pixel's channels; of a smaller block the other lanes are 0 and go nowhere. */
ELM_INLINE simd_float load_pixel(const void *array, size_t at, int block, elm_format format)
{
    const simd_float zero = {0};
    return block == SIMD_WIDTH ? load(array, at, format)
                               : load_tail(array, at, (size_t)block, zero, format);
}

ELM_INLINE void store_pixel(void *array, size_t at, simd_float v, int block, elm_format format)
{
    if (block == SIMD_WIDTH)
        store(array, at, v, format);
    else
        store_tail(array, at, (size_t)block, v, format);
}

/* `block` channels of all pixels, which are `pitch` numbers apart. Inlined once for each block
 * and format. */
ELM_INLINE void pool_plane(const elm_layer *layer, const void *x, void *y, uint8_t *from,
                           size_t pitch, const int block, elm_format format)
{
    const elm_value *out = layer->output;
    const simd_float zero = {0};
    for (int oy = 0; oy < out->height; oy++)
        for (int ox = 0; ox < out->width; ox++) {
            const window w = window_at(layer, oy, ox);
            const size_t at = ((size_t)oy * out->width + ox) * pitch;
            simd_float most = zero - INFINITY;
            mask place = (mask)zero + (w.y0 * layer->kernel + w.x0);
            for (int wy = w.y0; wy < w.y1; wy++)
                for (int wx = w.x0; wx < w.x1; wx++) {
                    const simd_float v = load_pixel(x, pixel_of(&w, wy, wx, pitch), block, format);
                    const mask larger = (v > most) | (v != v),
                               here = (mask)zero + (wy * layer->kernel + wx);
                    most = lanes_choose(larger, v, most);
                    place = (larger & here) | (~larger & place);
                }
            const bytes source = __builtin_convertvector(place, bytes);
            store_pixel(y, at, most, block, format);
            memcpy(from + at, &source, (size_t)block);
        }
}

/* Windows that a row or column of pixels lies in: outputs [first, last). */
static inline void windows_of(const elm_layer *layer, int pixel, int outputs, int *first, int *last)
{
    const int from = pixel + layer->padding - layer->kernel,
              to = (pixel + layer->padding) / layer->stride + 1;
    *first = from < 0 ? 0 : from / layer->stride + 1;
    *last = to < outputs ? to : outputs;
}

/* The gradient of the output pixel `at`, where its value came from pixel `here` of its window. */
ELM_INLINE simd_float gradient_from(const void *first, const void *second, const uint8_t *from,
                                    size_t at, int here, const int block, elm_format format)
{
    const simd_float zero = {0};
    bytes source = {0};
    memcpy(&source, from + at, (size_t)block);
    simd_float gradient = load_pixel(first, at, block, format);
    if (second)
        gradient += load_pixel(second, at, block, format);
    return lanes_where(__builtin_convertvector(source, mask) == (mask)zero + here, gradient);
}

/* Each pixel's sum, in fp32, over the windows that chose it, in their order; second may be NULL. */
ELM_INLINE void collect_plane(const elm_layer *layer, const void *first, const void *second,
                              const uint8_t *from, void *dx, size_t pitch, const int block,
                              elm_format format)
{
    const elm_value *in = layer->input, *out = layer->output;
    const simd_float zero = {0};
    for (int y = 0; y < in->height; y++) {
        int oy_first, oy_last;
        windows_of(layer, y, out->height, &oy_first, &oy_last);
        for (int x = 0; x < in->width; x++) {
            int ox_first, ox_last;
            windows_of(layer, x, out->width, &ox_first, &ox_last);
            simd_float sum = zero;
            for (int oy = oy_first; oy < oy_last; oy++)
                for (int ox = ox_first; ox < ox_last; ox++) {
                    const int top = oy * layer->stride - layer->padding,
                              left = ox * layer->stride - layer->padding;
                    sum +=
                        gradient_from(first, second, from, ((size_t)oy * out->width + ox) * pitch,
                                      (y - top) * layer->kernel + x - left, block, format);
                }
            store_pixel(dx, ((size_t)y * in->width + x) * pitch, sum, block, format);
        }
    }
}

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    if (layer->kernel * layer->kernel > PIXELS_MAX || 2 * layer->padding > layer->kernel)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "a window of %d x %d pixels with padding %d cannot be pooled (model): change the model",
            layer->kernel, layer->kernel, layer->padding);
    layer->own = elm_alloc(capacity->images * elm_value_image(layer->output), sizeof(uint8_t), err);
    return layer->own ? 0 : -1;
}

/* Channels that are pooled together: a block, or as many of it as a vector holds; where a pixel
 * holds all channels as many neighbors, and single ones where these do not fit. */
typedef struct strip {
    int channel, block;
    size_t pitch; /* numbers from pixel to pixel */
} strip;

static int block_width(const elm_value *v)
{
    return v->block < SIMD_WIDTH ? v->block : SIMD_WIDTH;
}

static int strip_count(const elm_value *v)
{
    return v->channels_last ? v->channels / SIMD_WIDTH + v->channels % SIMD_WIDTH
                            : v->channels / block_width(v);
}

static strip strip_at(const elm_value *v, int s)
{
    const int whole = v->channels / SIMD_WIDTH;
    if (!v->channels_last)
        return (strip){s * block_width(v), block_width(v), (size_t)v->block};
    return s < whole ? (strip){s * SIMD_WIDTH, SIMD_WIDTH, (size_t)v->channels}
                     : (strip){whole * SIMD_WIDTH + s - whole, 1, (size_t)v->channels};
}

static size_t start_of(const elm_value *v, int image, strip s)
{
    const size_t in_image = s.channel / v->block * elm_value_plane(v) + s.channel % v->block;
    return (size_t)image * elm_value_image(v) + (v->channels_last ? (size_t)s.channel : in_image);
}

/* Pitch and block as constants where they are one, then the format. A block of 8 fills half of
 * the widest vectors. */
enum { HALF = SIMD_WIDTH > 8 ? 8 : 1 };
#define BY_STRIP(s, format, function, ...)                                                         \
    do {                                                                                           \
        if ((s).block == SIMD_WIDTH && (s).pitch == SIMD_WIDTH)                                    \
            ELM_BY_FORMAT(format, function, __VA_ARGS__, SIMD_WIDTH, SIMD_WIDTH);                  \
        else if ((s).block == SIMD_WIDTH)                                                          \
            ELM_BY_FORMAT(format, function, __VA_ARGS__, (s).pitch, SIMD_WIDTH);                   \
        else if ((s).block == HALF)                                                                \
            ELM_BY_FORMAT(format, function, __VA_ARGS__, (s).pitch, HALF);                         \
        else                                                                                       \
            ELM_BY_FORMAT(format, function, __VA_ARGS__, (s).pitch, 1);                            \
    } while (0)

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const int strips = strip_count(in);
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int p = 0; p < strips; p++) {
            const strip s = strip_at(in, p);
            const size_t to = start_of(out, i, s);
            BY_STRIP(s, in->format, pool_plane, layer,
                     elm_element(in->data, start_of(in, i, s), in->format),
                     elm_element(out->data, to, out->format), (uint8_t *)layer->own + to);
        }
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const int strips = strip_count(in);
    const void *second = out->contributions > 1 ? out->gradient[1] : NULL;
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int p = 0; p < strips; p++) {
            const strip s = strip_at(in, p);
            const size_t from = start_of(out, i, s);
            BY_STRIP(s, in->format, collect_plane, layer,
                     elm_element(out->gradient[0], from, out->format),
                     elm_element(second, from, out->format), (const uint8_t *)layer->own + from,
                     elm_element(layer->input_gradient, start_of(in, i, s), in->format));
        }
}

static void release(elm_layer *layer)
{
    elm_free(layer->own);
}

const elm_layer_kind ELM_KERNEL(elm_maxpool_layer) = {
    .name = "maxpool",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .contributions = 2,
};
