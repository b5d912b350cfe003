/* Scan progress: how far the way through the archives is. */
#ifndef ELMPI_PREPARE_SCAN_PROGRESS_H
#define ELMPI_PREPARE_SCAN_PROGRESS_H

#include "prepare/index_state.h"

/** Shows it, a few times a second. */
void elm_scan_progress_show(elm_index_build *job, const elm_archive_walk *walk);
/** Logs how many images a second were read. */
void elm_scan_progress_rate(const elm_index_build *job, int threads);

#endif
