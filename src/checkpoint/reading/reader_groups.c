/* Groups of a checkpoint whose members are not known beforehand: tensors, history, progress.
 * Each is visited twice, first to count. */
#include <stdio.h>
#include <string.h>

#include "checkpoint/reading/reader.h"
#include "elmpi/memory.h"

/* The array at `path` as the next tensor. */
static int read_tensor(reader *r, const char *path)
{
    elm_tensor *t = &r->made->tensors[r->place];
    size_t element_bytes;
    const hid_t array =
        reader_open_array(r, path, H5T_FLOAT, &t->dimensions, t->shape, &element_bytes);
    if (array < 0)
        return reader_refuse(r, path);
    int status = strlen(path) < sizeof t->name && element_bytes == sizeof(float)
                     ? 0
                     : reader_refuse(r, path);
    t->count = 1;
    for (int i = 0; !status && i < t->dimensions; i++)
        t->count *= t->shape[i];
    if (!status) {
        memcpy(t->name, path, strlen(path) + 1);
        t->data = elm_alloc((size_t)t->count, sizeof(float), r->err);
        status = t->data ? 0 : -1;
    }
    if (!status && t->count &&
        H5Dread(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, t->data) < 0)
        status = reader_refuse(r, path);
    H5Dclose(array);
    return status;
}

/* Whether a link leads to a data set. */
static bool is_array(hid_t group, const char *name)
{
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    const bool yes = object >= 0 && H5Iget_type(object) == H5I_DATASET;
    if (object >= 0)
        H5Oclose(object);
    return yes;
}

static herr_t visit_tensor(hid_t group, const char *name, const H5L_info_t *link, void *context)
{
    reader *r = context;
    if (link->type != H5L_TYPE_HARD || !is_array(group, name))
        return 0;
    if (!r->counting) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", r->group, name);
        if (r->place >= r->made->tensor_count || read_tensor(r, path))
            return -1;
    }
    r->place++;
    return 0;
}

static herr_t visit_history(hid_t group, const char *name, const H5L_info_t *link, void *context)
{
    reader *r = context;
    if (link->type != H5L_TYPE_HARD || !is_array(group, name))
        return 0;
    if (!r->counting) {
        elm_history_column *column = &r->made->history[r->place];
        if (r->place >= r->made->history_count || strlen(name) >= sizeof column->name)
            return reader_refuse(r, "history");
        char path[sizeof column->name + 16];
        void *values;
        snprintf(column->name, sizeof column->name, "%s", name);
        snprintf(path, sizeof path, "history/%s", name);
        const int status =
            reader_read_list(r, path, H5T_FLOAT, H5T_NATIVE_DOUBLE, &column->count, &values);
        column->values = values;
        if (status)
            return -1;
    }
    r->place++;
    return 0;
}

static herr_t visit_progress(hid_t group, const char *name, const H5A_info_t *about, void *context)
{
    (void)about;
    reader *r = context;
    if (!r->counting) {
        elm_progress_value *value = &r->made->progress[r->place];
        const reader there = {.path = r->path, .file = group, .err = r->err};
        if (r->place >= r->made->progress_count || strlen(name) >= sizeof value->name)
            return reader_refuse(r, name);
        snprintf(value->name, sizeof value->name, "%s", name);
        if (reader_read_number(&there, name, H5T_NATIVE_DOUBLE, &value->value))
            return -1;
    }
    r->place++;
    return 0;
}

static int visit_tensors(reader *r, bool counting)
{
    r->counting = counting;
    r->place = 0;
    for (int i = 0; i < ELM_TENSOR_GROUPS; i++) {
        r->group = elm_tensor_groups[i];
        if (reader_has(r, r->group) &&
            H5Lvisit_by_name(r->file, r->group, H5_INDEX_NAME, H5_ITER_INC, visit_tensor, r,
                             H5P_DEFAULT) < 0)
            return -1;
    }
    return 0;
}

int reader_read_tensors(reader *r)
{
    if (visit_tensors(r, true))
        return reader_refuse(r, "the list of tensors");
    r->made->tensors = elm_alloc((size_t)r->place, sizeof *r->made->tensors, r->err);
    if (!r->made->tensors)
        return -1;
    r->made->tensor_count = r->place;
    return visit_tensors(r, false);
}

static int visit_columns(reader *r, bool counting)
{
    r->counting = counting;
    r->place = 0;
    hsize_t position = 0;
    return H5Literate_by_name(r->file, "history", H5_INDEX_NAME, H5_ITER_INC, &position,
                              visit_history, r, H5P_DEFAULT) < 0
               ? -1
               : 0;
}

int reader_read_history(reader *r)
{
    if (!reader_has(r, "history"))
        return 0;
    if (visit_columns(r, true))
        return reader_refuse(r, "history");
    r->made->history = elm_alloc((size_t)r->place, sizeof *r->made->history, r->err);
    if (!r->made->history)
        return -1;
    r->made->history_count = r->place;
    return visit_columns(r, false);
}

static int visit_values(reader *r, hid_t group, bool counting)
{
    r->counting = counting;
    r->place = 0;
    hsize_t position = 0;
    return H5Aiterate2(group, H5_INDEX_NAME, H5_ITER_INC, &position, visit_progress, r) < 0 ? -1
                                                                                            : 0;
}

int reader_read_progress(reader *r)
{
    const hid_t group = H5Gopen2(r->file, "progress", H5P_DEFAULT);
    if (group < 0)
        return reader_refuse(r, "progress");
    int status = visit_values(r, group, true) ? reader_refuse(r, "progress") : 0;
    if (!status) {
        r->made->progress = elm_alloc((size_t)r->place, sizeof *r->made->progress, r->err);
        status = r->made->progress ? 0 : -1;
    }
    if (!status) {
        r->made->progress_count = r->place;
        status = visit_values(r, group, false);
    }
    H5Gclose(group);
    return status;
}
