/* In the place of spectrum.c in builds without ScaLAPACK. */
#include "analysis/spectrum.h"

int elm_spectrum_find_all(elm_spectrum *spectrum, const elm_scatter_problem *problem,
                          elm_comm *comm, elm_error *err)
{
    (void)problem;
    (void)comm;
    (void)err;
    *spectrum = (elm_spectrum){0};
    return 0;
}

void elm_spectrum_release(elm_spectrum *spectrum)
{
    *spectrum = (elm_spectrum){0};
}
