/* Image names: what the name of a file or folder says about it. */
#ifndef ELMPI_PREPARE_FOLDERS_NAMES_H
#define ELMPI_PREPARE_FOLDERS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum elm_name_kind {
    ELM_NAME_OTHER,   /* no image */
    ELM_NAME_IMAGE,   /* of a kind that this elmpi decodes */
    ELM_NAME_FOREIGN, /* of another kind */
} elm_name_kind;

/** By the end of a file's name, in any case. */
elm_name_kind elm_image_name_kind(const char *name);

/** Whether a file or folder of that name, `length` bytes, is a system's or hidden: .git, @eaDir,
 * __MACOSX, Thumbs.db ... */
bool elm_image_name_hidden(const char *name, size_t length);
/** Whether a part of the path is. `plain`, where it is not NULL: the file is surely no image,
 * but what macOS knows of one. */
bool elm_image_path_hidden(const char *path, bool *plain);

/** The split that a folder's name means (place in store_split_names), or -1: train, Training,
 * train2018, images_train, val, valid, dev, TEST ... Words beside those that say split, image
 * or data make it a class: "train_station", "test_tube". word: which word it was, "train" or
 * "training", without numbers and the rest */
int elm_image_name_split(const char *name, size_t length, const char **word);

/** The split whose word a name has among others, such as "seg_train" or "train_augmented", or
 * -1; what such a folder is, others must tell. */
int elm_image_name_split_loose(const char *name, size_t length);

/** Whether a folder's name says nothing but that it holds images: "images", "data", "photos2". */
bool elm_image_name_filler(const char *name);

#endif
