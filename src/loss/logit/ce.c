/* ce: softmax cross-entropy. */
#include "loss/logit/softmax.h"

static int ce_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    elm_softmax *softmax;
    const int status = elm_softmax_create(&softmax, setup, err);
    *state = softmax;
    return status;
}

const elm_loss_row elm_loss_ce = {
    .name = "ce",
    .formula = "-log softmax(f)_y",
    .source = "textbook",
    .help = "softmax cross-entropy",
    .smooths = true,
    .create = ce_create,
    .evaluate = elm_softmax_evaluate,
    .destroy = elm_softmax_destroy,
};
