/* Tables: what is said of runs in rows and columns, as HTML. */
#ifndef ELMPI_REPORT_TABLES_H
#define ELMPI_REPORT_TABLES_H

#include <stdio.h>

#include "report/run_files.h"

/** Text with what HTML keeps for itself escaped. */
void elm_put_text(FILE *page, const char *text);

void elm_put_results(FILE *page, const elm_run_files *runs, int count);
void elm_put_settings(FILE *page, const elm_run_files *runs, int count);
/** Nothing where no run has an analysis. */
void elm_put_statistics(FILE *page, const elm_run_files *runs, int count);
void elm_put_confusions(FILE *page, const elm_run_files *runs, int count);

#endif
