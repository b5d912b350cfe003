/* Manifest: the images that a store is to have, from lists or as they are found, and where
 * each has been found. */
#ifndef ELMPI_PREPARE_SETS_MANIFEST_H
#define ELMPI_PREPARE_SETS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"
#include "elmpi/store.h"

enum { ELM_LABEL_MAX = (1 << 20) - 1, ELM_NAME_BYTES_MAX = 3000 /* of an image's path */ };

typedef struct elm_image_item {
    const char *name; /* as listed, or as found */
    int32_t label;
    int8_t split; /* place in store_split_names */
    bool placed;  /* found and sound: place holds */
    bool settled; /* found, sound or not */
    bool earlier; /* placed by an interrupted run and not met again yet */
    elm_store_place place;
} elm_image_item;

typedef struct elm_manifest elm_manifest;

/** Owns:   the caller destroys */
int elm_manifest_create(elm_manifest **catalog, elm_error *err);
void elm_manifest_destroy(elm_manifest *catalog);

/** Copies a text for the catalog's life; NULL: memory, err says so. */
const char *elm_manifest_text(elm_manifest *catalog, const char *text, elm_error *err);

/** Why a path may not be used as an image's name, or NULL: absolute, with "..", with control
 * characters, too long. */
const char *elm_path_check(const char *path);
/** The path without "./" in front. */
const char *elm_path_normalize(const char *path);
/** Shortens a path to one without "./", "/./" and "//", which mean nothing. */
void elm_name_clean(char *path);

/** Appends an image. The name is copied. */
elm_image_item *elm_manifest_add(elm_manifest *catalog, const char *name, int split, int32_t label,
                                 elm_error *err);
int64_t elm_manifest_count(const elm_manifest *catalog);
elm_image_item *elm_manifest_at(elm_manifest *catalog, int64_t i);

/** Makes what has been added so far findable by elm_manifest_find.
 *  Errors: memory */
int elm_manifest_index(elm_manifest *catalog, elm_error *err);

/** The image of exactly this name, or NULL. */
elm_image_item *elm_manifest_exact(elm_manifest *catalog, const char *name);

/** The image that a path of an archive means, or NULL. The archive may have folders in front
 * that the list leaves out, or the list may have: one must be the end of the other, from a slash
 * on, and an end that several images share means none of them. Images added since the last
 * elm_manifest_index are found by their whole name alone. */
elm_image_item *elm_manifest_find(elm_manifest *catalog, const char *path);

#endif
