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

static int count_batch(elm_net *net, const elm_batch *batch, elm_tally *tally, elm_error *err)
{
    const int classes = tally->classes;
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
        elm_tally_add(tally, batch->labels[i], predicted);
    }
    return 0;
}

/* This rank's batches. Forward passes outside training do not communicate, so a rank may end before the others. */
static int count_local(elm_net *net, const elm_dataset *dataset, elm_comm *comm, const volatile sig_atomic_t *stop, elm_tally *tally,
                       elm_error *err)
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
        status = stop != NULL && *stop ? elm_error_set(err, ELM_EXIT_STOPPED, "stopped on request (evaluation)")
                                       : count_batch(net, batch, tally, err);
    if (status == 0)
        status = elm_loader_check(loader, err);
    elm_loader_destroy(loader);
    return status;
}

int elm_evaluation_count_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, const volatile sig_atomic_t *stop, elm_tally *tally,
                             elm_error *err)
{
    const int classes = dataset->info.classes;
    int status = elm_tally_create(tally, classes, err);
    if (status == 0)
        status = count_local(net, dataset, comm, stop, tally, err);
    if (elm_comm_agree_all(comm, status, err) != 0) {
        elm_tally_release(tally);
        return -1;
    }
    elm_comm_sum_counts_all(comm, tally->tested, 2 * (int64_t)classes);
    return 0;
}
