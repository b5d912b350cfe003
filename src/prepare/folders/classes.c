#include "prepare/folders/classes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "prepare/folders/names.h"
#include "prepare/lists/class_names.h"

/** A folder's name within an image's path. */
typedef struct folder_name {
    const char *text; /* NULL: none yet */
    int length;
} folder_name;

/* The folder that an image lies in: the last part of the path but one. */
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
    const folder_name *left = *(const folder_name *const *)a,
                      *right = *(const folder_name *const *)b;
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

/* The folder of each class whose images all lie in one of that name, which is no other
 * class's. */
static folder_name *find_folders(elm_index_build *job, int classes, elm_error *err)
{
    folder_name *found = elm_alloc((size_t)classes, sizeof *found, err), folder;
    bool *mixed = found != NULL ? elm_alloc((size_t)classes, sizeof *mixed, err) : NULL;
    for (int64_t i = 0; mixed != NULL && i < elm_manifest_count(job->catalog); i++) {
        const elm_image_item *item = elm_manifest_at(job->catalog, i);
        if (item->label >= classes)
            continue;
        if (!folder_of(item->name, &folder) ||
            (found[item->label].text != NULL && !same_folder(&found[item->label], &folder)))
            mixed[item->label] = true;
        else if (found[item->label].text == NULL)
            found[item->label] = folder;
    }
    bool distinct = true; /* one folder for all classes says nothing */
    for (int c = 1; mixed != NULL && c < classes; c++)
        distinct &=
            found[c].text == NULL || found[0].text == NULL || !same_folder(&found[c], &found[0]);
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
static int name_listed_classes(elm_index_build *job, int classes, elm_error *err)
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
        status = elm_class_names_set(&job->class_names, job->catalog, c, name, err);
    }
    elm_free(found);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Without lists: a class a folder, numbered in the order of their names. Labels are places in
 * class_names so far. */
static int number_folders(elm_index_build *job, int classes, elm_error *err)
{
    const char **before = elm_alloc((size_t)classes, sizeof *before, err);
    int32_t *place = before != NULL ? elm_alloc((size_t)classes, sizeof *place, err) : NULL;
    if (place != NULL) {
        memcpy(before, job->class_names.name, (size_t)classes * sizeof *before);
        qsort(job->class_names.name, (size_t)classes, sizeof *job->class_names.name, by_text);
        for (int c = 0; c < classes; c++) {
            const char **found = bsearch(&before[c], job->class_names.name, (size_t)classes,
                                         sizeof *before, by_text);
            place[c] = (int32_t)(found - job->class_names.name);
        }
        for (int64_t i = 0; i < elm_manifest_count(job->catalog); i++) {
            elm_image_item *item = elm_manifest_at(job->catalog, i);
            item->label = place[item->label];
        }
    }
    const int status = place != NULL ? 0 : -1;
    elm_free(before);
    elm_free(place);
    return status;
}

/* Of the labels. A list's line that begins with # may be meant as a comment: it makes no class. */
static int count_labels(elm_index_build *job)
{
    int classes = 0;
    for (int64_t i = 0; i < elm_manifest_count(job->catalog); i++) {
        const elm_image_item *item = elm_manifest_at(job->catalog, i);
        if (item->label >= classes && (item->placed || item->name[0] != '#'))
            classes = item->label + 1;
    }
    return classes;
}

/* Images of each class; `first`: of the training split alone. */
static int64_t *count_images(elm_index_build *job, int classes, bool first, int64_t *all,
                             elm_error *err)
{
    int64_t *count = elm_alloc((size_t)classes, sizeof *count, err);
    *all = 0;
    for (int64_t i = 0; count != NULL && i < elm_manifest_count(job->catalog); i++) {
        const elm_image_item *item = elm_manifest_at(job->catalog, i);
        if (item->placed && item->label < classes && (!first || item->split == 0)) {
            count[item->label]++;
            (*all)++;
        }
    }
    return count;
}

/* Without lists, a folder "images" in val or test that no training class has is no class: its
 * images are unlabeled. */
static bool is_dropped(const elm_index_build *job, const char *name, int64_t images, bool trained)
{
    if (images > 0)
        return false;
    return job->request->image_files.drop_empty ||
           (!job->listed && trained && elm_image_name_filler(name));
}

/* Leaves classes out whose new number is negative. */
static int renumber(elm_index_build *job, const int *number, int classes, elm_error *err)
{
    for (int64_t i = 0; i < elm_manifest_count(job->catalog); i++) {
        elm_image_item *item = elm_manifest_at(job->catalog, i);
        if (item->label >= classes)
            continue;
        const int own = number[item->label];
        if (own >= 0) {
            item->label = own;
            continue;
        }
        if (item->placed && elm_rejects_add(job->report, ELM_REPORT_CLASS, item->name,
                                            "its class has no training image", err) != 0)
            return -1;
        item->placed = false;
        item->label = 0;
    }
    for (int c = 0; c < classes; c++)
        if (number[c] >= 0)
            job->class_names.name[number[c]] = job->class_names.name[c];
    return 0;
}

static int drop_classes(elm_index_build *job, int *classes, elm_error *err)
{
    int64_t all;
    int64_t *count = count_images(job, *classes, true, &all, err);
    const bool trained = all > 0;
    if (count != NULL && !trained) { /* only to be evaluated: then any image counts */
        elm_free(count);
        count = count_images(job, *classes, false, &all, err);
    }
    int *number = count != NULL ? elm_alloc((size_t)*classes, sizeof *number, err) : NULL, left = 0;
    for (int c = 0; number != NULL && c < *classes; c++)
        number[c] = is_dropped(job, job->class_names.name[c], count[c], trained) ? -1 : left++;
    int status = number != NULL ? 0 : -1;
    if (status == 0 && left < *classes) {
        elm_log_info(job->request->log,
                     "classes without a training image are left out, the others numbered anew: %d",
                     *classes - left);
        status = renumber(job, number, *classes, err);
        *classes = left;
    }
    elm_free(count);
    elm_free(number);
    return status;
}

/* Names that no list's label reaches are classes all the same: often the list is a part of a
 * larger set, but they may be those of another. */
static int check_named(const elm_index_build *job, int classes, elm_error *err)
{
    if (job->named <= classes ||
        (job->request->image_files.drop_empty && !job->request->image_files.strict))
        return 0;
    const char *first = job->class_names.name[classes];
    if (job->request->image_files.strict)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "%d names for %d classes (--class-names %s): remove those from \"%.100s\" on",
            job->named, classes, job->request->image_files.class_names, first);
    elm_log_warn(job->request->log,
                 "%d names for %d classes (%s): those from \"%.100s\" on have no image; "
                 "--drop-empty-classes leaves them out",
                 job->named, classes, job->request->image_files.class_names, first);
    return 0;
}

int elm_image_classes_settle(elm_index_build *job, int *classes, elm_error *err)
{
    const int labels = count_labels(job);
    *classes = job->named > labels ? job->named : labels;
    if ((job->listed ? name_listed_classes(job, *classes, err)
                     : number_folders(job, *classes, err)) != 0 ||
        elm_class_names_finish(&job->class_names, job->catalog, *classes, !job->listed,
                               job->request->image_files.encoding, job->request->log, err) != 0 ||
        check_named(job, labels, err) != 0)
        return -1;
    return drop_classes(job, classes, err);
}
