/* ldam: softmax cross-entropy of scaled cosines, the label's lowered by a margin that grows as
 * its class gets rarer. */
#include <math.h>

#include "loss/logit/softmax.h"

/* A class without training images is no label, so it needs no margin and sets no scale. */
static double unscaled_margin(int64_t count)
{
    return count > 0 ? pow((double)count, -0.25) : 0;
}

static int ldam_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    const elm_class_counts counts = setup->counts;
    elm_softmax *softmax;
    double largest = 0;
    *state = NULL;
    if (elm_softmax_create(&softmax, setup, err))
        return -1;
    softmax->scale = o->ldam_scale;
    for (int c = 0; c < counts.classes; c++)
        largest = fmax(largest, unscaled_margin(counts.count[c]));
    for (int c = 0; c < counts.classes && largest > 0; c++)
        softmax->label_shift[c] =
            -o->ldam_scale * o->ldam_margin * unscaled_margin(counts.count[c]) / largest;
    *state = softmax;
    return 0;
}

static elm_loss_head head(const elm_loss_options *options, int classes)
{
    (void)options;
    (void)classes;
    return (elm_loss_head){.cosine = true};
}

const elm_loss_row elm_loss_ldam = {
    .name = "ldam",
    .formula = "-log softmax(s (cos theta - m_y [y]))_y, m_c = m n_c^(-1/4) / max n^(-1/4)",
    .source =
        "Cao et al. 2019, Learning imbalanced datasets with label-distribution-aware margin loss",
    .help = "larger margins for rare classes; the last layer gives cosines (model.head); with "
            "loss.weights = drw LDAM-DRW",
    .smooths = true,
    .head = head,
    .create = ldam_create,
    .evaluate = elm_softmax_evaluate,
    .destroy = elm_softmax_destroy,
};
