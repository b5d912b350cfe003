/* Scan queue: images that threads decode or make smaller, before they get their places. */
#ifndef ELMPI_PREPARE_SCAN_QUEUE_H
#define ELMPI_PREPARE_SCAN_QUEUE_H

#include "image/header.h"
#include "prepare/index_state.h"
#include "prepare/source_files.h"

/** Puts the image in job->bytes behind those that are to be made smaller. */
int elm_scan_queue_resize(elm_index_build *job, const char *path, elm_image_item *item,
                          size_t size_bytes, const elm_image_header *header, elm_error *err);
/** Puts it behind those that are to be decoded. */
int elm_scan_queue_check(elm_index_build *job, elm_archive_walk *walk, const elm_source_file *file,
                         elm_image_item *item, const elm_image_header *header, elm_error *err);

/** What waits to be decoded is placed; nothing where nothing is decoded. err may be NULL. */
int elm_scan_queue_flush_checks(elm_index_build *job, elm_archive_walk *walk, elm_error *err);
/** What waits to be made smaller is placed. */
int elm_scan_queue_flush_resized(elm_index_build *job, elm_error *err);
/** Both. */
int elm_scan_queue_flush(elm_index_build *job, elm_archive_walk *walk, elm_error *err);

#endif
