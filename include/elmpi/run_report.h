/* Run report: one self-contained HTML page about any set of runs, and its figures as files. */
#ifndef ELMPI_RUN_REPORT_H
#define ELMPI_RUN_REPORT_H

#include "elmpi/log.h"
#include "elmpi/status.h"

/** Writes `out`, and beside it <out without .html>-figures/ with each figure as SVG, PDF and CSV.
 * Reads of each folder job.ini and metrics.csv, and where they are there evaluation.json and
 * analysis.h5 (elmpi-evaluate --analysis).
 *  Ranks:  none: one process
 *  Errors: a folder that is no run's, broken files, runs that share a name, no gnuplot; `out` is
 *          then as it was */
int elm_run_report_write(const char *const *folders, int count, const char *class_names,
                         const char *out, const elm_log *log, elm_error *err);

#endif
