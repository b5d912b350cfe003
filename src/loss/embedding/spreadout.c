/* spreadout: with z = Phi / |Phi| and the mean over all ordered pairs i != j of the batch (the
 * paper's eq. 7 to 9),
 *
 *   M1 = mean z_i . z_j,  M2 = mean (z_i . z_j)^2,  value = M1^2 + max(0, M2 - 1/width)
 *   d/d(z_i . z_j) = (2 M1 + [M2 > 1/width] 2 z_i . z_j) / pairs
 *
 * One number for the whole batch; 0 with fewer than two images. Cost: that of all pairs, see
 * pairwise.h. */
#include "elmpi/memory.h"
#include "loss/embedding/pairwise.h"

static int spreadout_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    elm_pairs *pairs;
    const int status = elm_pairs_create(&pairs, setup, true, err);
    *state = pairs;
    return status;
}

typedef struct moments {
    double first, second;
} moments;

/* Row by row, then over the rows in order: the same bits for any number of threads. */
static moments find_moments(const elm_pairs *p, double pairs)
{
    const int count = p->rows->count;
    moments m = {0, 0};
    for (int i = 0; i < count; i++) {
        const double *pair = elm_pairs_of(p, i);
        double first = 0, second = 0;
#pragma omp simd reduction(+ : first, second)
        for (int j = 0; j < count; j++) {
            const double s = j == i ? 0 : pair[j];
            first += s;
            second += s * s;
        }
        m.first += first / pairs;
        m.second += second / pairs;
    }
    return m;
}

static elm_loss_value spreadout_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    elm_pairs *p = state;
    elm_pairs_collect(p, batch);
    const int count = p->rows->count;
    const double pairs = count > 1 ? (double)count * (count - 1) : 1,
                 excess_from = 1.0 / p->rows->width;
    const moments m = find_moments(p, pairs);
    const bool spread = m.second <= excess_from;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < count; i++) {
        double *pair = elm_pairs_of(p, i);
        for (int j = 0; j < count; j++)
            pair[j] = j == i ? 0 : 2 * m.first + (spread ? 0 : 2 * pair[j]);
    }
    elm_pairs_add_gradient(p, batch, weight * elm_global_batch_share(batch) / pairs);
    return elm_global_batch_tell(p->rows, batch,
                                 m.first * m.first + (spread ? 0 : m.second - excess_from));
}

const elm_loss_row elm_loss_spreadout = {
    .name = "spreadout",
    .formula = "M1^2 + max(0, M2 - 1/K), moments of z.z' over pairs of the batch, z = Phi / |Phi|",
    .source = "Zhang et al. 2017, Learning spread-out local feature descriptors; as in Jitkrittum "
              "et al. 2022, eq. 7 to 9",
    .help = "directions of all images spread like random ones; labels are not looked at",
    .needs = elm_loss_needs_everything,
    .create = spreadout_create,
    .evaluate = spreadout_evaluate,
    .destroy = elm_pairs_destroy,
};
