/* BatchNorm, with the residual addition and ReLU that follow it in the same passes over memory.
 *
 * A batch is normalized in groups of images: the global batch (bn = global), a rank's share (rank),
 * or runs of n images whichever ranks hold them (group:<n>). A rank sees its part of a group as a
 * segment. Each image's moments are taken once, merged by Chan's formula in image order into its
 * segment's, and, for groups that span ranks, merged across ranks by the pass's reducer. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "elmpi/memory.h"
#include "nn/layers/batchnorm_pieces.h"
#include "nn/layers/pixels_kernels.h"

static const double momentum = 0.1;

/* Pixels of a slab at most; numbers of a vector; channels of a strip at least; pieces that even
 * threads out. */
enum { SLAB = 1024, WIDE = 16, NARROWEST = 64, PIECES_A_THREAD = 8 };

static void release(elm_layer *layer)
{
    norm *n = layer->own;
    if (!n)
        return;
    void *all[] = {n->image[0],    n->image[1], n->moments, n->shared, n->sums,
                   n->shared_sums, n->mean,     n->inverse, n->scale,  n->shift,
                   n->constant,    n->segment,  n};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    norm *n = layer->own = elm_alloc(1, sizeof *n, err);
    if (!n)
        return -1;
    const elm_value *in = layer->input;
    const int pixels = in->height * in->width;
    *n = (norm){.channels = in->channels,
                .slabs = in->channels_last ? (pixels + SLAB - 1) / SLAB : 1};
    n->rows = in->channels_last && WIDE % in->channels != 0;
    const size_t c = in->channels, segments = capacity->segments, shared = capacity->shared,
                 images = capacity->images;
    const size_t pieces = images * n->slabs;
    const struct {
        void *pointer;
        size_t count, size_bytes;
    } needs[] = {
        {&n->image[0], pieces * c, sizeof(float)},
        {&n->image[1], pieces * c, sizeof(float)},
        {&n->moments, segments * c, sizeof(elm_moments)},
        {&n->shared, shared * c, sizeof(elm_moments)},
        {&n->sums, segments * 2 * c, sizeof(double)},
        {&n->shared_sums, shared * 2 * c, sizeof(double)},
        {&n->mean, segments * c, sizeof(float)},
        {&n->inverse, segments * c, sizeof(float)},
        {&n->scale, segments * c, sizeof(float)},
        {&n->shift, segments * c, sizeof(float)},
        {&n->constant, segments * c, sizeof(float)},
        {&n->segment, images, sizeof(int)},
    };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        void *memory = elm_alloc(needs[i].count, needs[i].size_bytes, err);
        if (!memory)
            return -1;
        memcpy(needs[i].pointer, &memory, sizeof memory);
    }
    return 0;
}

/* Which segment each image is in; and strips of channels, of 64 or more, until threads have
 * pieces enough. */
static void place_images(norm *n, const elm_value *in, const elm_pass *pass)
{
    n->strip = in->block;
    if (n->rows) {
        const int pieces = pass->images ? pass->images * n->slabs : 1;
        const int wanted = (PIECES_A_THREAD * omp_get_max_threads() + pieces - 1) / pieces;
        const int width = (n->channels / wanted + WIDE - 1) / WIDE * WIDE;
        n->strip = width < NARROWEST ? NARROWEST : width;
    }
    n->strips = (n->channels + n->strip - 1) / n->strip;
    for (int s = 0; s < pass->segment_count; s++)
        for (int i = 0; i < pass->segments[s].images; i++)
            n->segment[pass->segments[s].first + i] = s;
}

/* Moments of every group this rank has a part in. */
static void gather_moments(norm *n, const elm_value *in, const elm_pass *pass)
{
    const size_t c = n->channels;
    FOR_PIECES(n, pass->images)
    {
        const piece p = piece_at(n, in, i, slab, strip);
        const void *x = elm_element(in->data, p.start, in->format);
        if (n->rows)
            elm_pixels_moments(x, p.rows, n->image[0] + p.sums, n->image[1] + p.sums, in->format);
        else
            elm_plane_moments(x, p.length, in->block, n->image[0] + p.sums, n->image[1] + p.sums,
                              in->format);
    }
    memset(n->shared, 0, pass->shared_count * c * sizeof *n->shared);
    for (int s = 0; s < pass->segment_count; s++) {
        const elm_segment *segment = &pass->segments[s];
        elm_moments *into = n->moments + s * c;
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < c; k++) {
            elm_moments sum = {0, 0, 0};
            for (int i = segment->first * n->slabs;
                 i < (segment->first + segment->images) * n->slabs; i++) {
                const int slab = i % n->slabs;
                const double pixels =
                    (double)(slab_begin(n, in, slab + 1) - slab_begin(n, in, slab));
                sum = elm_moments_merge(sum, (elm_moments){pixels, (double)n->image[0][i * c + k],
                                                           (double)n->image[1][i * c + k]});
            }
            into[k] = sum;
        }
        if (segment->shared >= 0)
            memcpy(n->shared + segment->shared * c, into, c * sizeof *into);
    }
    if (!pass->shared_count)
        return;
    pass->reducer->merge_moments_all(pass->reducer->context, n->shared,
                                     (int)(pass->shared_count * c));
    for (int s = 0; s < pass->segment_count; s++)
        if (pass->segments[s].shared >= 0)
            memcpy(n->moments + s * c, n->shared + pass->segments[s].shared * c,
                   c * sizeof *n->moments);
}

static double unbiased(const elm_moments *m)
{
    return m->count > 1 ? m->m2 / (m->count - 1) : m->m2;
}

/* Running statistics move towards the groups' mean, each group counting by its images on this
 * rank. A rank without images follows the one group that all share (bn = global); with other
 * scopes its state has no weight in the average over ranks. */
static void update_running(const elm_layer *layer, const norm *n, const elm_pass *pass)
{
    if (!pass->images && !pass->shared_count)
        return;
    for (int k = 0; k < n->channels; k++) {
        double mean = pass->images ? 0 : n->shared[k].mean,
               variance = pass->images ? 0 : unbiased(&n->shared[k]);
        for (int s = 0; s < pass->segment_count; s++) {
            const elm_moments *m = &n->moments[(size_t)s * n->channels + k];
            const double share = (double)pass->segments[s].images / pass->images;
            mean += share * m->mean;
            variance += share * unbiased(m);
        }
        layer->running[0][k] += (float)(momentum * (mean - (double)layer->running[0][k]));
        layer->running[1][k] += (float)(momentum * (variance - (double)layer->running[1][k]));
    }
}

/* mean, inverse, scale and shift of a segment's channel. */
static void set_channel(const elm_layer *layer, norm *n, size_t at, int channel, double mean,
                        double variance)
{
    const double inverse = 1 / sqrt(variance + elm_norm_epsilon),
                 scale = (double)layer->weight[0][channel] * inverse;
    n->mean[at] = (float)mean;
    n->inverse[at] = (float)inverse;
    n->scale[at] = (float)scale;
    n->shift[at] = (float)((double)layer->weight[1][channel] - mean * scale);
}

static void normalize(const elm_layer *layer, const elm_pass *pass, const void *x,
                      const void *residual, void *y)
{
    const norm *n = layer->own;
    const elm_value *in = layer->input;
    FOR_PIECES(n, pass->images)
    {
        const piece p = piece_at(n, in, i, slab, strip);
        const void *from = elm_element(x, p.start, in->format),
                   *added = elm_element(residual, p.start, in->format);
        void *to = elm_element(y, p.start, in->format);
        if (n->rows)
            elm_pixels_normalize(from, added, to, p.rows, n->scale + p.channel,
                                 n->shift + p.channel, layer->relu, in->format);
        else
            elm_plane_normalize(from, added, to, p.length, in->block, n->scale + p.channel,
                                n->shift + p.channel, layer->relu, in->format);
    }
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    norm *n = layer->own;
    const elm_value *residual = layer->residual;
    const int c = n->channels;
    place_images(n, layer->input, pass);
    if (pass->training) {
        gather_moments(n, layer->input, pass);
        update_running(layer, n, pass);
    }
    for (int s = 0; s < pass->segment_count; s++)
        for (int k = 0; k < c; k++) {
            const elm_moments *m = &n->moments[(size_t)s * c + k];
            const double mean = pass->training ? m->mean : (double)layer->running[0][k];
            const double variance =
                pass->training ? m->m2 / m->count : (double)layer->running[1][k];
            set_channel(layer, n, (size_t)s * c + k, k, mean, variance);
        }
    normalize(layer, pass, layer->input->data, residual ? residual->data : NULL,
              layer->output->data);
}

/* Scale and shift are still those of the forward pass: this layer's backward pass comes later. */
static void rebuild(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *residual = layer->residual;
    normalize(layer, pass, layer->input->recalled, residual ? residual->recalled : NULL,
              layer->output->recalled);
}

/* The ReLU's mask follows from the input, unless a residual was added. */
static unsigned backward_reads(const elm_layer *layer)
{
    return ELM_READS_INPUT | (layer->relu && layer->residual ? ELM_READS_OUTPUT : 0u);
}

/* Mask, and the two sums that the gradient of mean and variance need: over the group for dx,
 * over this rank for gamma and beta. */
static void gather_sums(const elm_layer *layer, norm *n, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const size_t c = n->channels;
    const void *second = out->contributions > 1 ? out->gradient[1] : NULL;
    const void *y = backward_reads(layer) & ELM_READS_OUTPUT ? out->recalled : NULL;
    FOR_PIECES(n, pass->images)
    {
        const piece p = piece_at(n, in, i, slab, strip);
        const elm_gate gate = {layer->relu, elm_element(y, p.start, in->format),
                               n->scale + p.channel, n->shift + p.channel};
        void *gradient = elm_element(out->gradient[0], p.start, in->format);
        const void *added = elm_element(second, p.start, in->format),
                   *x = elm_element(in->recalled, p.start, in->format);
        float *sum = n->image[0] + p.sums, *product = n->image[1] + p.sums;
        if (n->rows)
            elm_pixels_mask(gradient, added, x, p.rows, n->mean + p.channel, &gate, sum, product,
                            in->format);
        else
            elm_plane_mask(gradient, added, x, p.length, in->block, n->mean + p.channel, &gate, sum,
                           product, in->format);
    }
    memset(n->shared_sums, 0, pass->shared_count * 2 * c * sizeof *n->shared_sums);
    for (int s = 0; s < pass->segment_count; s++) {
        const elm_segment *segment = &pass->segments[s];
        double *into = n->sums + (size_t)s * 2 * c;
        for (size_t k = 0; k < 2 * c; k++) {
            double sum = 0;
            for (int i = segment->first * n->slabs;
                 i < (segment->first + segment->images) * n->slabs; i++)
                sum += (double)n->image[k / c][i * c + k % c];
            into[k] = sum;
        }
        if (segment->shared >= 0)
            memcpy(n->shared_sums + segment->shared * 2 * c, into, 2 * c * sizeof *into);
    }
}

static void parameter_gradients(const elm_layer *layer, const norm *n, const elm_pass *pass)
{
    const int c = n->channels;
    for (int k = 0; k < c; k++) {
        double gamma = 0, beta = 0;
        for (int s = 0; s < pass->segment_count; s++) {
            beta += n->sums[(size_t)s * 2 * c + k];
            gamma += n->sums[((size_t)s * 2 + 1) * c + k] * (double)n->inverse[(size_t)s * c + k];
        }
        layer->weight_gradient[0][k] = (float)gamma;
        layer->weight_gradient[1][k] = (float)beta;
    }
}

/* dx = gamma inverse (g - mean(g) - xhat mean(g xhat)), as a g + b (x - mean) + c. */
static void set_gradient_coefficients(const elm_layer *layer, norm *n, const elm_pass *pass)
{
    const int c = n->channels;
    for (int s = 0; s < pass->segment_count; s++) {
        const int shared = pass->segments[s].shared;
        const double *sums =
            shared >= 0 ? n->shared_sums + (size_t)shared * 2 * c : n->sums + (size_t)s * 2 * c;
        for (int k = 0; k < c; k++) {
            const size_t at = (size_t)s * c + k;
            const double inverse = (double)n->inverse[at],
                         a = (double)layer->weight[0][k] * inverse, count = n->moments[at].count;
            n->scale[at] = (float)a;
            n->shift[at] = (float)(-a * inverse * inverse * sums[c + k] / count);
            n->constant[at] = (float)(-a * sums[k] / count);
        }
    }
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    norm *n = layer->own;
    gather_sums(layer, n, pass);
    parameter_gradients(layer, n, pass);
    if (pass->shared_count)
        pass->reducer->sum_all(pass->reducer->context, n->shared_sums,
                               pass->shared_count * 2 * n->channels);
    set_gradient_coefficients(layer, n, pass);
    const elm_value *in = layer->input;
    const void *dy = layer->output->gradient[0];
    FOR_PIECES(n, pass->images)
    {
        const piece p = piece_at(n, in, i, slab, strip);
        const void *gradient = elm_element(dy, p.start, in->format),
                   *x = elm_element(in->recalled, p.start, in->format);
        void *dx = elm_element(layer->input_gradient, p.start, in->format);
        const float *a = n->scale + p.channel, *b = n->shift + p.channel,
                    *c = n->constant + p.channel, *mean = n->mean + p.channel;
        if (n->rows)
            elm_pixels_gradient(gradient, x, dx, p.rows, a, b, c, mean, in->format);
        else
            elm_plane_gradient(gradient, x, dx, p.length, in->block, a, b, c, mean, in->format);
    }
}

const elm_layer_kind ELM_KERNEL(elm_norm_layer) = {
    .name = "norm",
    .prepare = prepare,
    .forward = forward,
    .rebuild = rebuild,
    .backward_reads = backward_reads,
    .backward = backward,
    .release = release,
    .in_place_gradient = true,
    .contributions = 2,
    .collective = true,
    .passes = {3, 2, 6},
};
