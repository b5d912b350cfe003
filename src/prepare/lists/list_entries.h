/* List entries: what any kind of list adds to a catalog, images and the names of classes. */
#ifndef ELMPI_PREPARE_LISTS_LIST_ENTRIES_H
#define ELMPI_PREPARE_LISTS_LIST_ENTRIES_H

#include "prepare/rejects.h"
#include "prepare/sets/manifest.h"

/** Names of classes; NULL where no file has one. */
typedef struct elm_class_names {
    const char **name; /* [count], texts of a catalog */
    int count;
} elm_class_names;

void elm_class_names_free(elm_class_names *names);
/** Sets the name of a class, making room for it. */
int elm_class_names_set(elm_class_names *names, elm_manifest *catalog, int class_index,
                        const char *name, elm_error *err);

/** Adds one listed image. `where` is "<file>, line <n>" or the like. What is listed again, or
 * under an unsafe name, goes to the report.
 *  Errors: a label out of range, an image of two classes or two splits */
int elm_image_list_add(elm_manifest *catalog, const char *name, int split, int64_t label,
                       const char *where, elm_rejects *report, elm_error *err);

#endif
