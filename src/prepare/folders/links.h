/* Image links: images that archives hold under several names. */
#ifndef ELMPI_PREPARE_FOLDERS_LINKS_H
#define ELMPI_PREPARE_FOLDERS_LINKS_H

#include "prepare/folders/link_table.h"
#include "prepare/index_state.h"

/** An archive's or folder's files and links, sorted.
 *  Owns:   the caller destroys */
int elm_image_links_scan(elm_link_table **table, const char *archive, const char *front,
                         elm_error *err);

/** An image that a link leads to and the file that it is. */
typedef struct elm_linked_image {
    const char *real; /* the file's path; text of the catalog */
    elm_image_item *item;
} elm_linked_image;

typedef struct elm_linked_images {
    elm_linked_image *items; /* sorted by `real` */
    int64_t count, capacity;
} elm_linked_images;

/** The images wanted that an archive has as links. What leads to none goes to the report.
 *  Owns:   elm_free(linked->items) */
int elm_image_links_find(elm_index_build *job, const char *archive, const char *front,
                         elm_linked_images *linked, elm_error *err);

#endif
