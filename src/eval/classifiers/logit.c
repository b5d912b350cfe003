/* fc and posthoc-la: the largest logit, plain or less tau log pi (Menon et al. 2021). */
#include <math.h>

#include "elmpi/memory.h"
#include "eval/classifiers/rows.h"
#include "eval/forward_pass.h"
#include "eval/prior.h"

typedef struct shifted {
    int classes;
    double *shift; /* [classes], or NULL */
} shifted;

static void score(const void *context, const float *embedding, const float *logits, double *scores)
{
    const shifted *s = context;
    (void)embedding;
    for (int c = 0; c < s->classes; c++)
        scores[c] = (double)logits[c] + (s->shift != NULL ? s->shift[c] : 0);
}

static int set_shift(shifted *s, const elm_classifier_input *input, elm_error *err)
{
    s->shift = elm_alloc((size_t)s->classes, sizeof *s->shift, err);
    return s->shift == NULL ? -1
                            : elm_prior_shift(input->train_count, s->classes, input->settings->tau,
                                              s->shift, err);
}

static int count_all(const elm_classifier_input *input, bool adjust, elm_recall_counts *tally,
                     elm_error *err)
{
    shifted s = {.classes = input->test->info.classes};
    int status = elm_comm_agree_all(input->comm, adjust ? set_shift(&s, input, err) : 0, err);
    if (status == 0)
        status = elm_predictions_count_all(input, score, &s, tally, err);
    elm_free(s.shift);
    return status;
}

int elm_fc_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err)
{
    return count_all(input, false, tally, err);
}

int elm_posthoc_la_count_all(const elm_classifier_input *input, elm_recall_counts *tally,
                             elm_error *err)
{
    if (isnan(input->settings->tau))
        input->settings->tau = 1;
    return count_all(input, true, tally, err);
}
