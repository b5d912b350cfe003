#include "loss/logit/smoothing.h"

#include <math.h>

#include "elmpi/memory.h"

enum { NONE, UNIFORM, LABEL_AWARE }; /* loss.smoothing */

static double label_aware(const elm_loss_options *options, int64_t count, int64_t fewest,
                          int64_t most)
{
    static const double half_pi = 1.57079632679489661923;
    const double place =
        most > fewest ? (double)(count - fewest) / (double)(most - fewest) : 1; /* of 0..1 */
    return options->smoothing_tail +
           (options->smoothing_head - options->smoothing_tail) * sin(half_pi * place);
}

int elm_smoothing_create(double **shares, const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    const elm_class_counts counts = setup->counts;
    int64_t fewest = counts.count[0], most = fewest;
    *shares = NULL;
    if (o->smoothing == NONE)
        return 0;
    double *share = elm_alloc((size_t)counts.classes, sizeof *share, err);
    if (!share)
        return -1;
    for (int c = 1; c < counts.classes; c++) {
        fewest = counts.count[c] < fewest ? counts.count[c] : fewest;
        most = counts.count[c] > most ? counts.count[c] : most;
    }
    for (int c = 0; c < counts.classes; c++)
        share[c] = o->smoothing == UNIFORM ? o->smoothing_share
                                           : label_aware(o, counts.count[c], fewest, most);
    *shares = share;
    return 0;
}
