#include "checkpoint/reading/reader.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "hdf5/read.h"

int reader_refuse(const reader *r, const char *what)
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

hid_t reader_open_array(reader *r, const char *path, H5T_class_t kind, int *dimensions,
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

int reader_read_list(reader *r, const char *path, H5T_class_t kind, hid_t mem_type, int64_t *count,
                     void **values)
{
    int dimensions;
    int64_t shape[ELM_RANK_MAX] = {0};
    size_t element_bytes;
    *values = NULL;
    const hid_t array = reader_open_array(r, path, kind, &dimensions, shape, &element_bytes);
    if (array < 0)
        return reader_refuse(r, path);
    int status = dimensions == 1 ? 0 : reader_refuse(r, path);
    if (!status) {
        *count = shape[0];
        *values = elm_alloc((size_t)*count, H5Tget_size(mem_type), r->err);
        status = *values ? 0 : -1;
    }
    if (!status && *count && H5Dread(array, mem_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values) < 0)
        status = reader_refuse(r, path);
    H5Dclose(array);
    return status;
}

char *reader_read_texts(reader *r, const char *path, int dimensions_wanted, int64_t *count,
                        size_t *size)
{
    int dimensions;
    int64_t shape[ELM_RANK_MAX];
    size_t element_bytes;
    const hid_t array = reader_open_array(r, path, H5T_STRING, &dimensions, shape, &element_bytes);
    if (array < 0 || dimensions != dimensions_wanted) {
        if (array >= 0)
            H5Dclose(array);
        reader_refuse(r, path);
        return NULL;
    }
    *count = dimensions ? shape[0] : 1;
    *size = element_bytes + 1;
    const hid_t file_type = H5Dget_type(array), type = H5Tcopy(file_type);
    H5Tset_size(type, *size);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    char *texts = elm_alloc((size_t)*count, *size, r->err);
    if (texts && *count && H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) < 0) {
        reader_refuse(r, path);
        elm_free(texts);
        texts = NULL;
    }
    H5Tclose(type);
    H5Tclose(file_type);
    H5Dclose(array);
    return texts;
}

int reader_read_number(const reader *r, const char *name, hid_t mem_type, void *value)
{
    return elm_h5_numbers(r->file, name, mem_type, 1, value) != 0 ? reader_refuse(r, name) : 0;
}

char *reader_read_text(const reader *r, const char *name)
{
    char *text = NULL;
    const hid_t attribute = H5Aopen(r->file, name, H5P_DEFAULT);
    if (attribute < 0) {
        reader_refuse(r, name);
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
    reader_refuse(r, name);
    return NULL;
}

bool reader_has(const reader *r, const char *path)
{
    char part[64];
    snprintf(part, sizeof part, "%.*s", (int)strcspn(path, "/"), path);
    return H5Lexists(r->file, part, H5P_DEFAULT) > 0 && H5Lexists(r->file, path, H5P_DEFAULT) > 0;
}
