/* Event file: scalars in the form that TensorBoard reads: TFRecords of protobuf messages, each
 * with its checksums. */
#ifndef ELMPI_TRAIN_METRICS_EVENT_FILE_H
#define ELMPI_TRAIN_METRICS_EVENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_event_file elm_event_file;

typedef struct elm_event_scalar {
    const char *tag;
    double value; /* stored as float */
} elm_event_scalar;

/** Begins a new file.
 *  Errors: a file of that name, no permission, memory */
int elm_event_file_create(elm_event_file **file, const char *path, elm_error *err);
/** Tells that what earlier files say of this step and later ones counts no more. */
void elm_event_file_purge(elm_event_file *file, int64_t step);
/** Appends scalars of one step; those that are not finite are left out. */
void elm_event_file_scalars(elm_event_file *file, int64_t step, const elm_event_scalar *scalars,
                            int count);
/** Hands everything so far to the system. 0, or the errno of what has failed since the file
 * began. */
int elm_event_file_flush(elm_event_file *file);
/** Flushes and frees. Accepts NULL. */
void elm_event_file_close(elm_event_file *file);

/** CRC-32C (Castagnoli; RFC 3720, appendix B.4). */
uint32_t elm_crc32c(const void *bytes, size_t size_bytes);

#endif
