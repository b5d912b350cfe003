#include "elmpi/dataset.h"

#include <stdio.h>
#include <string.h>

#include "data/defaults.h"
#include "data/sampling/holdout.h"
#include "data/sampling/subset.h"
#include "elmpi/memory.h"
#include "store/format.h"
#include "store/shards.h"

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

int elm_data_resize(const elm_data_options *options)
{
    return (int)(options->resize != 0 ? options->resize : options->crop * 8 / 7);
}

/* Index and open shards instead of rows. */
static int take_encoded(elm_dataset *dataset, elm_store *store, const elm_data_options *options,
                        const char *split, elm_error *err)
{
    elm_encoded_images *encoded = dataset->encoded = elm_alloc(1, sizeof *encoded, err);
    if (encoded == NULL)
        return -1;
    encoded->crop = (int)options->crop;
    encoded->resize = elm_data_resize(options);
    encoded->threads = (int)options->threads;
    encoded->verify = options->verify;
    encoded->unreadable = options->unreadable;
    encoded->omits_unreadable = options->unreadable_test != 0;
    /* it is there: its labels have been read */
    encoded->split = store_split_names[store_split_index(split)];
    if (encoded->resize < encoded->crop)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "a crop of %d pixels from images of %d (data.resize): give data.crop or more",
            encoded->crop, encoded->resize);
    dataset->info.height = dataset->info.width = encoded->crop;
    const size_t path_bytes = strlen(options->store) + 1;
    encoded->store = elm_alloc(path_bytes, 1, err);
    if (encoded->store == NULL)
        return -1;
    memcpy(encoded->store, options->store, path_bytes);
    if (elm_store_places(store, split, dataset->rows, dataset->count, &encoded->places, err) != 0)
        return -1;
    return elm_shards_open(&encoded->shards, store, options->store, options->shards,
                           options->outside == ELM_OUTSIDE_ALLOW, err);
}

static void destroy_encoded(elm_encoded_images *encoded)
{
    if (encoded == NULL)
        return;
    elm_free(encoded->places);
    elm_shards_close(encoded->shards);
    elm_free(encoded->store);
    elm_free(encoded);
}

static int take_rows(elm_dataset *dataset, elm_store *store, const char *split,
                     const int64_t *members, elm_error *err)
{
    void *rows = NULL;
    if (elm_store_read(store, split, members, dataset->count, &rows, err) != 0)
        return -1;
    if (dataset->info.channels > 0)
        dataset->images = rows;
    else
        dataset->features = rows;
    return 0;
}

/* Labels of the members, with the labels of the whole split at hand. */
static int take_labels(elm_dataset *dataset, const int32_t *labels, const int64_t *members,
                       elm_error *err)
{
    dataset->labels = elm_alloc((size_t)dataset->count, sizeof *dataset->labels, err);
    dataset->class_count =
        elm_alloc((size_t)dataset->info.classes, sizeof *dataset->class_count, err);
    if (dataset->labels == NULL || dataset->class_count == NULL)
        return -1;
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
                                 "class %d (%s) has no training image (%s): its prior would be 0; "
                                 "make the store without it",
                                 c, dataset->class_names[c], path);
    return 0;
}

static void normalize_half(elm_store_info *info)
{
    for (int c = 0; c < info->channels; c++) {
        info->mean[c] = 0.5f;
        info->std[c] = 1;
    }
}

void elm_data_normalize(const elm_data_options *options, elm_store_info *info)
{
    if (options->normalize == ELM_NORMALIZE_HALF)
        normalize_half(info);
}

static int load(elm_dataset *dataset, elm_store *store, const elm_data_options *options,
                const char *split, elm_error *err)
{
    int32_t *labels = NULL;
    int64_t *members = NULL;
    const bool training = strcmp(split, "train") == 0,
               held_out = strcmp(split, ELM_HOLDOUT_SPLIT) == 0;
    if (held_out)
        split = "train"; /* it is a part of it */
    dataset->info = *elm_store_describe(store);
    elm_data_normalize(options, &dataset->info);
    dataset->class_names = copy_class_names(store, dataset->info.classes, err);
    int status = dataset->class_names != NULL
                     ? elm_store_labels(store, split, &labels, &dataset->count, err)
                     : -1;
    if (status == 0 && options->imbalance != 0)
        status = elm_subset_long_tail(labels, dataset->count, dataset->info.classes,
                                      options->imbalance, &members, &dataset->count, err);
    else if (status == 0)
        status = (members = all_members(dataset->count, err)) != NULL ? 0 : -1;
    if (status == 0 && (training || held_out))
        status = elm_holdout_keep(options->holdout, held_out, labels, dataset->info.classes,
                                  members, &dataset->count, err);
    if (status == 0)
        status = take_labels(dataset, labels, members, err);
    dataset->rows = members;
    if (status == 0)
        status = dataset->info.in_shards ? take_encoded(dataset, store, options, split, err)
                                         : take_rows(dataset, store, split, members, err);
    if (status == 0 && training)
        status = check_classes(dataset, options->store, err);
    elm_free(labels);
    return status;
}

static int open_and_load(elm_dataset **out, const elm_data_options *options, const char *split,
                         elm_error *err)
{
    *out = NULL;
    elm_store *store = NULL;
    if (elm_store_open(&store, options->store, err) != 0)
        return -1;
    elm_dataset *dataset = elm_alloc(1, sizeof *dataset, err);
    if (dataset != NULL && load(dataset, store, options, split, err) == 0) {
        *out = dataset;
        dataset = NULL;
    }
    elm_dataset_destroy(dataset);
    elm_store_close(store);
    return *out != NULL ? 0 : -1;
}

int elm_dataset_load_job(elm_dataset **dataset, const elm_data_options *options, const char *split,
                         elm_error *err)
{
    elm_data_options own = *options;
    if (strcmp(split, "train") != 0 && strcmp(split, ELM_HOLDOUT_SPLIT) != 0)
        own.imbalance = 0;
    return open_and_load(dataset, &own, split, err);
}

bool elm_dataset_holds_out(const elm_data_options *options)
{
    return elm_holdout_asked(options->holdout);
}

int elm_dataset_load(elm_dataset **dataset, const char *store_path, const char *split,
                     double imbalance, elm_error *err)
{
    elm_data_options options = {.imbalance = imbalance,
                                .crop = ELM_DATA_CROP,
                                .threads = ELM_DATA_THREADS,
                                .unreadable = ELM_DATA_UNREADABLE};
    *dataset = NULL;
    if (snprintf(options.store, sizeof options.store, "%s", store_path) >=
        (int)sizeof options.store)
        return elm_error_set(err, ELM_EXIT_USAGE, "path too long (%.80s...): move the store",
                             store_path);
    return open_and_load(dataset, &options, split, err);
}

void elm_dataset_destroy(elm_dataset *dataset)
{
    if (dataset == NULL)
        return;
    elm_free(dataset->labels);
    elm_free(dataset->rows);
    elm_free(dataset->class_count);
    elm_free(dataset->images);
    elm_free(dataset->features);
    elm_free(dataset->class_names);
    destroy_encoded(dataset->encoded);
    elm_free(dataset);
}
