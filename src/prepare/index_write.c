#include "prepare/index_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"

static int by_class_and_name(const void *a, const void *b)
{
    const elm_image_item *left = *(elm_image_item *const *)a, *right = *(elm_image_item *const *)b;
    return left->label != right->label ? left->label - right->label
                                       : strcmp(left->name, right->name);
}

/* Those with a place, in the order of the lists; without lists by class and name, however the
 * archives hold them. */
static elm_image_item **ordered_items(elm_index_build *job, int64_t *count, elm_error *err)
{
    const int64_t all = elm_manifest_count(job->catalog);
    elm_image_item **items = elm_alloc((size_t)all, sizeof *items, err);
    *count = 0;
    for (int64_t i = 0; items != NULL && i < all; i++)
        if (elm_manifest_at(job->catalog, i)->placed)
            items[(*count)++] = elm_manifest_at(job->catalog, i);
    if (items != NULL && !job->listed)
        qsort(items, (size_t)*count, sizeof *items, by_class_and_name);
    return items;
}

static int write_index(elm_index_build *job, const elm_store_info *info,
                       elm_image_item *const *items, int64_t count, elm_error *err)
{
    size_t longest = 1;
    for (int64_t i = 0; i < count; i++)
        longest = strlen(items[i]->name) > longest ? strlen(items[i]->name) : longest;
    elm_store_shard *shards = elm_alloc((size_t)job->shard_count, sizeof *shards, err);
    if (shards == NULL)
        return -1;
    for (int i = 0; i < job->shard_count; i++)
        shards[i] = (elm_store_shard){job->shards[i].path, job->shards[i].size_bytes};
    elm_store_writer *writer = NULL;
    int status =
        elm_store_writer_create_index(&writer, job->request->out, info, job->class_names.name,
                                      shards, job->shard_count, longest, err);
    for (int64_t i = 0; status == 0 && i < count; i++)
        status =
            elm_store_writer_append_place(writer, store_split_names[(int)items[i]->split],
                                          items[i]->label, items[i]->name, &items[i]->place, err);
    elm_free(shards);
    if (status == 0)
        return elm_store_writer_finish(writer, err);
    elm_store_writer_destroy(writer);
    return -1;
}

/* A class without a training image can be evaluated but not learned. */
static int warn_of_empty_classes(const elm_index_build *job, int classes,
                                 elm_image_item *const *items, int64_t count, elm_error *err)
{
    int64_t *trained = elm_alloc((size_t)classes, sizeof *trained, err), all = 0;
    if (trained == NULL)
        return -1;
    for (int64_t i = 0; i < count; i++)
        if (items[i]->split == 0) {
            trained[items[i]->label]++;
            all++;
        }
    int empty = 0, first = -1;
    for (int c = 0; c < classes; c++)
        if (trained[c] == 0) {
            empty++;
            first = first < 0 ? c : first;
        }
    if (all > 0 && empty > 0)
        elm_log_warn(job->request->log,
                     "%d of %d classes have no training image, such as %d (%s): training on this "
                     "store will be refused; "
                     "--drop-empty-classes leaves them out",
                     empty, classes, first, job->class_names.name[first]);
    if (job->set->classes > 0 && (classes != job->set->classes || all != job->set->train_count))
        elm_log_warn(
            job->request->log,
            "%s as published has %d classes and %lld training images; here are %d and %lld",
            job->set->info.dataset, job->set->classes, (long long)job->set->train_count, classes,
            (long long)all);
    elm_free(trained);
    return 0;
}

int elm_index_write(elm_index_build *job, int classes, elm_error *err)
{
    int64_t count = 0;
    elm_image_item **items = ordered_items(job, &count, err);
    if (items == NULL)
        return -1;
    elm_store_info info = job->set->info;
    info.classes = classes;
    info.channels = 3;
    info.in_shards = true;
    int status = warn_of_empty_classes(job, classes, items, count, err);
    if (status == 0)
        status = write_index(job, &info, items, count, err);
    elm_free(items);
    return status;
}
