/* From the catalogue to the store: classes and their names, order, index. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/class_names.h"
#include "data/picture_job.h"
#include "elmpi/memory.h"

/** A folder's name within a picture's path. */
typedef struct folder_name {
    const char *text; /* NULL: none yet */
    int length;
} folder_name;

/* The folder that a picture lies in: the last part of the path but one. */
static bool folder_of(const char *path, folder_name *folder)
{
    const char *end = strrchr(path, '/');
    if (end == NULL)
        return false;
    const char *start = end;
    while (start > path && start[-1] != '/')
        start--;
    *folder = (folder_name){start, (int)(end - start)};
    return true;
}

static bool same_folder(const folder_name *a, const folder_name *b)
{
    return a->length == b->length && memcmp(a->text, b->text, (size_t)a->length) == 0;
}

static int by_folder(const void *a, const void *b)
{
    const folder_name *left = *(const folder_name *const *)a, *right = *(const folder_name *const *)b;
    const int shorter = left->length < right->length ? left->length : right->length;
    const int order = memcmp(left->text, right->text, (size_t)shorter);
    return order != 0 ? order : left->length - right->length;
}

/* Folders that name more than one class name none: text becomes NULL. */
static int forget_shared(folder_name *found, int classes, elm_error *err)
{
    folder_name **sorted = elm_alloc((size_t)classes, sizeof *sorted, err);
    int count = 0;
    if (sorted == NULL)
        return -1;
    for (int c = 0; c < classes; c++)
        if (found[c].text != NULL)
            sorted[count++] = &found[c];
    qsort(sorted, (size_t)count, sizeof *sorted, by_folder);
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && same_folder(sorted[i], sorted[end]);)
            end++;
        for (int k = i; end - i > 1 && k < end; k++)
            sorted[k]->text = NULL;
    }
    elm_free(sorted);
    return 0;
}

/* The folder of each class whose pictures all lie in one of that name, which is no other class's. */
static folder_name *find_folders(elm_picture_job *job, int classes, elm_error *err)
{
    folder_name *found = elm_alloc((size_t)classes, sizeof *found, err), folder;
    bool *mixed = found != NULL ? elm_alloc((size_t)classes, sizeof *mixed, err) : NULL;
    for (int64_t i = 0; mixed != NULL && i < elm_catalogue_count(job->catalogue); i++) {
        const elm_picture_item *item = elm_catalogue_at(job->catalogue, i);
        if (item->label >= classes)
            continue;
        if (!folder_of(item->name, &folder) || (found[item->label].text != NULL && !same_folder(&found[item->label], &folder)))
            mixed[item->label] = true;
        else if (found[item->label].text == NULL)
            found[item->label] = folder;
    }
    bool distinct = true; /* one folder for all classes says nothing */
    for (int c = 1; mixed != NULL && c < classes; c++)
        distinct &= found[c].text == NULL || found[0].text == NULL || !same_folder(&found[c], &found[0]);
    for (int c = 0; mixed != NULL && c < classes; c++)
        if (mixed[c] || !distinct)
            found[c].text = NULL;
    if (mixed == NULL || forget_shared(found, classes, err) != 0) {
        elm_free(found);
        found = NULL;
    }
    elm_free(mixed);
    return found;
}

/* Of classes without a name: the folder; else the number. */
static int name_listed_classes(elm_picture_job *job, int classes, elm_error *err)
{
    char name[ELM_NAME_BYTES_MAX + 1];
    folder_name *found = find_folders(job, classes, err);
    int status = found != NULL ? 0 : -1;
    for (int c = 0; status == 0 && c < classes; c++) {
        if (c < job->class_names.count && job->class_names.name[c] != NULL)
            continue;
        if (found[c].text != NULL)
            snprintf(name, sizeof name, "%.*s", found[c].length, found[c].text);
        else
            snprintf(name, sizeof name, "%d", c);
        status = elm_class_names_set(&job->class_names, job->catalogue, c, name, err);
    }
    elm_free(found);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Without lists: a class a folder, numbered in the order of their names. Labels are places in class_names so far. */
static int number_folders(elm_picture_job *job, int classes, elm_error *err)
{
    const char **before = elm_alloc((size_t)classes, sizeof *before, err);
    int32_t *place = before != NULL ? elm_alloc((size_t)classes, sizeof *place, err) : NULL;
    if (place != NULL) {
        memcpy(before, job->class_names.name, (size_t)classes * sizeof *before);
        qsort(job->class_names.name, (size_t)classes, sizeof *job->class_names.name, by_text);
        for (int c = 0; c < classes; c++) {
            const char **found = bsearch(&before[c], job->class_names.name, (size_t)classes, sizeof *before, by_text);
            place[c] = (int32_t)(found - job->class_names.name);
        }
        for (int64_t i = 0; i < elm_catalogue_count(job->catalogue); i++) {
            elm_picture_item *item = elm_catalogue_at(job->catalogue, i);
            item->label = place[item->label];
        }
    }
    const int status = place != NULL ? 0 : -1;
    elm_free(before);
    elm_free(place);
    return status;
}

static int by_class_and_name(const void *a, const void *b)
{
    const elm_picture_item *left = *(elm_picture_item *const *)a, *right = *(elm_picture_item *const *)b;
    return left->label != right->label ? left->label - right->label : strcmp(left->name, right->name);
}

/* Those with a place, in the order of the lists; without lists by class and name, however the archives hold them. */
static elm_picture_item **ordered_items(elm_picture_job *job, int64_t *count, elm_error *err)
{
    const int64_t all = elm_catalogue_count(job->catalogue);
    elm_picture_item **items = elm_alloc((size_t)all, sizeof *items, err);
    *count = 0;
    for (int64_t i = 0; items != NULL && i < all; i++)
        if (elm_catalogue_at(job->catalogue, i)->placed)
            items[(*count)++] = elm_catalogue_at(job->catalogue, i);
    if (items != NULL && !job->listed)
        qsort(items, (size_t)*count, sizeof *items, by_class_and_name);
    return items;
}

static int write_index(elm_picture_job *job, const elm_store_info *info, elm_picture_item *const *items, int64_t count, elm_error *err)
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
        elm_store_writer_create_index(&writer, job->request->out, info, job->class_names.name, shards, job->shard_count, longest, err);
    for (int64_t i = 0; status == 0 && i < count; i++)
        status = elm_store_writer_append_place(writer, store_split_names[(int)items[i]->split], items[i]->label, items[i]->name,
                                               &items[i]->place, err);
    elm_free(shards);
    if (status == 0)
        return elm_store_writer_finish(writer, err);
    elm_store_writer_destroy(writer);
    return -1;
}

/* A class without a training picture can be evaluated but not learned. */
static int warn_of_empty_classes(const elm_picture_job *job, int classes, elm_picture_item *const *items, int64_t count, elm_error *err)
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
                     "%d of %d classes have no training picture, such as %d (%s): training on this store will be refused", empty, classes,
                     first, job->class_names.name[first]);
    if (job->set->classes > 0 && (classes != job->set->classes || all != job->set->train_count))
        elm_log_warn(job->request->log, "%s as published has %d classes and %lld training pictures; here are %d and %lld",
                     job->set->info.dataset, job->set->classes, (long long)job->set->train_count, classes, (long long)all);
    elm_free(trained);
    return 0;
}

int elm_picture_store_write(elm_picture_job *job, elm_error *err)
{
    int classes = 0;
    for (int64_t i = 0; i < elm_catalogue_count(job->catalogue); i++) {
        const elm_picture_item *item = elm_catalogue_at(job->catalogue, i);
        if (item->label >= classes)
            classes = item->label + 1;
    }
    if ((job->listed ? name_listed_classes(job, classes, err) : number_folders(job, classes, err)) != 0 ||
        elm_class_names_finish(&job->class_names, job->catalogue, classes, !job->listed, job->request->pictures.encoding, job->request->log,
                               err) != 0)
        return -1;
    int64_t count = 0;
    elm_picture_item **items = ordered_items(job, &count, err);
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
