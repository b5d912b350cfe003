/* Analysis file: reads what elmpi-evaluate --analysis wrote. */
#ifndef ELMPI_REPORT_ANALYSIS_FILE_H
#define ELMPI_REPORT_ANALYSIS_FILE_H

#include "report/run_files.h"

/** Owns:   the caller calls elm_analysis_file_release, also after an error
 *  Errors: what is missing, of another shape, or out of range */
int elm_analysis_file_read(elm_analysis_file *analysis, const char *path, elm_error *err);
/** The same without the process that reads it first (base/file/guard.h): for that process, and
 * for a fuzzer. */
int elm_analysis_file_read_unguarded(elm_analysis_file *analysis, const char *path, elm_error *err);
void elm_analysis_file_release(elm_analysis_file *analysis);

#endif
