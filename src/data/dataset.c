#include "elmpi/dataset.h"

#include <string.h>

#include "elmpi/memory.h"
#include "elmpi/subset.h"

/* One block: the table of names, then the names. */
static char **copy_class_names(const elm_store *store, int classes, elm_error *err)
{
    size_t bytes = (size_t)classes * sizeof(char *);
    for (int c = 0; c < classes; c++)
        bytes += strlen(elm_store_class_name(store, c)) + 1;
    char **names = elm_alloc(bytes, 1, err);
    if (names == NULL)
        return NULL;
    char *text = (char *)(names + classes);
    for (int c = 0; c < classes; c++) {
        names[c] = text;
        text = stpcpy(text, elm_store_class_name(store, c)) + 1;
    }
    return names;
}

static int64_t *all_members(int64_t count, elm_error *err)
{
    int64_t *members = elm_alloc((size_t)count, sizeof *members, err);
    for (int64_t i = 0; members != NULL && i < count; i++)
        members[i] = i;
    return members;
}

/* Rows and labels of the members, with the labels of the whole split at hand. */
static int take_members(elm_dataset *dataset, elm_store *store, const char *split, const int32_t *labels, const int64_t *members,
                        elm_error *err)
{
    void *rows = NULL;
    dataset->labels = elm_alloc((size_t)dataset->count, sizeof *dataset->labels, err);
    dataset->class_count = elm_alloc((size_t)dataset->info.classes, sizeof *dataset->class_count, err);
    if (dataset->labels == NULL || dataset->class_count == NULL || elm_store_read(store, split, members, dataset->count, &rows, err) != 0)
        return -1;
    if (dataset->info.channels > 0)
        dataset->images = rows;
    else
        dataset->features = rows;
    for (int64_t i = 0; i < dataset->count; i++) {
        dataset->labels[i] = labels[members[i]];
        dataset->class_count[dataset->labels[i]]++;
    }
    return 0;
}

static int check_classes(const elm_dataset *dataset, const char *path, elm_error *err)
{
    for (int c = 0; c < dataset->info.classes; c++)
        if (dataset->class_count[c] == 0)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "class %d (%s) has no training image (%s): its prior would be 0; make the store without it", c,
                                 dataset->class_names[c], path);
    return 0;
}

static int load(elm_dataset *dataset, elm_store *store, const char *path, const char *split, double imbalance, elm_error *err)
{
    int32_t *labels = NULL;
    int64_t *members = NULL;
    dataset->info = *elm_store_describe(store);
    dataset->class_names = copy_class_names(store, dataset->info.classes, err);
    int status = dataset->class_names != NULL ? elm_store_labels(store, split, &labels, &dataset->count, err) : -1;
    if (status == 0 && imbalance != 0)
        status = elm_subset_long_tail(labels, dataset->count, dataset->info.classes, imbalance, &members, &dataset->count, err);
    else if (status == 0)
        status = (members = all_members(dataset->count, err)) != NULL ? 0 : -1;
    if (status == 0)
        status = take_members(dataset, store, split, labels, members, err);
    if (status == 0 && strcmp(split, "train") == 0)
        status = check_classes(dataset, path, err);
    elm_free(members);
    elm_free(labels);
    return status;
}

int elm_dataset_load(elm_dataset **out, const char *store_path, const char *split, double imbalance, elm_error *err)
{
    *out = NULL;
    elm_store *store = NULL;
    if (elm_store_open(&store, store_path, err) != 0)
        return -1;
    elm_dataset *dataset = elm_alloc(1, sizeof *dataset, err);
    if (dataset != NULL && load(dataset, store, store_path, split, imbalance, err) == 0) {
        *out = dataset;
        dataset = NULL;
    }
    elm_dataset_destroy(dataset);
    elm_store_close(store);
    return *out != NULL ? 0 : -1;
}

void elm_dataset_destroy(elm_dataset *dataset)
{
    if (dataset == NULL)
        return;
    elm_free(dataset->labels);
    elm_free(dataset->class_count);
    elm_free(dataset->images);
    elm_free(dataset->features);
    elm_free(dataset->class_names);
    elm_free(dataset);
}
