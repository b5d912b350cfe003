/* Sweeps: runs that differ in one setting. */
#ifndef ELMPI_REPORT_SWEEPS_H
#define ELMPI_REPORT_SWEEPS_H

#include "report/figure.h"
#include "report/run_files.h"

/** Balanced accuracy over the values of a setting, a series for each method: a point for each value
 * that has a fellow with another value and the same of all others, seeds averaged with their
 * standard deviation. axis: the panel's name. */
void elm_figure_sweep(elm_figure *f, const elm_run_files *runs, int count, const char *key,
                      const char *axis);

#endif
