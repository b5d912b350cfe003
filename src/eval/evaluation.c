/* Evaluation in fixed batches: what a batch holds, and with it every rounding of its logits, is the same for any number of ranks. */
#include "elmpi/evaluation.h"

#include <inttypes.h>
#include <math.h>

#include "elmpi/loader.h"
#include "elmpi/memory.h"

int elm_evaluation_batch(const elm_store_info *info)
{
    return (int64_t)info->height * info->width < 128 * 128 ? 64 : 16;
}

/* The class of the largest logit, the lower one on ties; -1 when a logit is not finite. */
static int predict(const float *logits, int classes)
{
    int best = 0;
    for (int c = 0; c < classes; c++) {
        if (!isfinite(logits[c]))
            return -1;
        if (logits[c] > logits[best])
            best = c;
    }
    return best;
}

static int count_batch(elm_net *net, const elm_batch *batch, int classes, int64_t *confusion, elm_error *err)
{
    elm_net_embed_all(net, batch->input, batch->share, false);
    const float *logits = elm_net_classify(net);
    for (int i = 0; i < batch->share.local; i++) {
        const int predicted = predict(logits + (size_t)i * (size_t)classes, classes);
        if (predicted < 0)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "the network's output is not finite (image %" PRId64
                                 " of the split): its weights are broken, take an earlier "
                                 "checkpoint",
                                 batch->members[batch->share.first + i]);
        confusion[(size_t)batch->labels[i] * (size_t)classes + (size_t)predicted]++;
    }
    return 0;
}

/* This rank's batches. Forward passes outside training do not communicate, so a rank may end before the others. */
static int count_local(elm_net *net, const elm_dataset *dataset, elm_comm *comm, int64_t *confusion, elm_error *err)
{
    const int classes = dataset->info.classes;
    if (elm_net_classes(net) != classes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the network tells %d classes apart, the data set has %d (%s): use the data set it was trained on",
                             elm_net_classes(net), classes, dataset->info.dataset);
    elm_loader *loader = NULL;
    int status =
        elm_loader_create_evaluation(&loader, dataset, elm_evaluation_batch(&dataset->info), elm_comm_rank(comm), elm_comm_size(comm), err);
    const elm_batch *batch = NULL;
    while (status == 0 && (batch = elm_loader_next(loader)) != NULL)
        status = count_batch(net, batch, classes, confusion, err);
    if (status == 0)
        status = elm_loader_check(loader, err);
    elm_loader_destroy(loader);
    return status;
}

int elm_evaluation_confusion_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, int64_t **confusion, elm_error *err)
{
    const int64_t cells = (int64_t)dataset->info.classes * dataset->info.classes;
    int64_t *counts = elm_alloc((size_t)cells, sizeof *counts, err);
    *confusion = NULL;
    const int status = counts == NULL ? -1 : count_local(net, dataset, comm, counts, err);
    if (elm_comm_agree_all(comm, status, err) != 0) {
        elm_free(counts);
        return -1;
    }
    elm_comm_sum_counts_all(comm, counts, cells);
    *confusion = counts;
    return 0;
}
