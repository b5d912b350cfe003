/* Distributions: how a quantity of single images is distributed, in head, torso and tail. */
#ifndef ELMPI_REPORT_DISTRIBUTIONS_H
#define ELMPI_REPORT_DISTRIBUTIONS_H

#include "report/figure.h"
#include "report/run_files.h"

/** Logit margin; distance to the farthest image of the class over the largest norm. */
typedef enum elm_figure_quantity { ELM_FIGURE_MARGIN, ELM_FIGURE_FARTHEST } elm_figure_quantity;

/** A panel for each group, a line for each run that has an analysis: of test or training images.
 *  Math:   Gaussian kernels of Silverman's width */
void elm_figure_density(elm_figure *f, const elm_run_files *runs, int count, bool training,
                        elm_figure_quantity what);
/** The same: the share of images at or below each value. */
void elm_figure_cumulative(elm_figure *f, const elm_run_files *runs, int count, bool training,
                           elm_figure_quantity what);

#endif
