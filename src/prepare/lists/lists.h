/* Image lists: which images a split has and of which class, as "path label" lines or as
 * COCO-style JSON. */
#ifndef ELMPI_PREPARE_LISTS_LISTS_H
#define ELMPI_PREPARE_LISTS_LISTS_H

#include "prepare/lists/list_entries.h"

/** Reads a list into the catalog: lines "path label", blank ones and comments ("# ...") left out,
 * or a JSON object with images, annotations and categories. What is listed again, or under an
 * unsafe name, goes to the report.
 *  Errors: unreadable file; a line without a label, a label out of range, an image of two
 *          classes or two splits, JSON that is broken or lacks something; each with the line, or
 *          the entry */
int elm_image_list_read(elm_manifest *catalog, elm_class_names *names, const char *path, int split,
                        elm_rejects *report, elm_error *err);

/** Reads names of classes, one a line, class 0 first. count, where it is not NULL: how many there
 * are.
 *  Errors: unreadable file; a blank line between names, as it would shift none but hide a
 *          mistake */
int elm_class_names_read(elm_class_names *names, elm_manifest *catalog, const char *path,
                         int *count, elm_error *err);

#endif
