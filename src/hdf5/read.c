#include "hdf5/read.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "hdf5/chunks.h"

/* Deflate shrinks at most 1032 times, so that no honest file holds more. */
enum { COMPRESSION_MAX = 1100, TEXT_BYTES_MAX = 4096, TEXT_BLOCK_BYTES = 1 << 20 };

void elm_h5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

hid_t elm_h5_access(void)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, 0, 1);
#endif
    return access;
}

bool elm_h5_exists(hid_t file, const char *path)
{
    char part[128];
    for (const char *slash = path; slash != NULL;) {
        slash = strchr(slash, '/');
        const int length = slash != NULL ? (int)(slash - path) : (int)strlen(path);
        snprintf(part, sizeof part, "%.*s", length, path);
        H5L_info_t info;
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0 ||
            H5Lget_info(file, part, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
            return false;
        if (slash != NULL)
            slash++;
    }
    return true;
}

int elm_h5_filters(hid_t properties)
{
    const int count = H5Pget_nfilters(properties);
    int found = 0;
    for (int i = 0; i < count; i++) {
        unsigned flags, config;
        size_t values = 0;
        switch (H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &config)) {
        case H5Z_FILTER_FLETCHER32:
            found |= ELM_H5_CHECKSUM;
            break;
        case H5Z_FILTER_SHUFFLE:
            found |= ELM_H5_SHUFFLE;
            break;
        case H5Z_FILTER_DEFLATE:
            found |= ELM_H5_DEFLATE;
            break;
        default:
            return -1;
        }
    }
    return count >= 0 ? found : -1;
}

bool elm_h5_is_inside(hid_t properties)
{
    return H5Pget_layout(properties) != H5D_VIRTUAL && H5Pget_external_count(properties) == 0;
}

bool elm_h5_is_number(hid_t type)
{
    const size_t size_bytes = H5Tget_size(type);
    if (H5Tget_class(type) == H5T_FLOAT)
        return H5Tequal(type, H5T_IEEE_F32LE) > 0 || H5Tequal(type, H5T_IEEE_F64LE) > 0 ||
               H5Tequal(type, H5T_IEEE_F32BE) > 0 || H5Tequal(type, H5T_IEEE_F64BE) > 0;
    return H5Tget_class(type) == H5T_INTEGER && size_bytes <= sizeof(int64_t) &&
           H5Tget_precision(type) == 8 * size_bytes && H5Tget_offset(type) == 0;
}

/* Bytes of the whole array, or 0 when that overflows. */
static uint64_t array_bytes(const elm_h5_array *array)
{
    uint64_t bytes = array->element_bytes;
    for (int i = 0; i < array->dimensions; i++)
        if (array->shape[i] == 0 || __builtin_mul_overflow(bytes, array->shape[i], &bytes))
            return 0;
    return bytes;
}

static int check_layout(elm_h5_array *array, hid_t properties, uint64_t file_bytes)
{
    const uint64_t bytes = array_bytes(array);
    const int filters = elm_h5_filters(properties);
    if (filters < 0 || bytes == 0 || !elm_h5_is_inside(properties))
        return -1;
    const bool compressed = (filters & ELM_H5_DEFLATE) != 0;
    if (bytes / (compressed ? COMPRESSION_MAX : 1) > file_bytes)
        return -1;
    if (!compressed && H5Dget_storage_size(array->id) < bytes)
        return -1; /* rows announced and never written */
    array->compressed = compressed;
    array->chunked = H5Pget_layout(properties) == H5D_CHUNKED;
    return 0;
}

/* What inflates is looked at chunk by chunk, since HDF5 believes whatever size comes out of one. */
static int check_storage(elm_h5_array *array, hid_t properties, uint64_t file_bytes)
{
    if (check_layout(array, properties, file_bytes) != 0)
        return -1;
    if (!array->chunked)
        return 0;
    if (elm_h5_chunks_read(array, properties, file_bytes) != 0)
        return -1;
    return array->compressed ? elm_h5_chunks_check(array, properties) : 0;
}

static int read_shape(elm_h5_array *array)
{
    const hid_t space = H5Dget_space(array->id), type = H5Dget_type(array->id);
    int status = -1;
    array->dimensions = H5Sget_simple_extent_ndims(space);
    if (array->dimensions >= 1 && array->dimensions <= ELM_H5_DIMENSIONS_MAX)
        status = H5Sget_simple_extent_dims(space, array->shape, NULL) == array->dimensions ? 0 : -1;
    array->kind = H5Tget_class(type);
    array->element_bytes = H5Tget_size(type);
    if (array->kind != H5T_STRING && !elm_h5_is_number(type))
        status = -1;
    array->is_signed = array->kind == H5T_INTEGER && H5Tget_sign(type) != H5T_SGN_NONE;
    array->variable = H5Tis_variable_str(type) > 0;
    H5Tclose(type);
    H5Sclose(space);
    return status;
}

int elm_h5_open(elm_h5_array *array, hid_t file, const char *path, uint64_t file_bytes)
{
    *array = (elm_h5_array){.id = -1};
    if (!elm_h5_exists(file, path))
        return -1;
    array->id = H5Dopen2(file, path, H5P_DEFAULT);
    if (array->id < 0)
        return -1;
    const hid_t properties = H5Dget_create_plist(array->id);
    int status = -1;
    if (properties >= 0 && read_shape(array) == 0)
        status = check_storage(array, properties, file_bytes);
    H5Pclose(properties);
    if (status != 0)
        elm_h5_close(array);
    return status;
}

void elm_h5_close(elm_h5_array *array)
{
    if (array->id > 0)
        H5Dclose(array->id);
    array->id = -1;
}

int elm_h5_numbers(hid_t file, const char *name, hid_t mem_type, int count, void *values)
{
    const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    const hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    int status = -1;
    if (elm_h5_is_number(type) && H5Sget_simple_extent_npoints(space) == count)
        status = H5Aread(attribute, mem_type, values) < 0 ? -1 : 0;
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(attribute);
    return status;
}

/* A type for texts in memory that HDF5 can convert the file's type to: it never converts between
 * fixed and variable length, nor between character sets. */
static hid_t text_type(hid_t file_type)
{
    const size_t bytes =
        H5Tis_variable_str(file_type) > 0 ? H5T_VARIABLE : H5Tget_size(file_type) + 1;
    if (bytes != H5T_VARIABLE && bytes > TEXT_BYTES_MAX)
        return -1;
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    H5Tset_cset(type, H5Tget_cset(file_type));
    return type;
}

int elm_h5_text(hid_t file, const char *name, char *text, size_t size_bytes)
{
    const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    if (attribute < 0)
        return -1;
    const hid_t space = H5Aget_space(attribute), file_type = H5Aget_type(attribute);
    hid_t type = -1;
    int status = -1;
    if (H5Tget_class(file_type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1)
        type = text_type(file_type);
    if (type >= 0) {
        char fixed[TEXT_BYTES_MAX] = "", *variable = NULL;
        const bool is_variable = H5Tis_variable_str(type) > 0;
        if (H5Aread(attribute, type, is_variable ? (void *)&variable : (void *)fixed) >= 0) {
            const char *value = is_variable ? (variable != NULL ? variable : "") : fixed;
            status = snprintf(text, size_bytes, "%s", value) < (int)size_bytes ? 0 : -1;
        }
        if (variable != NULL)
            H5Dvlen_reclaim(type, space, H5P_DEFAULT, &variable);
        H5Tclose(type);
    }
    H5Tclose(file_type);
    H5Sclose(space);
    H5Aclose(attribute);
    return status;
}

/* One at a time: a hundred thousand rows may all point to the same megabyte. */
static int read_variable_texts(const elm_h5_array *array, hid_t type, char *texts,
                               size_t size_bytes)
{
    const hid_t one = H5Screate(H5S_SCALAR);
    int status = 0;
    for (hsize_t i = 0; status == 0 && i < array->shape[0]; i++) {
        char *value = NULL;
        status = elm_h5_rows(array, type, i, 1, &value);
        snprintf(texts + i * size_bytes, size_bytes, "%s",
                 status == 0 && value != NULL ? value : "");
        if (value != NULL)
            H5Dvlen_reclaim(type, one, H5P_DEFAULT, &value);
    }
    H5Sclose(one);
    return status;
}

static int read_fixed_texts(const elm_h5_array *array, hid_t type, char *texts, size_t size_bytes)
{
    const size_t bytes = H5Tget_size(type);
    /* Whole chunks, of at most 64 MiB: HDF5 would inflate a large one anew for each part of it. */
    const hsize_t block = TEXT_BLOCK_BYTES / bytes,
                  at_once = array->chunk_rows > block ? array->chunk_rows : block;
    char *values = elm_alloc(array->shape[0] < at_once ? array->shape[0] : at_once, bytes, NULL);
    int status = values != NULL ? 0 : -1;
    for (hsize_t first = 0; status == 0 && first < array->shape[0]; first += at_once) {
        const hsize_t left = array->shape[0] - first, count = left < at_once ? left : at_once;
        status = elm_h5_rows(array, type, first, count, values);
        for (hsize_t i = 0; status == 0 && i < count; i++)
            snprintf(texts + (first + i) * size_bytes, size_bytes, "%s", values + i * bytes);
    }
    elm_free(values);
    return status;
}

int elm_h5_texts(const elm_h5_array *array, char *texts, size_t size_bytes)
{
    if (array->kind != H5T_STRING || array->dimensions != 1)
        return -1;
    const hid_t file_type = H5Dget_type(array->id), type = text_type(file_type);
    int status = -1;
    if (type >= 0)
        status = H5Tis_variable_str(type) > 0 ? read_variable_texts(array, type, texts, size_bytes)
                                              : read_fixed_texts(array, type, texts, size_bytes);
    if (type >= 0)
        H5Tclose(type);
    H5Tclose(file_type);
    return status;
}

int elm_h5_text_at(const elm_h5_array *array, hsize_t row, char *text, size_t size_bytes)
{
    char value[TEXT_BYTES_MAX] = "";
    if (array->kind != H5T_STRING || array->dimensions != 1 || row >= array->shape[0])
        return -1;
    const hid_t file_type = H5Dget_type(array->id),
                type = H5Tis_variable_str(file_type) > 0 ? -1 : text_type(file_type);
    int status = -1;
    if (type >= 0) {
        status = elm_h5_rows(array, type, row, 1, value);
        H5Tclose(type);
    }
    H5Tclose(file_type);
    if (status == 0)
        snprintf(text, size_bytes, "%s", value);
    return status;
}

int elm_h5_rows(const elm_h5_array *array, hid_t mem_type, hsize_t first, hsize_t count,
                void *values)
{
    hsize_t start[ELM_H5_DIMENSIONS_MAX] = {first}, extent[ELM_H5_DIMENSIONS_MAX];
    memcpy(extent, array->shape, sizeof extent);
    extent[0] = count;
    const hid_t file_space = H5Dget_space(array->id),
                space = H5Screate_simple(array->dimensions, extent, NULL);
    int status = -1;
    if (H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0)
        status = H5Dread(array->id, mem_type, space, file_space, H5P_DEFAULT, values) < 0 ? -1 : 0;
    H5Sclose(space);
    H5Sclose(file_space);
    return status;
}
