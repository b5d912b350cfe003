/* Folder layout: what the folders of images without lists mean: which are splits, which are
 * classes. docs/data-sets.md has the rules. */
#ifndef ELMPI_PREPARE_FOLDERS_FOLDER_LAYOUT_H
#define ELMPI_PREPARE_FOLDERS_FOLDER_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

typedef enum elm_layout_kind {
    ELM_LAYOUT_AUTO,        /* by what is found; what has two readings is refused */
    ELM_LAYOUT_SPLITS,      /* <split>/<class>/... */
    ELM_LAYOUT_CLASSES,     /* <class>/..., all for training */
    ELM_LAYOUT_CLASS_SPLIT, /* <class>/<split>/... */
    /* the class is the folder that the image lies in; a folder above it may name the split */
    ELM_LAYOUT_LAST,
    ELM_LAYOUTS,
} elm_layout_kind;

/** "auto", "splits", ...
 *  Errors: ELM_EXIT_USAGE */
int elm_layout_kind_of(const char *name, elm_layout_kind *kind, elm_error *err);

typedef struct elm_layout {
    elm_layout_kind kind;
    char root[4096]; /* what stands in front of all: "", or "data/" */
    int64_t images;  /* that were looked at */
    int64_t deeper;  /* of them: below a folder of their class's folder */
    char deeper_example[300];
    bool loose; /* a split's word among others names a split, too */
} elm_layout;

/** What an image's path means. */
typedef struct elm_layout_place {
    int split;
    const char *folder; /* the class's name, of `length` bytes, within the path */
    int length;
    const char *problem; /* why it belongs to no class, or NULL */
} elm_layout_place;

/** Decides how to read the paths: sorted, without hidden ones.
 *  Errors: ELM_EXIT_FAILURE where they can be read in two ways, with both and the option that
 *          chooses */
int elm_layout_decide(elm_layout *layout, elm_layout_kind kind, const char *const *paths,
                      int64_t count, elm_error *err);

/** Where an image belongs. */
elm_layout_place elm_layout_classify(const elm_layout *layout, const char *path);

#endif
