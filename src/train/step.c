/* One training step, from top to bottom; the numbers in elm_trainer_step_all are those of
 * docs/design.md, section 3. Step 1, the input, is the caller's. Every rank makes the same
 * collective calls in the same order whatever its data: a rank without images takes part with
 * zeros. */
#include "train/step.h"

#include <math.h>
#include <string.h>

#include "base/cpu/vectors.h"
#include "base/process/clock.h"
#include "comm/gradient_sum.h"
#include "train/nonfinite_search.h"

const char *const elm_phase_names[ELM_PHASES] = {"input",  "forward",  "classify",  "loss",
                                                 "gather", "backward", "allreduce", "update"};

void elm_trainer_enter(elm_trainer *t, elm_phase phase)
{
    elm_watchdog_enter(elm_comm_watch(t->comm), elm_phase_names[phase], &t->trouble);
}

int elm_trainer_check(const elm_trainer *t, elm_error *err)
{
    return t->trouble.code ? elm_error_set(err, t->trouble.code, "%s", t->trouble.text) : 0;
}

/* Reports the current phase to the watchdog and adds its time to the step's report. */
typedef struct stopwatch {
    elm_trainer *trainer;
    elm_phase phase;
    double since;
    double begin; /* the same moment on the timeline's clock */
} stopwatch;

static void charge(stopwatch *watch)
{
    elm_trainer *t = watch->trainer;
    const double now = elm_clock_seconds();
    t->report.seconds[watch->phase] += now - watch->since;
    watch->since = now;
    if (!t->timeline)
        return;
    const double end = elm_timeline_now(t->timeline);
    elm_timeline_add(t->timeline, (elm_event){.name = elm_phase_names[watch->phase],
                                              .part = "",
                                              .begin = watch->begin,
                                              .end = end});
    watch->begin = end;
}

static stopwatch start(elm_trainer *t, elm_phase phase)
{
    elm_trainer_enter(t, phase);
    return (stopwatch){t, phase, elm_clock_seconds(), elm_timeline_now(t->timeline)};
}

static void enter(stopwatch *watch, elm_phase phase)
{
    charge(watch);
    watch->phase = phase;
    elm_trainer_enter(watch->trainer, phase);
}

/* Backward hook: gradients from `first` to the end of the block are final. Full buckets are posted
 * to the allreduce. */
static void gradients_final(void *context, int64_t first)
{
    elm_trainer *t = context;
    const int64_t from = first > t->learning.first ? first - t->learning.first : 0;
    if (t->accumulated) { /* add those of the earlier microbatches */
        if (from < t->added)
            elm_vectors()->add(t->learning.gradients + from, t->accumulated + from,
                               t->added - from);
        t->added = from < t->added ? from : t->added;
    }
    elm_gradient_sum_ready_all(t->gradient_sum, from);
}

/* Backward hook of a microbatch that is not the last: no gradient is posted yet. */
static void post_nothing(void *context, int64_t first)
{
    (void)context;
    (void)first;
}

static void poll(void *context)
{
    const elm_trainer *t = context;
    elm_gradient_sum_poll(t->gradient_sum);
}

static bool all_finite(const float *x, int64_t count)
{
    bool finite = true;
#pragma omp parallel for reduction(&& : finite) schedule(static)
    for (int64_t at = 0; at < count; at += ELM_VECTOR_CHUNK)
        finite = finite && elm_vectors()->all_finite(x + at, count - at < ELM_VECTOR_CHUNK
                                                                 ? count - at
                                                                 : ELM_VECTOR_CHUNK);
    return finite;
}

/* A microbatch that is not the last is examined for non-finite values at once: its activations and
 * gradients are overwritten by the next. */
static void examine_microbatch(elm_trainer *t, const elm_batch *part, bool finite_loss)
{
    if (!finite_loss || !all_finite(t->learning.gradients, t->learning.count))
        elm_nonfinite_found_note(t, part);
}

/* Adds the gradients of a microbatch that is not the last to the accumulated ones. */
static void accumulate_gradients(elm_trainer *t)
{
    const int64_t count = t->learning.count;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < count; at += ELM_VECTOR_CHUNK)
        elm_vectors()->add(t->accumulated + at, t->learning.gradients + at,
                           count - at < ELM_VECTOR_CHUNK ? count - at : ELM_VECTOR_CHUNK);
}

/* Of a mixed image either label counts by its share. */
static double count_correct(const elm_loss_batch *batch, const bool *unreadable)
{
    double correct = 0;
    for (int i = 0; i < batch->local; i++) {
        const float *logits = batch->logits + (size_t)i * batch->classes;
        int best = 0;
        for (int c = 1; c < batch->classes; c++)
            if (logits[c] > logits[best])
                best = c;
        if (unreadable && unreadable[i])
            continue;
        const int own = best == batch->labels[i];
        correct += batch->partner_labels
                       ? batch->own_share * own +
                             (1 - batch->own_share) * (best == batch->partner_labels[i])
                       : own;
    }
    return correct;
}

/* Sets the gradients of images that could not be read to zero and returns their number. They still
 * count in 1/B, enter BatchNorm as zeros (with data.mix: as 1 - lambda of their partner; those whose
 * partner could not be read are among them) and are rows of terms that compare classes. */
static int64_t clear_unreadable_gradients(const elm_loss_batch *batch, const bool *unreadable)
{
    int64_t count = 0;
    for (int i = 0; unreadable && i < batch->local; i++) {
        if (!unreadable[i])
            continue;
        count++;
        memset(batch->logits_gradient + (size_t)i * (size_t)batch->classes, 0,
               (size_t)batch->classes * sizeof(float));
        memset(batch->embeddings_gradient + (size_t)i * (size_t)batch->width, 0,
               (size_t)batch->width * sizeof(float));
    }
    return count;
}

/* Adds the lengths of the current gradients at this rank's embeddings, by head, torso and tail.
 * Times B, so that they do not depend on the batch size. */
static void measure_gradients(const elm_trainer *t, const elm_loss_batch *batch, double sums[3])
{
    for (int i = 0; i < batch->local; i++) {
        const float *gradient = batch->embeddings_gradient + (size_t)i * (size_t)batch->width;
        const double sum = elm_vectors()->dot(gradient, gradient, batch->width);
        sums[t->group[batch->labels[i]]] += sqrt(sum) * (double)batch->global;
    }
}

/* Resets the sums for a new global batch and keeps the running statistics. */
static void begin(elm_trainer *t, const elm_batch *batch)
{
    t->report = (elm_step_report){.images = batch->images, .banked = t->bank != NULL};
    t->sums = (elm_step_sums){0};
    const elm_net_parameters view = elm_net_view(t->net);
    memcpy(t->kept_state, view.state, (size_t)view.state_size * sizeof *view.state);
    elm_weight_average_begin(t->average, t->net);
    elm_nonfinite_found_reset(t);
    if (t->accumulated)
        memset(t->accumulated, 0, (size_t)t->learning.count * sizeof *t->accumulated);
}

/* Adds the figures of this rank's images of a microbatch. */
static void add_up(elm_trainer *t, const elm_loss_value *logit, const elm_loss_value *embed,
                   double correct, int64_t unreadable)
{
    elm_step_figures *f = &t->sums.figures;
    f->logit_loss += logit->loss;
    f->embed_loss += embed->loss;
    f->correct += correct;
    f->unreadable += (double)unreadable;
    for (int g = 0; g < 3; g++) {
        f->anchors[g] += (double)embed->anchors[g];
        f->with_positive[g] += (double)embed->with_positive[g];
        f->with_bank[g] += (double)embed->with_bank[g];
    }
    f->drift += embed->drift;
    f->spread += embed->spread;
    t->sums.broken += !isfinite(logit->loss) || !isfinite(embed->loss);
}

/* First tensor of running statistics that is not finite, or -1. Training does not read them, so
 * loss and gradients may be finite where these are not. */
static int find_nonfinite_state(elm_trainer *t)
{
    const elm_net_parameters view = elm_net_view(t->net);
    for (int s = 0; s < view.state_count; s++)
        if (!all_finite(view.state + view.state_tensors[s].offset, view.state_tensors[s].count))
            return s;
    return -1;
}

/* Sums figures, finite checks and requests over all ranks: step 6 of docs/design.md, section 3. */
static void agree_all(elm_trainer *t, elm_step_requests requests)
{
    elm_step_report *report = &t->report;
    elm_step_sums *sums = &t->sums;
    t->nonfinite_state = find_nonfinite_state(t);
    sums->broken +=
        !all_finite(t->learning.gradients, t->learning.count) || t->nonfinite_state >= 0;
    sums->stop = requests.stop;
    sums->checkpoint = requests.checkpoint;
    sums->refuse = requests.refuse || t->trouble.code;
    elm_comm_sum_all(t->comm, (double *)sums, sizeof *sums / sizeof(double));
    report->figures = sums->figures;
    report->figures.loss = sums->figures.logit_loss + sums->figures.embed_loss;
    report->finite = sums->broken == 0 && isfinite(report->figures.loss);
    report->requests = (elm_step_requests){sums->stop > 0, sums->checkpoint > 0, sums->refuse > 0};
}

/* Ranks that normalize by statistics of their own also keep running statistics of their own:
 * average them, weighted by images. */
static void average_state_all(elm_trainer *t, elm_partition share)
{
    const elm_net_parameters view = elm_net_view(t->net);
    if (!elm_net_state_differs(t->net))
        return;
    const float weight = (float)((double)share.local / (double)share.global);
    for (int64_t i = 0; i < view.state_size; i++)
        view.state[i] *= weight;
    elm_comm_sum_floats_all(t->comm, view.state, view.state_size);
}

static void update_weights(elm_trainer *t, double lr)
{
    elm_update update = {.options = &t->optim,
                         .lr = lr,
                         .done = t->updates,
                         .weights = t->learning.weights,
                         .gradients = t->learning.gradients,
                         .ranges = t->decay,
                         .range_count = t->decay_count};
    for (int b = 0; b < ELM_OPTIMIZER_BLOCKS && t->block[b]; b++)
        update.block[b] = t->block[b] + t->learning.first;
    t->optimizer->update(&update);
    t->updates += t->updates < ELM_UPDATES_COUNTED;
}

/* Undoes what a discarded step has changed: the running statistics. */
static void restore_state(elm_trainer *t)
{
    const elm_net_parameters view = elm_net_view(t->net);
    memcpy(view.state, t->kept_state, (size_t)view.state_size * sizeof *view.state);
    elm_net_weights_changed(t->net);
}

/* The losses' input before anything has been received from other ranks. */
static elm_loss_batch show_batch(const elm_trainer *t, const elm_batch *batch,
                                 const float *embeddings, const float *logits)
{
    return (elm_loss_batch){
        .global = batch->images,
        .images = batch->share.global,
        .first = (int)batch->share.first,
        .local = batch->share.local,
        .width = elm_net_width(t->net),
        .classes = elm_net_classes(t->net),
        .global_labels = batch->global_labels,
        .labels = batch->labels,
        .partner_labels = batch->partner_labels,
        .own_share = batch->own_share,
        .embeddings = embeddings,
        .logits = logits,
        .embeddings_gradient = elm_net_embeddings_gradient(t->net),
        .logits_gradient = elm_net_logits_gradient(t->net),
        .moment = {t->seed, batch->epoch, batch->position, batch->passed, t->optim.epochs},
    };
}

/* The embedding term with the memory bank. With reach ELM_LOSS_OWNED it is evaluated over all rows
 * of the classes that this rank owns, and the gradients are sent back; otherwise over this rank's
 * images, with the class means of the bank. */
static elm_loss_value evaluate_with_bank_all(elm_trainer *t, const elm_batch *batch,
                                             elm_loss_batch *seen, stopwatch *watch)
{
    elm_loss_value value;
    enter(watch, ELM_PHASE_GATHER);
    const elm_loss_batch owned = elm_bank_exchange_wait_all(t->bank, batch, seen);
    if (t->needs.reach == ELM_LOSS_OWNED) {
        enter(watch, ELM_PHASE_LOSS);
        value = elm_loss_embeddings(t->loss, &owned);
        enter(watch, ELM_PHASE_GATHER);
        elm_bank_exchange_return_all(t->bank, seen);
        enter(watch, ELM_PHASE_LOSS);
        return value;
    }
    int64_t with_bank[3] = {0};
    seen->class_means = elm_bank_exchange_means_all(t->bank, batch, &owned, with_bank);
    enter(watch, ELM_PHASE_LOSS);
    value = elm_loss_embeddings(t->loss, seen);
    memcpy(value.with_bank, with_bank, sizeof with_bank);
    return value;
}

elm_step_report elm_trainer_step_all(elm_trainer *t, const elm_batch *batch, double lr,
                                     elm_step_requests requests)
{
    if (!batch->continues)
        begin(t, batch);

    /* 2, 3: embeddings; those whose class also occurs on another rank are posted at once. */
    stopwatch watch = start(t, ELM_PHASE_FORWARD);
    const float *embeddings = elm_net_embed_all(t->net, batch->input, batch->share, true);
    enter(&watch, ELM_PHASE_GATHER);
    elm_class_gather_post_all(t->gather, batch->microbatch_labels, batch->share, embeddings);
    if (t->bank)
        elm_bank_exchange_post_all(t->bank, batch, embeddings);

    /* 4: meanwhile the logits and their loss. */
    enter(&watch, ELM_PHASE_CLASSIFY);
    elm_loss_batch seen = show_batch(t, batch, embeddings, elm_net_classify(t->net));
    t->embeddings = seen.embeddings;
    t->logits = seen.logits;
    enter(&watch, ELM_PHASE_LOSS);
    if (t->bank)
        elm_bank_exchange_poll(t->bank);
    if (t->logit_gather)
        elm_logit_gather_post_all(t->logit_gather, batch->microbatch_labels, batch->share,
                                  seen.logits);
    const elm_loss_value logit = elm_loss_logits(t->loss, &seen);
    const double correct = count_correct(&seen, batch->unreadable);

    /* 4: the embedding term over the global batch; its gradient needs no message. */
    enter(&watch, ELM_PHASE_GATHER);
    const elm_gathered gathered = elm_class_gather_wait_all(t->gather);
    if (t->logit_gather)
        elm_logit_gather_wait_all(t->logit_gather, &seen);
    enter(&watch, ELM_PHASE_LOSS);
    seen.remote = gathered.rows;
    seen.remote_labels = gathered.labels;
    seen.remote_position = gathered.position;
    seen.remote_embeddings = gathered.embeddings;
    const elm_loss_value embed = t->bank ? evaluate_with_bank_all(t, batch, &seen, &watch)
                                         : elm_loss_embeddings(t->loss, &seen);
    add_up(t, &logit, &embed, correct, clear_unreadable_gradients(&seen, batch->unreadable));
    measure_gradients(t, &seen, t->sums.figures.embed_gradient);

    /* 5: gradients; those of a whole batch, or of its last microbatch, are summed over the ranks
     * while the backward pass of earlier layers runs. */
    enter(&watch, ELM_PHASE_BACKWARD);
    t->added = t->learning.count;
    elm_net_backward_all(
        t->net, &(elm_backward_hooks){batch->more ? post_nothing : gradients_final, poll, t});
    measure_gradients(t, &seen, t->sums.figures.gradient);
    if (batch->more) {
        enter(&watch, ELM_PHASE_UPDATE);
        examine_microbatch(t, batch, isfinite(logit.loss) && isfinite(embed.loss));
        accumulate_gradients(t);
        average_state_all(t, batch->share);
        charge(&watch);
        return t->report;
    }
    enter(&watch, ELM_PHASE_ALLREDUCE);
    elm_gradient_sum_wait_all(t->gradient_sum);

    /* 6: no rank updates before all have agreed that the step is finite. */
    enter(&watch, ELM_PHASE_UPDATE);
    agree_all(t, requests);
    if (t->report.finite && !t->report.requests.refuse) {
        t->report.gradient_norm =
            elm_gradient_clip(&t->optim, t->learning.gradients, t->learning.count);
        update_weights(t, lr);
        elm_net_weights_changed(t->net);
        elm_loss_update(t->loss, lr);
        if (t->bank)
            elm_bank_exchange_store(t->bank, batch);
        average_state_all(t, batch->share);
        elm_weight_average_update(t->average, t->net);
    } else {
        restore_state(t);
    }
    charge(&watch);
    return t->report;
}
