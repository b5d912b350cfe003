#include "prepare/folders/links.h"

#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "prepare/folders/link_table.h"
#include "prepare/folders/names.h"
#include "prepare/source_files.h"

int elm_image_links_scan(elm_link_table **out, const char *archive, const char *front,
                         elm_error *err)
{
    elm_image_source *source = NULL;
    elm_link_table *table = NULL;
    elm_source_file file;
    int status = elm_link_table_create(&table, err);
    if (status == 0)
        status = elm_image_source_open(&source, archive, front, err);
    while (status == 0 && (status = elm_image_source_next(source, &file, err)) == 1) {
        status = file.problem != NULL ? 0
                 : file.link != NULL  ? elm_link_table_add_link(table, file.path, file.link, err)
                                      : elm_link_table_add_file(table, file.path, err);
    }
    elm_image_source_close(source);
    if (status == 0)
        elm_link_table_sort(table);
    else
        elm_link_table_destroy(table);
    *out = status == 0 ? table : NULL;
    return status;
}

typedef struct link_walk {
    elm_index_build *job;
    elm_linked_images *linked;
} link_walk;

static int add_linked(elm_linked_images *linked, const char *real, elm_image_item *item,
                      elm_error *err)
{
    if (linked->count == linked->capacity) {
        const int64_t capacity = linked->capacity > 0 ? 2 * linked->capacity : 256;
        elm_linked_image *items = elm_alloc((size_t)capacity, sizeof *items, err);
        if (items == NULL)
            return -1;
        if (linked->count > 0)
            memcpy(items, linked->items, (size_t)linked->count * sizeof *items);
        elm_free(linked->items);
        linked->items = items;
        linked->capacity = capacity;
    }
    linked->items[linked->count++] = (elm_linked_image){real, item};
    return 0;
}

static int take_linked(void *context, const char *path, const char *real, const char *problem,
                       elm_error *err)
{
    const link_walk *walk = context;
    elm_index_build *job = walk->job;
    int status = 0;
    const char *unsafe = elm_path_check(path);
    if (unsafe != NULL)
        return elm_rejects_add(job->report, ELM_REPORT_UNSAFE, path, unsafe, err);
    if (real == NULL)
        /* a listed one is missing */
        return job->listed ? 0 : elm_rejects_add(job->report, ELM_REPORT_LINK, path, problem, err);
    elm_image_item *item = elm_index_build_item(job, path, &status, err);
    if (item == NULL || item->settled)
        return status;
    item->settled = true;
    if (item->earlier) { /* done by an interrupted preparation */
        item->earlier = false;
        return 0;
    }
    const char *own = elm_manifest_text(job->catalog, real, err);
    return own != NULL ? add_linked(walk->linked, own, item, err) : -1;
}

static int by_real(const void *a, const void *b)
{
    const elm_linked_image *left = a, *right = b;
    const int order = strcmp(left->real, right->real);
    return order != 0 ? order : strcmp(left->item->name, right->item->name);
}

int elm_image_links_find(elm_index_build *job, const char *archive, const char *front,
                         elm_linked_images *linked, elm_error *err)
{
    elm_link_table *table = NULL;
    link_walk walk = {job, linked};
    *linked = (elm_linked_images){0};
    if (elm_image_links_scan(&table, archive, front, err) != 0)
        return -1;
    const int status = elm_link_table_follow(table, take_linked, &walk, err);
    elm_link_table_destroy(table);
    if (linked->count > 0)
        qsort(linked->items, (size_t)linked->count, sizeof *linked->items, by_real);
    return status;
}
