/* Reading. The digest only tells that the file is as somebody wrote it, so types, shapes and
 * sizes are checked too: nothing is allocated that the file does not hold. */
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file/guard.h"
#include "checkpoint/format.h"
#include "elmpi/checkpoint.h"
#include "elmpi/memory.h"
#include "hdf5/read.h"

enum { CLASSES_MAX = 1 << 20 };

/* The file under way. */
typedef struct reader {
    const char *path;
    hid_t file;
    uint64_t bytes_left; /* of the file, not yet claimed by an array */
    elm_checkpoint *made;
    const char *group; /* being visited */
    int place;         /* of the next entry; the first visit only counts */
    bool counting;
    elm_error *err;
} reader;

static int refuse(const reader *r, const char *what)
{
    return elm_error_set(
        r->err, ELM_EXIT_FAILURE,
        "%s has an unexpected form (%s): this is no checkpoint of this elmpi; use another file",
        what, r->path);
}

/* Uncompressed, written in full, inside this file, and within what is left of the file. */
static bool storage_is_honest(reader *r, hid_t array, uint64_t bytes)
{
    const hid_t layout = H5Dget_create_plist(array);
    if (layout < 0)
        return false;
    const bool honest =
        elm_h5_is_inside(layout) && (elm_h5_filters(layout) | ELM_H5_CHECKSUM) == ELM_H5_CHECKSUM;
    H5Pclose(layout);
    if (!honest || bytes > r->bytes_left || (bytes && H5Dget_storage_size(array) < bytes))
        return false;
    r->bytes_left -= bytes;
    return true;
}

/* Opens an array and takes its shape. Returns the data set, -1 when absent or not honest. */
static hid_t open_array(reader *r, const char *path, H5T_class_t kind, int *dimensions,
                        int64_t *shape, size_t *element_bytes)
{
    const hid_t array = H5Dopen2(r->file, path, H5P_DEFAULT);
    if (array < 0)
        return -1;
    const hid_t space = H5Dget_space(array), type = H5Dget_type(array);
    hsize_t extents[ELM_RANK_MAX] = {0};
    uint64_t bytes = *element_bytes = H5Tget_size(type);
    bool good = H5Tget_class(type) == kind && H5Tis_variable_str(type) <= 0 &&
                (kind == H5T_STRING || elm_h5_is_number(type));
    *dimensions = H5Sget_simple_extent_ndims(space);
    good = good && *dimensions >= 0 && *dimensions <= ELM_RANK_MAX &&
           H5Sget_simple_extent_type(space) != H5S_NULL;
    if (good && *dimensions)
        good = H5Sget_simple_extent_dims(space, extents, NULL) == *dimensions;
    for (int i = 0; good && i < *dimensions; i++) {
        shape[i] = (int64_t)extents[i];
        good = !__builtin_mul_overflow(bytes, extents[i], &bytes) && bytes <= INT64_MAX &&
               extents[i] <= INT64_MAX;
    }
    good = good && storage_is_honest(r, array, bytes);
    H5Tclose(type);
    H5Sclose(space);
    if (good)
        return array;
    H5Dclose(array);
    return -1;
}

/* A whole array of at most one dimension as `mem_type`.
 *  Owns:   *values to be freed with elm_free. */
static int read_list(reader *r, const char *path, H5T_class_t kind, hid_t mem_type, int64_t *count,
                     void **values)
{
    int dimensions;
    int64_t shape[ELM_RANK_MAX] = {0};
    size_t element_bytes;
    *values = NULL;
    const hid_t array = open_array(r, path, kind, &dimensions, shape, &element_bytes);
    if (array < 0)
        return refuse(r, path);
    int status = dimensions == 1 ? 0 : refuse(r, path);
    if (!status) {
        *count = shape[0];
        *values = elm_alloc((size_t)*count, H5Tget_size(mem_type), r->err);
        status = *values ? 0 : -1;
    }
    if (!status && *count && H5Dread(array, mem_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values) < 0)
        status = refuse(r, path);
    H5Dclose(array);
    return status;
}

/* Texts of fixed length, each ended by a zero: count of them, `size` bytes apart.
 *  Owns:   the returned block (elm_free), NULL on failure. */
static char *read_texts(reader *r, const char *path, int dimensions_wanted, int64_t *count,
                        size_t *size)
{
    int dimensions;
    int64_t shape[ELM_RANK_MAX];
    size_t element_bytes;
    const hid_t array = open_array(r, path, H5T_STRING, &dimensions, shape, &element_bytes);
    if (array < 0 || dimensions != dimensions_wanted) {
        if (array >= 0)
            H5Dclose(array);
        refuse(r, path);
        return NULL;
    }
    *count = dimensions ? shape[0] : 1;
    *size = element_bytes + 1;
    const hid_t file_type = H5Dget_type(array), type = H5Tcopy(file_type);
    H5Tset_size(type, *size);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    char *texts = elm_alloc((size_t)*count, *size, r->err);
    if (texts && *count && H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) < 0) {
        refuse(r, path);
        elm_free(texts);
        texts = NULL;
    }
    H5Tclose(type);
    H5Tclose(file_type);
    H5Dclose(array);
    return texts;
}

static int read_number(const reader *r, const char *name, hid_t mem_type, void *value)
{
    return elm_h5_numbers(r->file, name, mem_type, 1, value) != 0 ? refuse(r, name) : 0;
}

/* An attribute's text, NULL on failure.
 *  Owns:   the caller (elm_free). */
static char *read_text(const reader *r, const char *name)
{
    char *text = NULL;
    const hid_t attribute = H5Aopen(r->file, name, H5P_DEFAULT);
    if (attribute < 0) {
        refuse(r, name);
        return NULL;
    }
    const hid_t space = H5Aget_space(attribute), file_type = H5Aget_type(attribute),
                type = H5Tcopy(file_type);
    const size_t size = H5Tget_size(file_type) + 1;
    bool good = H5Tget_class(file_type) == H5T_STRING && H5Tis_variable_str(file_type) <= 0 &&
                H5Sget_simple_extent_npoints(space) == 1 && size <= r->bytes_left;
    if (good) {
        H5Tset_size(type, size);
        H5Tset_strpad(type, H5T_STR_NULLTERM);
        text = elm_alloc(size, 1, r->err);
        good = text && H5Aread(attribute, type, text) >= 0;
    }
    H5Tclose(type);
    H5Tclose(file_type);
    H5Sclose(space);
    H5Aclose(attribute);
    if (good)
        return text;
    elm_free(text);
    refuse(r, name);
    return NULL;
}

static int read_facts(reader *r)
{
    elm_checkpoint *c = r->made;
    int version = 0;
    char *format = read_text(r, "format");
    if (!format)
        return -1;
    const bool ours = !strcmp(format, ELM_CHECKPOINT_FORMAT);
    elm_free(format);
    if (!ours)
        return refuse(r, "format");
    if (read_number(r, "version", H5T_NATIVE_INT, &version))
        return -1;
    if (version != ELM_CHECKPOINT_VERSION)
        return elm_error_set(
            r->err, ELM_EXIT_FAILURE,
            "checkpoint of version %d (%s): this elmpi reads version %d; use the one that wrote it",
            version, r->path, ELM_CHECKPOINT_VERSION);
    if (read_number(r, "epoch", H5T_NATIVE_DOUBLE, &c->epoch) ||
        read_number(r, "step", H5T_NATIVE_INT64, &c->step) ||
        read_number(r, "seed", H5T_NATIVE_UINT64, &c->seed) ||
        read_number(r, "ranks", H5T_NATIVE_INT, &c->ranks))
        return -1;
    if (!isfinite(c->epoch) || c->epoch < 0)
        return refuse(r, "epoch");
    if (c->step < 0)
        return refuse(r, "step");
    if (c->ranks < 1)
        return refuse(r, "ranks");
    c->git = read_text(r, "git");
    /* Checkpoints of the first versions do not say. */
    c->made_with =
        H5Aexists(r->file, "made_with") > 0 ? read_text(r, "made_with") : elm_alloc(1, 1, r->err);
    if (!c->git || !c->made_with)
        return -1;
    int64_t count;
    size_t size;
    c->job = read_texts(r, "job", 0, &count, &size);
    return c->job ? 0 : -1;
}

/* Names one by one, as the struct holds them. */
static int split_names(reader *r, const char *texts, size_t size, int count)
{
    char **names = elm_alloc((size_t)count, sizeof *names, r->err);
    if (!names)
        return -1;
    r->made->class_names = (const char *const *)names;
    r->made->classes = count;
    for (int i = 0; i < count; i++) {
        const char *text = texts + (size_t)i * size;
        names[i] = elm_alloc(strlen(text) + 1, 1, r->err);
        if (!names[i])
            return -1;
        memcpy(names[i], text, strlen(text));
    }
    return 0;
}

static bool has(const reader *r, const char *path)
{
    char part[64];
    snprintf(part, sizeof part, "%.*s", (int)strcspn(path, "/"), path);
    return H5Lexists(r->file, part, H5P_DEFAULT) > 0 && H5Lexists(r->file, path, H5P_DEFAULT) > 0;
}

static int read_classes(reader *r)
{
    int64_t names = 0, counts = 0;
    size_t size;
    if (has(r, "classes/name")) {
        char *texts = read_texts(r, "classes/name", 1, &names, &size);
        if (!texts)
            return -1;
        const int status = names <= CLASSES_MAX ? split_names(r, texts, size, (int)names)
                                                : refuse(r, "classes/name");
        elm_free(texts);
        if (status)
            return -1;
    }
    if (has(r, "classes/train_count")) {
        void *values;
        if (read_list(r, "classes/train_count", H5T_INTEGER, H5T_NATIVE_INT64, &counts, &values)) {
            elm_free(values);
            return -1;
        }
        r->made->class_count = values;
        for (int64_t c = 0; c < counts; c++)
            if (r->made->class_count[c] < 0)
                return refuse(r, "classes/train_count");
        if (counts > CLASSES_MAX || (r->made->class_names && counts != names))
            return refuse(r, "classes/train_count");
        r->made->classes = (int)counts;
    }
    return 0;
}

/* The array at `path` as the next tensor. */
static int read_tensor(reader *r, const char *path)
{
    elm_tensor *t = &r->made->tensors[r->place];
    size_t element_bytes;
    const hid_t array = open_array(r, path, H5T_FLOAT, &t->dimensions, t->shape, &element_bytes);
    if (array < 0)
        return refuse(r, path);
    int status =
        strlen(path) < sizeof t->name && element_bytes == sizeof(float) ? 0 : refuse(r, path);
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
        status = refuse(r, path);
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
            return refuse(r, "history");
        char path[sizeof column->name + 16];
        void *values;
        snprintf(column->name, sizeof column->name, "%s", name);
        snprintf(path, sizeof path, "history/%s", name);
        const int status =
            read_list(r, path, H5T_FLOAT, H5T_NATIVE_DOUBLE, &column->count, &values);
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
            return refuse(r, name);
        snprintf(value->name, sizeof value->name, "%s", name);
        if (read_number(&there, name, H5T_NATIVE_DOUBLE, &value->value))
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
        if (has(r, r->group) && H5Lvisit_by_name(r->file, r->group, H5_INDEX_NAME, H5_ITER_INC,
                                                 visit_tensor, r, H5P_DEFAULT) < 0)
            return -1;
    }
    return 0;
}

static int read_tensors(reader *r)
{
    if (visit_tensors(r, true))
        return refuse(r, "the list of tensors");
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

static int read_history(reader *r)
{
    if (!has(r, "history"))
        return 0;
    if (visit_columns(r, true))
        return refuse(r, "history");
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

static int read_progress(reader *r)
{
    const hid_t group = H5Gopen2(r->file, "progress", H5P_DEFAULT);
    if (group < 0)
        return refuse(r, "progress");
    int status = visit_values(r, group, true) ? refuse(r, "progress") : 0;
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

/* Where the tail is, if there is one: the file's last bytes. */
static int read_tail_place(reader *r, int64_t file_bytes)
{
    elm_checkpoint_tail *tail = &r->made->tail;
    int64_t record_bytes = 0, bytes = 0;
    if (H5Aexists(r->file, "bank_records") <= 0)
        return 0;
    if (read_number(r, "bank_records", H5T_NATIVE_INT64, &tail->records) ||
        read_number(r, "bank_record_bytes", H5T_NATIVE_INT64, &record_bytes))
        return -1;
    if (tail->records < 0 || record_bytes < 1 ||
        __builtin_mul_overflow(tail->records, record_bytes, &bytes) ||
        bytes > (int64_t)r->bytes_left)
        return refuse(r, "bank_records");
    r->bytes_left -= (uint64_t)bytes;
    tail->record_bytes = (size_t)record_bytes;
    tail->offset = file_bytes - bytes;
    return 0;
}

static int inner_version(const char *path, elm_error *err)
{
    int version = -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = elm_h5_access();
    const reader r = {.path = path, .file = H5Fopen(path, H5F_ACC_RDONLY, access), .err = err};
    H5Pclose(access);
    if (r.file < 0 || read_number(&r, "version", H5T_NATIVE_INT, &version))
        version = -1;
    if (r.file >= 0)
        H5Fclose(r.file);
    return version;
}

int elm_checkpoint_read_unguarded(const char *path, elm_checkpoint **checkpoint, elm_error *err)
{
    *checkpoint = NULL;
    struct stat about;
    elm_error own = {0};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = elm_h5_access();
    reader r = {.path = path, .err = &own, .file = H5Fopen(path, H5F_ACC_RDONLY, access)};
    H5Pclose(access);
    if (r.file < 0 || stat(path, &about)) {
        if (r.file >= 0)
            H5Fclose(r.file);
        r.err = err;
        return refuse(&r, "the file");
    }
    r.bytes_left = (uint64_t)about.st_size;
    r.made = elm_alloc(1, sizeof *r.made, &own);
    const bool good = r.made && !read_facts(&r) && !read_tail_place(&r, (int64_t)about.st_size) &&
                      !read_classes(&r) && !read_tensors(&r) && !read_history(&r) &&
                      !read_progress(&r);
    H5Fclose(r.file);
    if (good) {
        *checkpoint = r.made;
        return 0;
    }
    elm_checkpoint_free(r.made);
    if (!*own.text) /* HDF5 itself gave up, on its way to what was looked for */
        refuse(&r, "its list of objects");
    return elm_error_set(err, own.code, "%s", own.text);
}

int elm_checkpoint_read_checked(const char *path, elm_checkpoint **checkpoint, elm_error *err)
{
    *checkpoint = NULL;
    return elm_guard_check("checkpoint", path, err)
               ? -1
               : elm_checkpoint_read_unguarded(path, checkpoint, err);
}

int elm_checkpoint_read(const char *path, elm_checkpoint **checkpoint, elm_error *err)
{
    *checkpoint = NULL;
    return elm_checkpoint_verify(path, err) ? -1
                                            : elm_checkpoint_read_checked(path, checkpoint, err);
}

int elm_checkpoint_inner_version(const char *path)
{
    return elm_guard_check("checkpoint version", path, NULL) ? -1 : inner_version(path, NULL);
}

/* What the second process does. */
static int read_and_free(const char *path, elm_error *err)
{
    elm_checkpoint *checkpoint = NULL;
    const int status = elm_checkpoint_read_unguarded(path, &checkpoint, err);
    elm_checkpoint_free(checkpoint);
    return status;
}

static int read_version(const char *path, elm_error *err)
{
    return inner_version(path, err) < 0 ? -1 : 0;
}

ELM_GUARD_SERVE(checkpoint, "checkpoint", read_and_free)
ELM_GUARD_SERVE(version, "checkpoint version", read_version)
