#include "base/long_tail.h"

#include <math.h>

int64_t elm_long_tail_count(double n_max, double rho, int c, int classes)
{
    if (classes < 2)
        return (int64_t)n_max;
    return (int64_t)(n_max * pow(1.0 / rho, (double)c / ((double)classes - 1.0)));
}

int elm_class_group(int64_t count)
{
    return count >= 100 ? 0 : count >= 20 ? 1 : 2;
}
