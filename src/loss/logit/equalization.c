/* equalization: rare classes are spared the discouraging gradients of other classes' images, at
 * random; or, as ELM's text states it, a margin. */
#include "base/rng.h"
#include "elmpi/memory.h"
#include "loss/logit/softmax.h"

enum { BERNOULLI, MARGIN }; /* loss.equalization.variant */

typedef struct equalization {
    elm_softmax *softmax;
    bool *rare;   /* [classes] share of the training images below lambda; NULL: variant margin */
    double gamma; /* probability of leaving a rare class out */
} equalization;

/* Number c of the image's stream belongs to class c, also where it is not used: a draw
 * depends on seed, epoch, position and class alone, so neither ranks nor threads nor other
 * classes' shares change it. */
static void draw_row(const equalization *e, elm_rng rng, int classes, int32_t label,
                     unsigned char *dropped)
{
    for (int c = 0; c < classes; c++) {
        const double draw = elm_rng_uniform(&rng);
        dropped[c] = e->rare[c] && c != label && draw < e->gamma;
    }
}

static elm_loss_value equalization_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    const equalization *e = state;
    const elm_loss_time *m = &batch->moment;
    if (e->rare) {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < batch->local; i++)
            draw_row(e,
                     elm_rng_stream(m->seed, ELM_RNG_LOSS, (uint64_t)m->epoch,
                                    (uint64_t)(m->position + batch->first + i)),
                     batch->classes, batch->labels[i],
                     e->softmax->dropped + (size_t)i * (size_t)batch->classes);
    }
    return elm_softmax_evaluate(e->softmax, batch, weight);
}

static void equalization_destroy(void *state)
{
    equalization *e = state;
    if (!e)
        return;
    elm_softmax_destroy(e->softmax);
    elm_free(e->rare);
    elm_free(e);
}

static double share_of(elm_class_counts counts, int c)
{
    return (double)counts.count[c] / (double)counts.total;
}

static int prepare_draws(equalization *e, const elm_loss_setup *setup, elm_error *err)
{
    const size_t classes = (size_t)setup->counts.classes;
    e->gamma = setup->options->equalization_gamma;
    e->rare = elm_alloc(classes, sizeof *e->rare, err);
    e->softmax->dropped = e->rare ? elm_alloc((size_t)setup->max_local * classes, 1, err) : NULL;
    if (!e->softmax->dropped)
        return -1;
    for (int c = 0; c < setup->counts.classes; c++)
        e->rare[c] = share_of(setup->counts, c) < setup->options->equalization_lambda;
    return 0;
}

/* pi on every class but the label's own. */
static void set_margins(elm_softmax *softmax, elm_class_counts counts)
{
    for (int c = 0; c < counts.classes; c++) {
        softmax->shift[c] = share_of(counts, c);
        softmax->label_shift[c] = -softmax->shift[c];
    }
}

static int equalization_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    *state = NULL;
    equalization *e = elm_alloc(1, sizeof *e, err);
    if (!e)
        return -1;
    const bool margin = setup->options->equalization_variant == MARGIN;
    if (elm_softmax_create(&e->softmax, setup, err) || (!margin && prepare_draws(e, setup, err))) {
        equalization_destroy(e);
        return -1;
    }
    if (margin)
        set_margins(e->softmax, setup->counts);
    *state = e;
    return 0;
}

const elm_loss_row elm_loss_equalization = {
    .name = "equalization",
    .formula = "-log(e^{f_y} / sum over k of w_k e^{f_k}), w_k = 1 - b [pi_k < lambda][k != y], b "
               "~ Bernoulli(gamma); margin: log(1 + sum over "
               "k != y of e^{pi_k + f_k - f_y})",
    .source = "Tan et al. 2020, Equalization loss for long-tailed object recognition; variant "
              "margin: ELM, eq. 3",
    .help = "softmax that often leaves rare classes out of other classes' images, drawn again for "
            "each image and class",
    .unsmoothed = "a class that it may leave out of an image's softmax has no probability there",
    .create = equalization_create,
    .evaluate = equalization_evaluate,
    .destroy = equalization_destroy,
};
