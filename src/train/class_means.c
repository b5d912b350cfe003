#include "train/class_means.h"

#include <math.h>

#include "elmpi/evaluation.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"

static void add_batch(elm_net *net, const elm_batch *batch, double *sums)
{
    const size_t width = (size_t)elm_net_width(net);
    const float *embeddings = elm_net_embed_all(net, batch->input, batch->share, false);
    for (int i = 0; i < batch->share.local; i++) {
        double *sum = sums + (size_t)batch->labels[i] * width;
        for (size_t k = 0; k < width; k++)
            sum[k] += (double)embeddings[(size_t)i * width + k];
    }
}

/* This rank's batches. Forward passes outside training do not communicate, so a rank may end before the others. */
static int sum_local(elm_net *net, const elm_dataset *dataset, elm_comm *comm, double *sums, elm_error *err)
{
    elm_loader *loader = NULL;
    if (elm_loader_create_evaluation(&loader, dataset, elm_evaluation_batch(&dataset->info), elm_comm_rank(comm), elm_comm_size(comm), err))
        return -1;
    const elm_batch *batch;
    while ((batch = elm_loader_next(loader)) != NULL)
        add_batch(net, batch, sums);
    const int status = elm_loader_check(loader, err);
    elm_loader_destroy(loader);
    return status;
}

/* From the sums of all ranks, which are the same everywhere. */
static int divide(const double *sums, const elm_dataset *dataset, int width, float *means, elm_error *err)
{
    for (int c = 0; c < dataset->info.classes; c++)
        for (int k = 0; k < width; k++) {
            const size_t at = (size_t)c * (size_t)width + (size_t)k;
            means[at] = (float)(dataset->class_count[c] ? sums[at] / (double)dataset->class_count[c] : 0);
            if (!isfinite(means[at]))
                return elm_error_set(err, ELM_EXIT_FAILURE,
                                     "the mean embedding of class %d is not finite (%s): the weights are broken, lower optim.lr or take an "
                                     "earlier checkpoint",
                                     c, dataset->class_names[c]);
        }
    return 0;
}

int elm_class_means_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, float **out, elm_error *err)
{
    const int width = elm_net_width(net);
    const int64_t cells = (int64_t)dataset->info.classes * width;
    float *means = elm_alloc((size_t)cells, sizeof *means, err);
    double *sums = means ? elm_alloc((size_t)cells, sizeof *sums, err) : NULL;
    int status = elm_comm_agree_all(comm, sums ? sum_local(net, dataset, comm, sums, err) : -1, err);
    if (!status && sums) {
        elm_comm_sum_all(comm, sums, cells);
        status = elm_comm_agree_all(comm, divide(sums, dataset, width, means, err), err);
    }
    elm_free(sums);
    if (status)
        elm_free(means);
    *out = status ? NULL : means;
    return status;
}
