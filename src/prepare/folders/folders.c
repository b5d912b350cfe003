/* The names in all archives decide what their folders mean. */
#include "prepare/folders/folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "prepare/archives/archive_names.h"
#include "prepare/folders/links.h"
#include "prepare/folders/names.h"

static bool counts(const char *path)
{
    return elm_image_name_kind(path) == ELM_NAME_IMAGE && !elm_image_path_hidden(path, NULL) &&
           elm_path_check(path) == NULL;
}

static int take_linked(void *context, const char *path, const char *real, const char *problem,
                       elm_error *err)
{
    (void)problem;
    return real != NULL && counts(path) ? elm_link_table_add_file(context, path, err) : 0;
}

/* "data/train.tar.gz": the name of the split, where it is one. */
static bool archive_split(const char *archive, char front[IMAGE_FRONT_BYTES])
{
    char name[IMAGE_FRONT_BYTES];
    size_t length = strlen(archive), stem;
    while (length > 1 && archive[length - 1] == '/')
        length--;
    const char *base = archive + length;
    while (base > archive && base[-1] != '/')
        base--;
    if (snprintf(name, sizeof name, "%.*s", (int)(archive + length - base), base) >=
        (int)sizeof name)
        return false;
    if (elm_archive_is_name(name, &stem))
        name[stem] = '\0';
    snprintf(front, IMAGE_FRONT_BYTES, "%.250s/", name);
    return elm_image_name_split(name, strlen(name), NULL) >= 0;
}

const char *elm_index_build_front(const elm_index_build *job, const char *archive,
                                  char front[IMAGE_FRONT_BYTES])
{
    if (!job->split_archives || !archive_split(archive, front))
        front[0] = '\0';
    return front;
}

static bool are_splits(const elm_prepare_request *request)
{
    char front[IMAGE_FRONT_BYTES];
    for (int i = 0; i < request->archive_count; i++)
        if (!archive_split(request->archives[i], front))
            return false;
    return request->archive_count > 1;
}

static int add_archive(const elm_index_build *job, elm_link_table *all, const char *archive,
                       elm_error *err)
{
    char front[IMAGE_FRONT_BYTES];
    elm_link_table *table = NULL;
    int status =
        elm_image_links_scan(&table, archive, elm_index_build_front(job, archive, front), err);
    for (int64_t i = 0; status == 0 && i < elm_link_table_files(table); i++)
        if (counts(elm_link_table_file(table, i)))
            status = elm_link_table_add_file(all, elm_link_table_file(table, i), err);
    if (status == 0)
        status = elm_link_table_follow(table, take_linked, all, err);
    elm_link_table_destroy(table);
    return status;
}

static void say_layout(const elm_index_build *job)
{
    static const char *const texts[ELM_LAYOUTS] = {
        "", "a folder a split, in it a folder a class", "a folder a class",
        "a folder a class, in it a folder a split", "the class is the folder of the image"};
    const elm_layout *layout = &job->layout;
    elm_log_info(job->request->log, "folders are read as: %s%s%s", texts[layout->kind],
                 layout->root[0] != '\0' ? ", below " : "", layout->root);
    if (layout->deeper > 0)
        elm_log_warn(job->request->log,
                     "%lld images lie in folders within their class's folder, and belong to that "
                     "class, such as %s (--layout last: the "
                     "folder that an image lies in is its class)",
                     (long long)layout->deeper, layout->deeper_example);
}

static int read_names(elm_index_build *job, elm_layout_kind kind, int64_t *count, elm_error *err)
{
    const elm_prepare_request *request = job->request;
    elm_link_table *all = NULL;
    int status = elm_link_table_create(&all, err);
    for (int i = 0; status == 0 && i < request->archive_count; i++)
        status = add_archive(job, all, request->archives[i], err);
    if (status == 0) {
        elm_link_table_sort(all);
        *count = elm_link_table_files(all);
        status = elm_layout_decide(&job->layout, kind, elm_link_table_list(all), *count, err);
    }
    elm_link_table_destroy(all);
    return status;
}

int elm_image_folders_decide(elm_index_build *job, elm_error *err)
{
    elm_layout_kind kind;
    int64_t count = 0;
    if (elm_layout_kind_of(job->request->image_files.layout, &kind, err) != 0 ||
        read_names(job, kind, &count, err) != 0)
        return -1;
    /* Two archives train.zip and test.zip with folders of classes: their names say what is for
     * training. */
    if (kind == ELM_LAYOUT_AUTO && job->layout.kind == ELM_LAYOUT_CLASSES &&
        are_splits(job->request)) {
        job->split_archives = true;
        if (read_names(job, kind, &count, err) != 0)
            return -1;
    }
    if (count > 0)
        say_layout(job);
    return 0;
}
