#include "image/resample.h"

/** A pixel in one register. */
typedef float pixel __attribute__((vector_size(16)));

/* One output row before it is resized across: input rows, weighted. */
static void blend_rows(const elm_pixels *pixels, const uint8_t *top, const float *weights, int taps,
                       float *restrict line)
{
    const int values = pixels->width * ELM_PIXEL_BYTES;
    for (int i = 0; i < values; i++)
        line[i] = weights[0] * (float)top[i];
    for (int k = 1; k < taps; k++) {
        const float weight = weights[k];
        const uint8_t *restrict row = top + (size_t)k * pixels->stride;
        if (weight == 0)
            continue; /* also where there is no such row */
        for (int i = 0; i < values; i++)
            line[i] += weight * (float)row[i];
    }
}

/* Across, normalized, to its place. */
static void write_row(const elm_pixels *pixels, const elm_axis *across, const float *line,
                      const elm_output_layout *layout, float *out)
{
    const pixel gain = {layout->gain[0], layout->gain[1], layout->gain[2]};
    const pixel offset = {layout->offset[0], layout->offset[1], layout->offset[2]};
    const pixel *row = (const pixel *)line;
    float *red = out, *green = out + layout->plane, *blue = out + 2 * layout->plane;
    for (int x = 0; x < across->count; x++) {
        const int first = across->first[x] - pixels->x;
        const float *weights = across->weights + (size_t)x * (size_t)across->taps;
        pixel sum = weights[0] * row[first];
        for (int k = 1; k < across->taps && weights[k] != 0; k++)
            sum += weights[k] * row[first + k];
        sum = sum * gain + offset;
        const int64_t at = x * layout->step_x;
        red[at] = sum[0];
        green[at] = sum[1];
        blue[at] = sum[2];
    }
}

static void resample(const elm_pixels *pixels, const elm_axis *across, const elm_axis *down,
                     float *line, const elm_output_layout *layout, float *out)
{
    for (int y = 0; y < down->count; y++) {
        const uint8_t *top = pixels->pixels + (size_t)(down->first[y] - pixels->y) * pixels->stride;
        blend_rows(pixels, top, down->weights + (size_t)y * (size_t)down->taps, down->taps, line);
        write_row(pixels, across, line, layout, out + layout->start + y * layout->step_y);
    }
}

const elm_resample_kernels ELM_KERNEL(elm_resampler) = {.resample = resample};
