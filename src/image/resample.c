#include "image/resample.h"

#include <math.h>
#include <string.h>

#include "elmpi/memory.h"

static int reserve_axis(elm_axis *axis, int count, int taps, elm_error *err)
{
    if (axis->count == count && axis->capacity >= taps)
        return 0;
    elm_axis_free(axis);
    axis->first = elm_alloc((size_t)count, sizeof *axis->first, err);
    axis->weights = axis->first != NULL
                        ? elm_alloc((size_t)count * (size_t)taps, sizeof *axis->weights, err)
                        : NULL;
    if (axis->weights == NULL)
        return -1;
    axis->count = count;
    axis->capacity = taps;
    return 0;
}

void elm_axis_free(elm_axis *axis)
{
    elm_free(axis->first);
    elm_free(axis->weights);
    *axis = (elm_axis){0};
}

elm_output_layout elm_layout_turned(elm_orientation turn, int width, int height)
{
    const int across = turn.exchange ? height : width, down = turn.exchange ? width : height;
    elm_output_layout layout = {.plane = (int64_t)width * height,
                                .step_x = turn.exchange ? width : 1,
                                .step_y = turn.exchange ? 1 : width,
                                .gain = {1, 1, 1}};
    if (turn.mirror_x) {
        layout.start += (across - 1) * layout.step_x;
        layout.step_x = -layout.step_x;
    }
    if (turn.mirror_y) {
        layout.start += (down - 1) * layout.step_y;
        layout.step_y = -layout.step_y;
    }
    return layout;
}

int elm_axis_make(elm_axis *axis, const elm_axis_view *view, elm_error *err)
{
    const double scale = view->length / view->full, support = scale > 1 ? scale : 1;
    const int taps = 2 * (int)ceil(support) + 1;
    if (reserve_axis(axis, view->count, taps, err) != 0)
        return -1;
    axis->taps = taps;
    for (int i = 0; i < view->count; i++) {
        const double center = view->begin + (view->start + i + 0.5) * scale;
        int first = (int)floor(center - support + 0.5), end = (int)floor(center + support + 0.5);
        if (first < view->low)
            first = view->low;
        if (end > view->high)
            end = view->high;
        if (first >= end) /* rounding, at the very edge */
            first = end - 1;
        float *weights = axis->weights + (size_t)i * (size_t)taps;
        double sum = 0;
        for (int x = first; x < end; x++) {
            const double weight = 1 - fabs(x + 0.5 - center) / support;
            weights[x - first] = weight > 0 ? (float)weight : 0;
            sum += weights[x - first];
        }
        if (sum <= 0)
            weights[0] = 1, sum = 1;
        for (int k = 0; k < taps; k++)
            weights[k] = k < end - first ? (float)(weights[k] / sum) : 0;
        axis->first[i] = first;
    }
    return 0;
}
