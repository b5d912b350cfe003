/* BatchNorm in every layout of the activations and with any number of threads. */
#include <omp.h>

#include "unit/layer_bench.h"

/* BatchNorm's results in the order [y][dx][dr][dgamma][dbeta][mean][var], activations as NCHW. */
static float *norm_results(elm_format format, int block, int channels, int side, int threads,
                           size_t *count)
{
    bench b;
    const elm_value value = {.channels = channels, .height = side, .width = side};
    const who by = {openblas.backend, ELM_FP32, ELM_LAYOUT_AUTO, 0};
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    open_bench(&b, by, 3, elm_norm_layer(), value, value);
    place(&b.in, block);
    place(&b.out, block);
    b.in.format = b.out.format = format;
    b.segments[0].images = 2;
    b.segments[1] = (elm_segment){2, 1, -1};
    b.pass.segment_count = 2;
    b.layer.relu = true;
    b.residual = b.in;
    b.residual.data = filled_value(&b, &b.in, 4, 1, 0);
    b.layer.residual = &b.residual;
    b.out.gradient[1] = filled_value(&b, &b.out, 8, 1, 0);
    for (int p = 0; p < 2; p++) {
        b.layer.weight[p] = filled(channels, 5 + (uint32_t)p, 0.5f, p ? 0 : 1);
        b.layer.weight_gradient[p] = filled(channels, 9, 1, 0);
        b.layer.running[p] = filled(channels, 9, 0, (float)p);
    }
    run_bench(&b, 2, 3);
    const size_t size = floats(&b, &b.in);
    *count = 3 * size + 4 * (size_t)channels;
    float *all = elm_alloc(*count, sizeof *all, NULL), *to = all;
    const void *arrays[] = {b.out.data, b.layer.input_gradient, b.out.gradient[0]};
    for (int a = 0; a < 3; a++, to += size)
        to_plain(&b, &b.in, arrays[a], to);
    const float *rows[] = {b.layer.weight_gradient[0], b.layer.weight_gradient[1],
                           b.layer.running[0], b.layer.running[1]};
    for (int r = 0; r < 4; r++, to += channels)
        memcpy(to, rows[r], channels * sizeof *to);
    close_bench(&b);
    omp_set_num_threads(before);
    return all;
}

/* Channels last with any number of channels, one that fills no vector and several slabs of
 * pixels among them, against NCHW; and the same bits with any number of threads. */
static void norms_agree_in_every_layout(void **unused)
{
    (void)unused;
    static const struct {
        int channels, side;
    } shapes[] = {{1, 9},  {3, 33},  {5, 4},   {10, 7},  {16, 40},
                  {17, 5}, {64, 33}, {200, 3}, {2048, 2}};
    for (size_t s = 0; s < 2 * sizeof shapes / sizeof *shapes; s++) {
        const int channels = shapes[s / 2].channels, side = shapes[s / 2].side;
        const elm_format format = s % 2 ? ELM_BF16 : ELM_FP32;
        size_t count;
        float *planes = norm_results(format, 1, channels, side, 1, &count),
              *last = norm_results(format, 0, channels, side, 1, &count),
              *threads = norm_results(format, 0, channels, side, 5, &count);
        double difference = 0, length = 0;
        for (size_t i = 0; i < count; i++) {
            difference += pow((double)last[i] - (double)planes[i], 2);
            length += pow((double)planes[i], 2);
        }
        const double error = sqrt(difference / length);
        if (!(error <= (format == ELM_BF16 ? 2e-2 : 1e-5)))
            fail_msg("%d channels, side %d: channels last is off by %g", channels, side, error);
        assert_memory_equal(last, threads, count * sizeof *last);
        elm_free(planes);
        elm_free(last);
        elm_free(threads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_agree_in_every_layout),
        cmocka_unit_test(nothing_is_left_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
