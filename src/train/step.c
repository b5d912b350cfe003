/* One training step, from top to bottom (DESIGN 3). Every rank makes the same collective calls in the same order whatever its data: a rank
 * without images takes part with zeros. */
#include "train/step.h"

#include <math.h>

const char *const elm_phase_names[ELM_PHASES] = {"input", "forward", "classify", "loss", "gather", "backward", "allreduce", "update"};

/* Charges the time since the last call to a phase. */
typedef struct stopwatch {
    double since;
    double *seconds;
} stopwatch;

static void charge(stopwatch *watch, elm_phase phase)
{
    const double now = elm_comm_seconds();
    watch->seconds[phase] += now - watch->since;
    watch->since = now;
}

/* Gradients become final from the end of the block towards its start; whole buckets leave as they fill. */
static void gradients_final(void *context, int64_t first)
{
    elm_gradient_sum_ready_all(context, first);
}

static void poll(void *context)
{
    elm_gradient_sum_poll(context);
}

static int64_t count_correct(const elm_loss_batch *batch)
{
    int64_t correct = 0;
    for (int i = 0; i < batch->local; i++) {
        const float *logits = batch->logits + (size_t)i * batch->classes;
        int best = 0;
        for (int c = 1; c < batch->classes; c++)
            if (logits[c] > logits[best])
                best = c;
        correct += best == batch->labels[i];
    }
    return correct;
}

/* x * 0 is 0 for finite x and NaN otherwise, so one vectorised pass finds any. */
static bool all_finite(const float *x, int64_t count)
{
    float sum = 0;
#pragma omp parallel for simd reduction(+ : sum) schedule(static)
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * 0;
    return sum == 0;
}

/* What all ranks must know before anybody updates: one small reduction. */
enum {
    SUM_LOGIT,
    SUM_EMBED,
    SUM_CORRECT,
    SUM_BROKEN,
    SUM_STOP,
    SUM_CHECKPOINT,
    SUM_REFUSE,
    SUM_ANCHORS,
    SUM_POSITIVE = SUM_ANCHORS + 3,
    SUMS = SUM_POSITIVE + 3
};

static void agree_all(elm_trainer *t, const elm_loss_value *logit, const elm_loss_value *embed, elm_step_wishes wishes,
                      elm_step_report *report)
{
    double sums[SUMS] = {[SUM_LOGIT] = logit->loss,      [SUM_EMBED] = embed->loss, [SUM_CORRECT] = (double)report->correct,
                         [SUM_BROKEN] = !report->finite, [SUM_STOP] = wishes.stop,  [SUM_CHECKPOINT] = wishes.checkpoint,
                         [SUM_REFUSE] = wishes.refuse};
    for (int g = 0; g < 3; g++) {
        sums[SUM_ANCHORS + g] = (double)embed->anchors[g];
        sums[SUM_POSITIVE + g] = (double)embed->with_positive[g];
    }
    elm_comm_sum_all(t->comm, sums, SUMS);
    report->logit_loss = sums[SUM_LOGIT];
    report->embed_loss = sums[SUM_EMBED];
    report->loss = sums[SUM_LOGIT] + sums[SUM_EMBED];
    report->correct = (int64_t)sums[SUM_CORRECT];
    report->finite = sums[SUM_BROKEN] == 0 && isfinite(report->loss);
    report->wishes = (elm_step_wishes){sums[SUM_STOP] > 0, sums[SUM_CHECKPOINT] > 0, sums[SUM_REFUSE] > 0};
    for (int g = 0; g < 3; g++) {
        report->anchors[g] = (int64_t)sums[SUM_ANCHORS + g];
        report->with_positive[g] = (int64_t)sums[SUM_POSITIVE + g];
    }
}

/* Ranks that normalise by statistics of their own also keep running statistics of their own: average them, weighted by images. */
static void average_state_all(elm_trainer *t, elm_share share)
{
    const elm_net_parameters view = elm_net_view(t->net);
    if (!elm_net_state_differs(t->net))
        return;
    const float weight = (float)((double)share.local / (double)share.global);
    for (int64_t i = 0; i < view.state_size; i++)
        view.state[i] *= weight;
    elm_comm_sum_floats_all(t->comm, view.state, view.state_size);
}

elm_step_report elm_trainer_step_all(elm_trainer *t, const elm_batch *batch, double lr, elm_step_wishes wishes)
{
    elm_step_report report = {.images = batch->share.global};
    stopwatch watch = {elm_comm_seconds(), report.seconds};
    const elm_net_parameters view = elm_net_view(t->net);

    /* Embeddings; those with same-class partners elsewhere set out at once. */
    const float *embeddings = elm_net_embed_all(t->net, batch->input, batch->share, true);
    charge(&watch, ELM_PHASE_FORWARD);
    elm_class_gather_post_all(t->gather, batch->global_labels, batch->share, embeddings);
    charge(&watch, ELM_PHASE_GATHER);

    /* Meanwhile logits and their loss. */
    elm_loss_batch seen = {
        .global = batch->share.global,
        .images = batch->share.global,
        .first = (int)batch->share.first,
        .local = batch->share.local,
        .width = elm_net_width(t->net),
        .classes = elm_net_classes(t->net),
        .global_labels = batch->global_labels,
        .labels = batch->labels,
        .embeddings = embeddings,
        .logits = elm_net_classify(t->net),
        .embeddings_gradient = elm_net_embeddings_gradient(t->net),
        .logits_gradient = elm_net_logits_gradient(t->net),
        .moment = {t->seed, batch->epoch, batch->position, batch->passed, t->optim.epochs},
    };
    charge(&watch, ELM_PHASE_CLASSIFY);
    if (t->logit_gather)
        elm_logit_gather_post_all(t->logit_gather, batch->global_labels, batch->share, seen.logits);
    const elm_loss_value logit = elm_loss_logits(t->loss, &seen);
    report.correct = count_correct(&seen);
    charge(&watch, ELM_PHASE_LOSS);

    /* The embedding term over all the global batch; its gradient needs no message back. */
    const elm_gathered gathered = elm_class_gather_wait_all(t->gather);
    if (t->logit_gather)
        elm_logit_gather_wait_all(t->logit_gather, &seen);
    charge(&watch, ELM_PHASE_GATHER);
    seen.remote = gathered.rows;
    seen.remote_labels = gathered.labels;
    seen.remote_position = gathered.position;
    seen.remote_embeddings = gathered.embeddings;
    const elm_loss_value embed = elm_loss_embeddings(t->loss, &seen);
    charge(&watch, ELM_PHASE_LOSS);

    /* Gradients, summed over the ranks while earlier layers are still at work. */
    elm_net_backward_all(t->net, &(elm_net_watch){gradients_final, poll, t->gradient_sum});
    charge(&watch, ELM_PHASE_BACKWARD);
    elm_gradient_sum_wait_all(t->gradient_sum);
    charge(&watch, ELM_PHASE_ALLREDUCE);

    /* Nobody updates before all know that all is well. */
    report.finite = isfinite(logit.loss) && isfinite(embed.loss) && all_finite(view.gradients, view.size);
    agree_all(t, &logit, &embed, wishes, &report);
    if (report.finite && !report.wishes.refuse) {
        elm_sgd_update(&t->optim, lr, view.weights, view.gradients, t->momentum, t->decay, t->decay_count);
        elm_net_weights_changed(t->net);
        elm_loss_update(t->loss, lr);
        average_state_all(t, batch->share);
    }
    charge(&watch, ELM_PHASE_UPDATE);
    return report;
}
