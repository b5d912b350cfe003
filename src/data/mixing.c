#include "data/mixing.h"

#include <math.h>
#include <string.h>

/* The logarithm of Gamma(alpha, 1), which itself underflows for small alphas. Below 1 by way of
 * alpha + 1; 1 - u is never 0. */
static double draw_log_gamma(elm_rng *rng, double alpha)
{
    if (alpha < 1) {
        const double larger = draw_log_gamma(rng, alpha + 1); /* the draws' order is fixed */
        return larger + log(1 - elm_rng_uniform(rng)) / alpha;
    }
    const double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = elm_rng_normal(rng), t = 1 + c * x, v = t * t * t;
        if (t <= 0)
            continue;
        if (log(1 - elm_rng_uniform(rng)) < x * x / 2 + d - d * v + d * log(v))
            return log(d * v);
    }
}

double elm_mixing_beta(elm_rng *rng, double alpha)
{
    const double one = draw_log_gamma(rng, alpha);
    const double other = draw_log_gamma(rng, alpha);
    return 1 / (1 + exp(other - one));
}

static int clip(int at, int end)
{
    return at < 0 ? 0 : at > end ? end : at;
}

/* One side of the box: `middle` of 0 .. side - 1. */
static int cut(int side, int middle, double share, int *first)
{
    const int length = (int)(side * sqrt(1 - share));
    *first = clip(middle - length / 2, side);
    return clip(middle + length / 2, side) - *first;
}

static void draw_box(elm_mixing *m, elm_rng *rng, int height, int width)
{
    const double share = m->share;
    m->pastes = true;
    m->width = cut(width, (int)elm_rng_below(rng, (uint32_t)width), share, &m->left);
    m->height = cut(height, (int)elm_rng_below(rng, (uint32_t)height), share, &m->top);
    m->share = 1 - (double)m->width * m->height / ((double)width * height);
}

elm_mixing elm_mixing_draw(const elm_data_options *options, uint64_t seed, int64_t epoch,
                           int64_t index, int64_t images, int height, int width, int64_t *partner)
{
    elm_mixing m = {.share = 1};
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_MIX, (uint64_t)epoch, (uint64_t)index);
    if (options->mix == ELM_MIX_NONE || elm_rng_uniform(&rng) >= options->mix_probability)
        return m;
    m.mixes = true;
    m.share = elm_mixing_beta(&rng, options->mix_alpha);
    if (options->mix == ELM_MIX_CUTMIX)
        draw_box(&m, &rng, height, width);
    for (int64_t i = 0; i < images; i++)
        partner[i] = i;
    elm_rng_shuffle(&rng, partner, images, sizeof *partner);
    return m;
}

static void blend(float *restrict image, const float *restrict partner, int64_t count, float share)
{
    const float rest = 1 - share;
    for (int64_t i = 0; i < count; i++)
        image[i] = share * image[i] + rest * partner[i];
}

void elm_mixing_apply(const elm_mixing *m, int channels, int height, int width, float *image,
                      const float *partner)
{
    if (!m->pastes) {
        blend(image, partner, (int64_t)channels * height * width, (float)m->share);
        return;
    }
    for (int c = 0; c < channels; c++)
        for (int y = m->top; y < m->top + m->height; y++) {
            const size_t at =
                ((size_t)c * (size_t)height + (size_t)y) * (size_t)width + (size_t)m->left;
            memcpy(image + at, partner + at, (size_t)m->width * sizeof *image);
        }
}

int elm_mixing_check(const elm_data_options *options, const elm_store_info *info, elm_error *err)
{
    if (options->mix != ELM_MIX_CUTMIX || info->features == 0)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "feature vectors have no box to cut out (data.mix = cutmix, %s): choose "
                         "mixup or none",
                         info->dataset);
}
