/* fc and posthoc-la: the largest logit, plain or less tau log pi (Menon et al. 2021). */
#include <math.h>

#include "elmpi/memory.h"
#include "eval/classifiers/rows.h"
#include "eval/forward_pass.h"

typedef struct shifted {
    int classes;
    double *shift; /* [classes], or NULL */
    double *score; /* [classes] */
} shifted;

static int predict(const void *context, const float *embedding, const float *logits)
{
    const shifted *s = context;
    (void)embedding;
    for (int c = 0; c < s->classes; c++)
        s->score[c] = (double)logits[c] + (s->shift != NULL ? s->shift[c] : 0);
    return elm_argmax(s->score, s->classes);
}

static int set_shift(shifted *s, const elm_classifier_input *input, elm_error *err)
{
    int64_t total = 0;
    s->shift = elm_alloc((size_t)s->classes, sizeof *s->shift, err);
    for (int c = 0; s->shift != NULL && c < s->classes; c++)
        total += input->train_count[c];
    for (int c = 0; s->shift != NULL && c < s->classes; c++) {
        if (input->train_count[c] <= 0)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "class %d has no training image, so its prior is 0 (posthoc-la): use fc", c);
        s->shift[c] = -input->settings->tau * log((double)input->train_count[c] / (double)total);
    }
    return s->shift != NULL ? 0 : -1;
}

static int count_all(const elm_classifier_input *input, bool adjust, elm_recall_counts *tally,
                     elm_error *err)
{
    shifted s = {.classes = input->test->info.classes};
    s.score = elm_alloc((size_t)s.classes, sizeof *s.score, err);
    int status = s.score != NULL && (!adjust || set_shift(&s, input, err) == 0) ? 0 : -1;
    status = elm_comm_agree_all(input->comm, status, err);
    if (status == 0)
        status = elm_predictions_count_all(input, predict, &s, tally, err);
    elm_free(s.shift);
    elm_free(s.score);
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
