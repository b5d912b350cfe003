/* logadj: cross-entropy of the logits plus tau log pi. Predictions use the plain logits, so the
 * network learns to make up for the prior. */
#include <math.h>

#include "loss/logit/softmax.h"

/* log pi of a class that never occurs is minus infinity, and the first NaN ends the run: refused
 * here, where the reason is known. */
static int check_counts(const elm_loss_setup *setup, elm_error *err)
{
    for (int c = 0; c < setup->counts.classes; c++)
        if (setup->counts.count[c] <= 0)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "class %d has no training image, so its prior is 0 "
                                 "(loss.logit=logadj): use ce, or data in which every "
                                 "class occurs",
                                 c);
    return 0;
}

static int logadj_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    elm_softmax *softmax;
    const double tau = setup->options->logadj_tau;
    *state = NULL;
    if (tau != 0 && check_counts(setup, err))
        return -1;
    if (elm_softmax_create(&softmax, setup, err))
        return -1;
    for (int c = 0; c < setup->counts.classes && tau != 0; c++)
        softmax->shift[c] = tau * log((double)setup->counts.count[c] / (double)setup->counts.total);
    *state = softmax;
    return 0;
}

const elm_loss_row elm_loss_logadj = {
    .name = "logadj",
    .formula = "-log softmax(f + tau log pi)_y",
    .source = "Menon et al. 2021, Long-tail learning via logit adjustment; with tau 1 balanced "
              "softmax (Ren et al. 2020)",
    .help = "logit adjustment; predictions use the plain logits",
    .smooths = true,
    .create = logadj_create,
    .evaluate = elm_softmax_evaluate,
    .destroy = elm_softmax_destroy,
};
