/* Pictures without lists: the names in all archives decide what their folders mean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/link_table.h"
#include "data/picture_job.h"
#include "data/picture_names.h"
#include "elmpi/memory.h"

static bool counts(const char *path)
{
    return elm_picture_name_kind(path) == ELM_NAME_PICTURE && !elm_picture_path_hidden(path, NULL) && elm_name_problem(path) == NULL;
}

static int take_linked(void *context, const char *path, const char *real, const char *problem, elm_error *err)
{
    (void)problem;
    return real != NULL && counts(path) ? elm_link_table_add_file(context, path, err) : 0;
}

static int add_archive(elm_link_table *all, const char *archive, elm_error *err)
{
    elm_link_table *table = NULL;
    int status = elm_picture_links_scan(&table, archive, err);
    for (int64_t i = 0; status == 0 && i < elm_link_table_files(table); i++)
        if (counts(elm_link_table_file(table, i)))
            status = elm_link_table_add_file(all, elm_link_table_file(table, i), err);
    if (status == 0)
        status = elm_link_table_follow(table, take_linked, all, err);
    elm_link_table_destroy(table);
    return status;
}

static void say_layout(const elm_picture_job *job)
{
    static const char *const texts[ELM_LAYOUTS] = {"", "a folder a split, in it a folder a class", "a folder a class",
                                                   "a folder a class, in it a folder a split", "the class is the folder of the picture"};
    const elm_layout *layout = &job->layout;
    elm_log_info(job->request->log, "folders are read as: %s%s%s", texts[layout->kind], layout->root[0] != '\0' ? ", below " : "",
                 layout->root);
    if (layout->deeper > 0)
        elm_log_warn(job->request->log,
                     "%lld pictures lie in folders within their class's folder, and belong to that class, such as %s (--layout last: the "
                     "folder that a picture lies in is its class)",
                     (long long)layout->deeper, layout->deeper_example);
}

int elm_picture_folders_decide(elm_picture_job *job, elm_error *err)
{
    const elm_prepare_request *request = job->request;
    elm_link_table *all = NULL;
    elm_layout_kind kind;
    if (elm_layout_kind_of(request->pictures.layout, &kind, err) != 0 || elm_link_table_create(&all, err) != 0)
        return -1;
    int status = 0;
    for (int i = 0; status == 0 && i < request->archive_count; i++)
        status = add_archive(all, request->archives[i], err);
    elm_link_table_sort(all);
    const int64_t count = elm_link_table_files(all);
    if (status == 0)
        status = elm_layout_decide(&job->layout, kind, elm_link_table_list(all), count, err);
    if (status == 0 && count > 0)
        say_layout(job);
    elm_link_table_destroy(all);
    return status;
}

static int leave_out(elm_picture_job *job, const char *path, const elm_layout_place *place, int *status, elm_error *err)
{
    bool attributes = false;
    if (elm_picture_path_hidden(path, &attributes))
        *status = elm_report_add(job->report, attributes ? ELM_REPORT_ATTRIBUTES : ELM_REPORT_HIDDEN, path,
                                 attributes ? "no picture" : "hidden, or in a hidden or a system's folder", err);
    else if (elm_picture_name_kind(path) == ELM_NAME_FOREIGN)
        *status = elm_report_add(job->report, ELM_REPORT_FOREIGN, path, "neither JPEG nor PNG", err);
    else if (place->problem != NULL)
        *status = elm_report_add(job->report, ELM_REPORT_LOOSE, path, place->problem, err);
    else
        return 0;
    return 1;
}

elm_picture_item *elm_picture_folders_item(elm_picture_job *job, const char *path, int *status, elm_error *err)
{
    char folder[ELM_NAME_BYTES_MAX + 1];
    elm_picture_item *item = elm_catalogue_exact(job->catalogue, path);
    if (item != NULL || elm_picture_name_kind(path) == ELM_NAME_OTHER)
        return item;
    const elm_layout_place place = elm_layout_classify(&job->layout, path);
    if (leave_out(job, path, &place, status, err) != 0)
        return NULL;
    snprintf(folder, sizeof folder, "%.*s", place.length, place.folder);
    const elm_picture_item *own = elm_catalogue_exact(job->folders, folder);
    if (own == NULL) {
        const int32_t label = (int32_t)elm_catalogue_count(job->folders);
        if (label > ELM_LABEL_MAX) {
            *status = elm_error_set(err, ELM_EXIT_FAILURE, "more than %d folders of classes (%s): give lists", ELM_LABEL_MAX + 1, path);
            return NULL;
        }
        own = elm_catalogue_add(job->folders, folder, 0, label, err);
        if (own != NULL && elm_class_names_set(&job->class_names, job->catalogue, label, folder, err) != 0)
            own = NULL;
    }
    item = own != NULL ? elm_catalogue_add(job->catalogue, path, place.split, own->label, err) : NULL;
    *status = item != NULL ? 0 : -1;
    return item;
}
