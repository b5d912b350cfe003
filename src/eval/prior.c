#include "eval/prior.h"

#include <math.h>

int elm_prior_shift(const int64_t *train_count, int classes, double tau, double *shift,
                    elm_error *err)
{
    int64_t total = 0;
    for (int c = 0; c < classes; c++)
        total += train_count[c];
    for (int c = 0; c < classes; c++) {
        if (train_count[c] <= 0)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "class %d has no training image, so its prior is 0 (posthoc-la): use the network's "
                "own "
                "outputs (--classifier fc of elmpi-evaluate, --prior plain of elmpi-predict)",
                c);
        shift[c] = -tau * log((double)train_count[c] / (double)total);
    }
    return 0;
}
