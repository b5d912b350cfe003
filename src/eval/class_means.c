#include "eval/class_means.h"

#include "elmpi/memory.h"
#include "eval/forward_pass.h"

/* Adds a batch's embeddings to the sums [classes][width]. */
static int add_batch(void *context, const elm_outputs *out, elm_error *err)
{
    double *sums = context;
    const size_t width = (size_t)out->width;
    (void)err;
    for (int i = 0; i < out->batch->share.local; i++) {
        double *sum = sums + (size_t)out->batch->labels[i] * width;
        for (size_t k = 0; k < width; k++)
            sum[k] += (double)out->embeddings[(size_t)i * width + k];
    }
    return 0;
}

int elm_class_means_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, float **out,
                        elm_error *err)
{
    const int width = elm_net_width(net);
    const int64_t cells = (int64_t)dataset->info.classes * width;
    float *means = elm_alloc((size_t)cells, sizeof *means, err);
    double *sums = means ? elm_alloc((size_t)cells, sizeof *sums, err) : NULL;
    const int status = elm_comm_agree_all(
        comm, sums ? elm_forward_pass(net, dataset, comm, NULL, NULL, add_batch, sums, err) : -1,
        err);
    if (!status && sums) {
        elm_comm_sum_all(comm, sums, cells);
        for (int64_t i = 0; i < cells; i++) {
            const int64_t count = dataset->class_count[i / width];
            means[i] = (float)(count ? sums[i] / (double)count : 0);
        }
    }
    elm_free(sums);
    if (status)
        elm_free(means);
    *out = status ? NULL : means;
    return status;
}
