/* Image bytes: the file of a listed image, wherever it lies. */
#ifndef ELMPI_PREDICT_IMAGE_BYTES_H
#define ELMPI_PREDICT_IMAGE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "predict/image_list.h"

/** The archive that is being read in order. */
typedef struct elm_ordered_archive {
    struct elm_image_source *source; /* NULL: none is open */
    int64_t file, turn;              /* its path, a text of the list; files taken from it */
} elm_ordered_archive;

/** An image's bytes.
 *  Owns:   bytes: elm_free */
typedef struct elm_image_bytes {
    uint8_t *bytes;
    size_t size_bytes;
} elm_image_bytes;

/** Reads an image that lies in a file as it is (offset >= 0). Several threads may read at once.
 *  Errors: ELM_IMAGE_CORRUPT with the reason alone; -1: memory */
int elm_image_bytes_read(const elm_image_list *list, const elm_listed_image *image,
                         elm_image_bytes *bytes, elm_error *why);

/** Reads an image of an archive that is read in order (offset -1), from the one before on where it
 * is the same archive.
 *  Errors: as above; -1: the archive itself is broken */
int elm_image_bytes_next(elm_ordered_archive *archive, const elm_image_list *list,
                         const elm_listed_image *image, elm_image_bytes *bytes, elm_error *why);
void elm_ordered_archive_close(elm_ordered_archive *archive);

#endif
