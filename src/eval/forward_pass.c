/* What a batch holds, and with it every rounding of its logits, is the same for any number of
 * ranks. */
#include "eval/forward_pass.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "elmpi/evaluation.h"
#include "elmpi/memory.h"

int elm_evaluation_batch(const elm_store_info *info)
{
    return (int64_t)info->height * info->width < 128 * 128 ? 64 : 16;
}

static bool all_finite(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static int check_finite(const elm_outputs *out, elm_error *err)
{
    for (int i = 0; i < out->batch->share.local; i++)
        if (!all_finite(out->logits + (size_t)i * (size_t)out->classes, (size_t)out->classes) ||
            !all_finite(out->embeddings + (size_t)i * (size_t)out->width, (size_t)out->width))
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "the network's output is not finite (image %" PRId64
                " of the split): its weights are broken, take an earlier checkpoint",
                out->batch->members[out->batch->share.first + i]);
    return 0;
}

static int take_batch(elm_net *net, const elm_batch *batch, elm_outputs_take take, void *context,
                      elm_error *err)
{
    elm_outputs out = {
        .batch = batch, .width = elm_net_width(net), .classes = elm_net_classes(net)};
    out.embeddings = elm_net_embed_all(net, batch->input, batch->share, false);
    out.logits = elm_net_classify(net);
    return check_finite(&out, err) != 0 ? -1 : take(context, &out, err);
}

/* Any rank may have some. */
static void say_complaints(elm_loader *loader, const elm_dataset *dataset, const elm_log *log)
{
    char text[2048];
    elm_log loud = *log;
    loud.quiet = false;
    while (elm_loader_complaint(loader, text, sizeof text))
        elm_log_warn(&loud, "%s: %s", text,
                     dataset->encoded->omits_unreadable ? "left out (data.unreadable_test = omit)"
                                                        : "counted as wrong");
}

int elm_forward_pass(elm_net *net, const elm_dataset *dataset, const elm_comm *comm,
                     const volatile sig_atomic_t *stop, const elm_log *log, elm_outputs_take take,
                     void *context, elm_error *err)
{
    const int classes = dataset->info.classes;
    if (elm_net_classes(net) != classes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the network has %d classes, the data set %d (%s): use "
                             "the data set it was trained on",
                             elm_net_classes(net), classes, dataset->info.dataset);
    elm_loader *loader = NULL;
    int status =
        elm_loader_create_evaluation(&loader, dataset, elm_evaluation_batch(&dataset->info),
                                     elm_comm_rank(comm), elm_comm_size(comm), err);
    const elm_batch *batch = NULL;
    int64_t seen = 0;
    elm_ticker_begin(elm_comm_ticker(comm), "images passed through the network", dataset->count);
    while (status == 0 && (batch = elm_loader_next(loader)) != NULL) {
        elm_watchdog_heartbeat(elm_comm_watch(comm));
        status = stop != NULL && *stop
                     ? elm_error_set(err, ELM_EXIT_STOPPED, "stopped on request (evaluation)")
                     : take_batch(net, batch, take, context, err);
        seen += batch->share.global * elm_comm_size(comm); /* the other ranks are about as far */
        elm_ticker_advance(elm_comm_ticker(comm), seen < dataset->count ? seen : dataset->count);
    }
    elm_ticker_end(elm_comm_ticker(comm));
    if (status == 0 && log != NULL)
        say_complaints(loader, dataset, log);
    if (status == 0)
        status = log != NULL ? elm_loader_check_shards(loader, err) : elm_loader_check(loader, err);
    elm_loader_destroy(loader);
    return status;
}

int elm_argmax(const double *scores, int classes)
{
    int best = 0;
    for (int c = 0; c < classes; c++) {
        if (isnan(scores[c]))
            return -1;
        if (scores[c] > scores[best])
            best = c;
    }
    return best;
}

typedef struct counting {
    elm_score score;
    const void *context;
    double *scores; /* [classes] */
    elm_recall_counts *tally;
} counting;

static int count_batch(void *context, const elm_outputs *out, elm_error *err)
{
    const counting *c = context;
    for (int i = 0; i < out->batch->share.local; i++) {
        if (elm_outputs_unreadable(out, i)) {
            elm_recall_counts_add_unreadable(c->tally, out->batch->labels[i]);
            continue;
        }
        c->score(c->context, out->embeddings + (size_t)i * (size_t)out->width,
                 out->logits + (size_t)i * (size_t)out->classes, c->scores);
        const int predicted = elm_argmax(c->scores, out->classes);
        if (predicted < 0)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "the classifier's scores are not finite (image %" PRId64
                                 " of the split): use another classifier",
                                 out->batch->members[out->batch->share.first + i]);
        elm_recall_counts_add(c->tally, out->batch->labels[i], predicted);
    }
    return 0;
}

int elm_predictions_count_all(const elm_classifier_input *input, elm_score score,
                              const void *context, elm_recall_counts *tally, elm_error *err)
{
    const int classes = input->test->info.classes;
    const counting c = {score, context, elm_alloc((size_t)classes, sizeof(double), err), tally};
    int status = elm_recall_counts_create(tally, classes, err) != 0 || c.scores == NULL ? -1 : 0;
    if (status == 0) {
        tally->omits = input->test->encoded != NULL && input->test->encoded->omits_unreadable;
        status = elm_forward_pass(input->net, input->test, input->comm, input->stop, input->log,
                                  count_batch, (void *)&c, err);
    }
    elm_free(c.scores);
    if (elm_comm_agree_all(input->comm, status, err) != 0) {
        elm_recall_counts_release(tally);
        return -1;
    }
    elm_comm_sum_counts_all(input->comm, tally->tested, 2 * (int64_t)tally->classes);
    elm_comm_sum_counts_all(input->comm, &tally->unreadable, 1);
    return 0;
}

void elm_embedding_set_keep(elm_embedding_set *e, const elm_outputs *out)
{
    const elm_partition share = out->batch->share;
    memcpy(e->embeddings + (size_t)e->count * (size_t)e->width, out->embeddings,
           (size_t)share.local * (size_t)e->width * sizeof *e->embeddings);
    memcpy(e->labels + e->count, out->batch->labels, (size_t)share.local * sizeof *e->labels);
    memcpy(e->members + e->count, out->batch->members + share.first,
           (size_t)share.local * sizeof *e->members);
    for (int i = 0; i < share.local; i++)
        e->unreadable[e->count + i] = elm_outputs_unreadable(out, i);
    e->count += share.local;
}

static int keep_batch(void *context, const elm_outputs *out, elm_error *err)
{
    (void)err;
    elm_embedding_set_keep(context, out);
    return 0;
}

/* Images of the batches that fall to this rank. */
static int64_t share_of_batches(const elm_dataset *dataset, const elm_comm *comm)
{
    const int64_t batch = elm_evaluation_batch(&dataset->info);
    int64_t count = 0;
    for (int64_t b = elm_comm_rank(comm); b * batch < dataset->count; b += elm_comm_size(comm))
        count += dataset->count - b * batch < batch ? dataset->count - b * batch : batch;
    return count;
}

int elm_embedding_set_create(elm_embedding_set *e, const elm_dataset *dataset, const elm_comm *comm,
                             int width, elm_error *err)
{
    const size_t count = (size_t)share_of_batches(dataset, comm);
    *e = (elm_embedding_set){.width = width};
    const elm_need needs[] = {{&e->embeddings, count * (size_t)width, sizeof *e->embeddings},
                              {&e->labels, count, sizeof *e->labels},
                              {&e->members, count, sizeof *e->members},
                              {&e->unreadable, count, sizeof *e->unreadable}};
    return elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
}

int elm_embed_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, const elm_log *log,
                  elm_embedding_set *embedded, elm_error *err)
{
    int status = elm_embedding_set_create(embedded, dataset, comm, elm_net_width(net), err);
    if (status == 0)
        status = elm_forward_pass(net, dataset, comm, NULL, log, keep_batch, embedded, err);
    return elm_comm_agree_all(comm, status, err);
}

void elm_embedding_set_release(elm_embedding_set *embedded)
{
    elm_free(embedded->embeddings);
    elm_free(embedded->labels);
    elm_free(embedded->members);
    elm_free(embedded->unreadable);
    *embedded = (elm_embedding_set){0};
}
