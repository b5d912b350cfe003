/* Figures: what is drawn of runs, one row a figure in the order of the page. */
#ifndef ELMPI_REPORT_FIGURES_H
#define ELMPI_REPORT_FIGURES_H

#include "report/figure.h"
#include "report/run_files.h"

typedef struct elm_figure_row {
    elm_figure_look look;
    /* leaves it empty where no run has what it shows */
    void (*fill)(elm_figure *figure, const elm_run_files *runs, int count);
} elm_figure_row;

/** Ended by fill NULL. */
extern const elm_figure_row elm_figure_rows[];

#endif
