/* hybrid-sc: the supervised contrastive term gives way to the logit loss as the run goes on: a
 * L_sc + (1 - a) L_logit, a = 1 - (t/T)^2 with t of T epochs done. */
#include "loss/embedding/global_batch.h"
#include "loss/embedding/supcon.h"

static void mix(const elm_loss_time *moment, double *logit, double *embed)
{
    const double done = moment->length > 0 ? moment->passed / moment->length : 0;
    *logit = done * done;
    *embed = 1 - done * done;
}

const elm_loss_row elm_loss_hybrid_sc = {
    .name = "hybrid-sc",
    .formula = "a supcon + (1 - a) logit loss, a = 1 - (t/T)^2 at epoch t of T",
    .source = "Wang et al. 2021, Contrastive learning based hybrid networks for long-tailed image "
              "classification",
    .help = "supcon (on embeddings scaled to length 1), replaced by the logit loss as the run goes "
            "on; use lambda 1. Both see the same batch "
            "and the same view of an image; the original draws a second, balanced batch and two "
            "views, and has a projection layer",
    .needs = elm_loss_needs_everything,
    .create = elm_supcon_create,
    .evaluate = elm_supcon_evaluate,
    .mix = mix,
    .destroy = elm_supcon_destroy,
};
