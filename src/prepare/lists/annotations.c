#include "prepare/lists/annotations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"

typedef struct annotated_image {
    int64_t id;
    const char *file; /* text of the catalog */
    int64_t order;    /* in the file */
    int64_t label;    /* -1: not annotated */
} annotated_image;

typedef struct image_label {
    int64_t image, category;
} image_label;

static void *append(elm_annotation_list *list, size_t item_bytes, elm_error *err)
{
    if (list->count == list->capacity) {
        const int64_t capacity = list->capacity > 0 ? 2 * list->capacity : 4096;
        void *items = elm_alloc((size_t)capacity, item_bytes, err);
        if (items == NULL)
            return NULL;
        if (list->count > 0)
            memcpy(items, list->items, (size_t)list->count * item_bytes);
        elm_free(list->items);
        list->items = items;
        list->capacity = capacity;
    }
    return (char *)list->items + (size_t)list->count++ * item_bytes;
}

int elm_annotations_add_image(elm_annotations *annotations, int64_t id, const char *file,
                              elm_error *err)
{
    annotated_image *image = append(&annotations->images, sizeof *image, err);
    if (image == NULL)
        return -1;
    *image = (annotated_image){id, file, annotations->images.count, -1};
    return 0;
}

int elm_annotations_add_label(elm_annotations *annotations, int64_t image, int64_t category,
                              elm_error *err)
{
    image_label *label = append(&annotations->labels, sizeof *label, err);
    if (label == NULL)
        return -1;
    *label = (image_label){image, category};
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const annotated_image *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static int by_order(const void *a, const void *b)
{
    const annotated_image *left = a, *right = b;
    return (left->order > right->order) - (left->order < right->order);
}

int elm_annotations_join(elm_annotations *annotations, const char *path, elm_error *err)
{
    annotated_image *images = annotations->images.items;
    const image_label *labels = annotations->labels.items;
    if (annotations->images.count == 0 || annotations->labels.count == 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "no %s (%s): give annotations with images, annotations and categories",
                             annotations->images.count == 0 ? "images" : "annotations", path);
    qsort(images, (size_t)annotations->images.count, sizeof *images, by_id);
    for (int64_t i = 1; i < annotations->images.count; i++)
        if (images[i].id == images[i - 1].id)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "two images with the id %lld (%s): give the original annotations",
                                 (long long)images[i].id, path);
    for (int64_t i = 0; i < annotations->labels.count; i++) {
        annotated_image *image = bsearch(&(annotated_image){.id = labels[i].image}, images,
                                         (size_t)annotations->images.count, sizeof *images, by_id);
        if (image == NULL || labels[i].category < 0 ||
            (image->label >= 0 && image->label != labels[i].category))
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "an annotation of image %lld that is %s (%s): give the original annotations",
                (long long)labels[i].image,
                image == NULL            ? "not listed"
                : labels[i].category < 0 ? "of no class"
                                         : "of two classes",
                path);
        image->label = labels[i].category;
    }
    qsort(images, (size_t)annotations->images.count, sizeof *images, by_order);
    return 0;
}

int elm_annotations_list(const elm_annotations *annotations, elm_manifest *catalog, int split,
                         const char *path, elm_rejects *report, elm_error *err)
{
    const annotated_image *images = annotations->images.items;
    char where[600];
    for (int64_t i = 0; i < annotations->images.count; i++) {
        snprintf(where, sizeof where, "%.500s, image %lld", path, (long long)images[i].id);
        if (images[i].label < 0)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "no annotation (%s): give the original annotations", where);
        if (elm_image_list_add(catalog, images[i].file, split, images[i].label, where, report,
                               err) != 0)
            return -1;
    }
    return 0;
}

void elm_annotations_free(elm_annotations *annotations)
{
    elm_free(annotations->images.items);
    elm_free(annotations->labels.items);
    *annotations = (elm_annotations){0};
}
