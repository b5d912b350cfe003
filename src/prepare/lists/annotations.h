/* Annotations: images and their categories as a COCO file lists them, in two lists that are joined
 * once both are whole. */
#ifndef ELMPI_PREPARE_LISTS_ANNOTATIONS_H
#define ELMPI_PREPARE_LISTS_ANNOTATIONS_H

#include "prepare/lists/list_entries.h"

/** A list that grows. */
typedef struct elm_annotation_list {
    void *items;
    int64_t count, capacity;
} elm_annotation_list;

/** Begins as zeros. */
typedef struct elm_annotations {
    elm_annotation_list images, labels;
} elm_annotations;

/** Owns:   borrows file, a text of the catalog */
int elm_annotations_add_image(elm_annotations *annotations, int64_t id, const char *file,
                              elm_error *err);
int elm_annotations_add_label(elm_annotations *annotations, int64_t image, int64_t category,
                              elm_error *err);

/** Gives every image its category.
 *  Errors: no images or annotations, two images of one id, an annotation of an image that is not
 *          listed, of no class, or of a second one; `path` is for messages */
int elm_annotations_join(elm_annotations *annotations, const char *path, elm_error *err);

/** Adds the images to the catalog, in the order of the file.
 *  Errors: an image without an annotation; those of elm_image_list_add */
int elm_annotations_list(const elm_annotations *annotations, elm_manifest *catalog, int split,
                         const char *path, elm_rejects *report, elm_error *err);

void elm_annotations_free(elm_annotations *annotations);

#endif
