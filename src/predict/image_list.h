/* Image list: which images are to be classified, in their order, the same on all ranks. */
#ifndef ELMPI_PREDICT_IMAGE_LIST_H
#define ELMPI_PREDICT_IMAGE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

/** An image. Texts are places in the list's texts. */
typedef struct elm_listed_image {
    int64_t name;       /* its path, as predictions name it */
    int64_t file;       /* of the file or folder that its bytes are in */
    int64_t offset;     /* of its bytes there; -1: an archive that is read in order */
    int64_t size_bytes; /* -1: the whole file */
    int64_t turn;       /* its number among the files of that archive */
    int64_t problem;    /* why it cannot be read, or -1 */
} elm_listed_image;

typedef struct elm_image_list {
    int64_t count, capacity;
    elm_listed_image *images; /* [count] */
    int64_t text_bytes, text_capacity;
    char *texts;
    int64_t passed; /* files that are no images: hidden, system, of other kinds */
    /* Told of each file while the list is made, or NULL. */
    void (*moved_on)(void *context);
    void *context;
} elm_image_list;

/** Frees what a list holds. */
void elm_image_list_release(elm_image_list *list);

/** Adds an image; texts are copied. `file` NULL: the image is a file of its own; problem NULL:
 * none. */
int elm_image_list_add_image(elm_image_list *list, const char *name, const char *problem,
                             elm_error *err);
int elm_image_list_add_member(elm_image_list *list, const char *name, int64_t file,
                              elm_listed_image place, const char *problem, elm_error *err);
/** A copy of a text in the list: its place, or -1. */
int64_t elm_image_list_text(elm_image_list *list, const char *text, elm_error *err);

/** Adds the paths of a list file, one a line; "-": of standard input. Paths count from the folder
 * that the program is started in; blank lines are passed over. */
int elm_image_list_read_paths(elm_image_list *list, const char *file, elm_error *err);

#endif
