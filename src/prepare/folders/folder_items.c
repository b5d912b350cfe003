#include "prepare/folders/folder_items.h"

#include <stdio.h>

#include "prepare/folders/names.h"

static int leave_out(elm_index_build *job, const char *path, const elm_layout_place *place,
                     int *status, elm_error *err)
{
    bool attributes = false;
    if (elm_image_path_hidden(path, &attributes))
        *status = elm_rejects_add(
            job->report, attributes ? ELM_REPORT_ATTRIBUTES : ELM_REPORT_HIDDEN, path,
            attributes ? "no image" : "hidden, or in a hidden or a system's folder", err);
    else if (elm_image_name_kind(path) == ELM_NAME_FOREIGN)
        *status =
            elm_rejects_add(job->report, ELM_REPORT_FOREIGN, path, "neither JPEG nor PNG", err);
    else if (place->problem != NULL)
        *status = elm_rejects_add(job->report, ELM_REPORT_LOOSE, path, place->problem, err);
    else
        return 0;
    return 1;
}

elm_image_item *elm_image_folders_item(elm_index_build *job, const char *path, int *status,
                                       elm_error *err)
{
    char folder[ELM_NAME_BYTES_MAX + 1];
    elm_image_item *item = elm_manifest_exact(job->catalog, path);
    if (item != NULL)
        return item;
    if (elm_image_name_kind(path) == ELM_NAME_OTHER) {
        if (!elm_image_path_hidden(path, NULL))
            elm_rejects_pass(job->report, path);
        return NULL;
    }
    const elm_layout_place place = elm_layout_classify(&job->layout, path);
    if (leave_out(job, path, &place, status, err) != 0)
        return NULL;
    snprintf(folder, sizeof folder, "%.*s", place.length, place.folder);
    const elm_image_item *own = elm_manifest_exact(job->folders, folder);
    if (own == NULL) {
        const int32_t label = (int32_t)elm_manifest_count(job->folders);
        if (label > ELM_LABEL_MAX) {
            *status = elm_error_set(err, ELM_EXIT_FAILURE,
                                    "more than %d folders of classes (%s): give lists",
                                    ELM_LABEL_MAX + 1, path);
            return NULL;
        }
        own = elm_manifest_add(job->folders, folder, 0, label, err);
        if (own != NULL &&
            elm_class_names_set(&job->class_names, job->catalog, label, folder, err) != 0)
            own = NULL;
    }
    item = own != NULL ? elm_manifest_add(job->catalog, path, place.split, own->label, err) : NULL;
    *status = item != NULL ? 0 : -1;
    return item;
}
