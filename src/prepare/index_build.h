/* Index build: one preparation of images, from lists and archives to a store.
 *
 *   sets/image_sets.c   the data sets it is done for
 *   index_build.c       begins: lists, what an interrupted run has left;
 *                       ends: what is missing, the report
 *   folders/folders.c   without lists: what the folders mean
 *   index_scan.c        goes through the archives and checks each image
 *   scan_queue.c        threads decode images or make them smaller
 *   index_places.c      gives each image its place
 *   scan_progress.c     how far it is
 *   folders/links.c     what the archives' links lead to
 *   folders/classes.c   classes and their names
 *   index_write.c       the store itself
 *   index_state.c       what all of these share */
#ifndef ELMPI_PREPARE_INDEX_BUILD_H
#define ELMPI_PREPARE_INDEX_BUILD_H

#include "prepare/index_state.h"

/** Does the whole of it. */
int elm_index_build_run(const elm_image_set *set, const elm_prepare_request *request,
                        elm_error *err);

#endif
