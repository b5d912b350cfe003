/* tau-norm (Kang et al. 2020): class vectors w_c / |w_c|^tau, the bias dropped. tau is chosen on
 * a selection split by balanced accuracy. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "eval/classifiers/rows.h"
#include "eval/forward_pass.h"
#include "nn/last_layer.h"

typedef struct tau_norm {
    int classes;
    double *bias;  /* [classes] what the logits hold besides the products with w */
    double *norm;  /* [classes] */
    double *power; /* [classes] |w|^tau of the tau at hand */
    double *score; /* [classes] of an image of the selection split */
    elm_recall_counts tallies[ELM_TAUS];
} tau_norm;

static double tau_at(int i)
{
    return i * 2.0 / (ELM_TAUS - 1);
}

/* The last layer as it stands: a factor on each logit (LWS) belongs to both w and the bias. */
static int read_layer(tau_norm *t, elm_net *net, elm_error *err)
{
    const elm_tensor *w = elm_last_layer(net, "fc.weight"), *b = elm_last_layer(net, "fc.bias"),
                     *scale = elm_last_layer(net, "fc.scale");
    const size_t classes = (size_t)t->classes, width = (size_t)elm_net_width(net);
    if (w == NULL || b == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the network's last layer is normalized already (tau-norm, model.head "
                             "= cosine): use fc, ncm or knn");
    double *bias = t->bias = elm_alloc(classes, sizeof *bias, err);
    double *norm = t->norm = bias != NULL ? elm_alloc(classes, sizeof *norm, err) : NULL;
    t->power = norm != NULL ? elm_alloc(classes, sizeof *t->power, err) : NULL;
    t->score = t->power != NULL ? elm_alloc(classes, sizeof *t->score, err) : NULL;
    if (bias == NULL || norm == NULL || t->score == NULL)
        return -1;
    for (size_t c = 0; c < classes; c++) {
        const double factor = scale != NULL ? (double)scale->data[c] : 1;
        double sum = 0;
        for (size_t k = 0; k < width; k++)
            sum += (double)w->data[c * width + k] * (double)w->data[c * width + k];
        bias[c] = factor * (double)b->data[c];
        norm[c] = fabs(factor) * sqrt(sum);
    }
    return 0;
}

static void set_tau(tau_norm *t, double tau)
{
    for (int c = 0; c < t->classes; c++)
        /* a zero vector scores 0 for any tau */
        t->power[c] = t->norm[c] > 0 ? pow(t->norm[c], tau) : 1;
}

static void score(const void *context, const float *embedding, const float *logits, double *scores)
{
    const tau_norm *t = context;
    (void)embedding;
    for (int c = 0; c < t->classes; c++)
        scores[c] = ((double)logits[c] - t->bias[c]) / t->power[c];
}

/* A batch under every tau. */
static int try_all(void *context, const elm_outputs *out, elm_error *err)
{
    tau_norm *t = context;
    (void)err;
    for (int k = 0; k < ELM_TAUS; k++) {
        set_tau(t, tau_at(k));
        for (int i = 0; i < out->batch->share.local; i++)
            if (!elm_outputs_unreadable(out, i)) {
                score(t, NULL, out->logits + (size_t)i * (size_t)t->classes, t->score);
                elm_recall_counts_add(&t->tallies[k], out->batch->labels[i],
                                      elm_argmax(t->score, t->classes));
            }
    }
    return 0;
}

static double balanced(const elm_recall_counts *tally)
{
    double sum = 0;
    int classes = 0;
    for (int c = 0; c < tally->classes; c++)
        if (tally->tested[c] > 0) {
            sum += (double)tally->correct[c] / (double)tally->tested[c];
            classes++;
        }
    return classes > 0 ? sum / classes : 0;
}

/* The smallest of equally good ones. */
static int choose_all(tau_norm *t, const elm_classifier_input *input, elm_error *err)
{
    elm_classifier_settings *s = input->settings;
    int status = 0, best = 0;
    for (int k = 0; k < ELM_TAUS && status == 0; k++)
        status = elm_recall_counts_create(&t->tallies[k], t->classes, err);
    if (status == 0)
        status = elm_forward_pass(input->net, input->selection, input->comm, input->stop,
                                  input->log, try_all, t, err);
    if (elm_comm_agree_all(input->comm, status, err) != 0)
        return -1;
    for (int k = 0; k < ELM_TAUS; k++) {
        elm_comm_sum_counts_all(input->comm, t->tallies[k].tested, 2 * (int64_t)t->classes);
        s->tau_accuracy[k] = balanced(&t->tallies[k]);
        best = s->tau_accuracy[k] > s->tau_accuracy[best] ? k : best;
    }
    s->tau = tau_at(best);
    s->chosen = true;
    return 0;
}

int elm_tau_norm_count_all(const elm_classifier_input *input, elm_recall_counts *tally,
                           elm_error *err)
{
    tau_norm t = {.classes = input->test->info.classes};
    int status = elm_comm_agree_all(input->comm, read_layer(&t, input->net, err), err);
    if (status == 0 && isnan(input->settings->tau))
        status = choose_all(&t, input, err);
    if (status == 0 && t.norm != NULL) {
        set_tau(&t, input->settings->tau);
        status = elm_predictions_count_all(input, score, &t, tally, err);
    }
    for (int k = 0; k < ELM_TAUS; k++)
        elm_recall_counts_release(&t.tallies[k]);
    void *all[] = {t.bias, t.norm, t.power, t.score};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}
