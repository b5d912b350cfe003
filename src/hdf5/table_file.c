#include "hdf5/table_file.h"

#include <errno.h>
#include <hdf5.h>
#include <stdbool.h>
#include <string.h>

#include "elmpi/memory.h"
#include "hdf5/objects.h"
#include "hdf5/write.h"

enum { CHUNK_BYTES = 1 << 18 };

struct elm_table_file {
    hid_t file;
    elm_output *output;
};

/* The file's own, or 0 for a type that is used in memory. */
static hid_t type_of(elm_table_type type)
{
    const hid_t types[] = {H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE, H5T_NATIVE_INT32, H5T_NATIVE_INT64};
    return types[type];
}

static void note(elm_table_file *f, bool fine)
{
    if (!fine)
        elm_output_fail(f->output, errno);
}

int elm_table_file_create(elm_table_file **out, const char *path, const char *format,
                          elm_error *err)
{
    elm_table_file *f = *out = elm_alloc(1, sizeof *f, err);
    if (f == NULL)
        return -1;
    f->file = -1;
    if (elm_output_begin(&f->output, path, ELM_OUTPUT_SEEK, err) != 0)
        return -1;
    f->file = elm_h5_create(f->output, H5P_DEFAULT);
    if (f->file < 0) {
        *out = NULL;
        elm_table_file_close(f, 0, err);
        return -1;
    }
    elm_table_file_text(f, "/", "format", format);
    elm_table_file_number(f, "/", "version", 1);
    return 0;
}

int elm_table_file_close(elm_table_file *f, int status, elm_error *err)
{
    if (f == NULL)
        return -1;
    if (f->output != NULL && status != 0)
        elm_output_fail(f->output, 0);
    if (f->file >= 0)
        elm_h5_finish(f->file, f->output);
    if (status == 0)
        status = elm_output_commit(f->output, err);
    else
        elm_output_abandon(f->output);
    elm_free(f);
    return status;
}

static hid_t make_groups(void)
{
    const hid_t list = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(list, 1);
    return list;
}

static hid_t open_group(elm_table_file *f, const char *name)
{
    if (strcmp(name, "/") == 0 || H5Lexists(f->file, name, H5P_DEFAULT) > 0)
        return H5Gopen2(f->file, name, H5P_DEFAULT);
    const hid_t list = make_groups(),
                group = H5Gcreate2(f->file, name, list, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(list);
    return group;
}

static void put_attribute(elm_table_file *f, const char *group_name, const char *name, hid_t type,
                          const void *value)
{
    const hid_t group = open_group(f, group_name);
    note(f, elm_h5_write_attribute(group, name, type, ELM_H5_SCALAR, value) == 0);
    note(f, H5Gclose(group) >= 0);
}

void elm_table_file_number(elm_table_file *f, const char *group, const char *name, double value)
{
    put_attribute(f, group, name, H5T_NATIVE_DOUBLE, &value);
}

void elm_table_file_text(elm_table_file *f, const char *group, const char *name, const char *text)
{
    const hid_t type = elm_h5_text_type(strlen(text));
    put_attribute(f, group, name, type, text);
    H5Tclose(type);
}

/* An array with checksums, in chunks of whole rows. */
static hid_t make_array(elm_table_file *f, const char *name, hid_t type, int64_t rows,
                        int64_t columns)
{
    const hsize_t shape[2] = {(hsize_t)rows, (hsize_t)(columns > 0 ? columns : 1)};
    const int dimensions = columns > 0 ? 2 : 1;
    const hid_t space = H5Screate_simple(dimensions, shape, NULL),
                layout = elm_h5_layout(dimensions, shape, H5Tget_size(type), CHUNK_BYTES),
                list = make_groups();
    const hid_t array = H5Dcreate2(f->file, name, type, space, list, layout, H5P_DEFAULT);
    note(f, array >= 0);
    H5Pclose(list);
    H5Pclose(layout);
    H5Sclose(space);
    return array;
}

static void put_array(elm_table_file *f, const char *name, hid_t type, int64_t rows,
                      int64_t columns, const void *values)
{
    const hid_t array = make_array(f, name, type, rows, columns);
    note(f, rows == 0 || H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    note(f, H5Dclose(array) >= 0);
}

void elm_table_file_array(elm_table_file *f, const char *name, elm_table_type type, int64_t rows,
                          int64_t columns, const void *values)
{
    put_array(f, name, type_of(type), rows, columns, values);
}

void elm_table_file_texts(elm_table_file *f, const char *name, const char *const *texts,
                          int64_t count)
{
    size_t longest = 1;
    for (int64_t i = 0; i < count; i++)
        longest = strlen(texts[i]) > longest ? strlen(texts[i]) : longest;
    char *block = elm_alloc((size_t)count, longest, NULL);
    note(f, block != NULL);
    if (block == NULL)
        return;
    for (int64_t i = 0; i < count; i++)
        memcpy(block + (size_t)i * longest, texts[i], strlen(texts[i]));
    const hid_t type = elm_h5_text_type(longest);
    put_array(f, name, type, count, 0, block);
    H5Tclose(type);
    elm_free(block);
}

void elm_table_file_open_rows(elm_table_file *f, const char *name, elm_table_type type,
                              int64_t rows, int64_t columns)
{
    note(f, H5Dclose(make_array(f, name, type_of(type), rows, columns)) >= 0);
}

void elm_table_file_rows(elm_table_file *f, const char *name, int64_t first, int64_t count,
                         const void *values)
{
    const hid_t array = H5Dopen2(f->file, name, H5P_DEFAULT), space = H5Dget_space(array),
                type = H5Dget_type(array);
    const hid_t native = H5Tget_native_type(type, H5T_DIR_DEFAULT);
    hsize_t shape[2] = {0, 1}, start[2] = {(hsize_t)first, 0};
    const int dimensions = H5Sget_simple_extent_dims(space, shape, NULL);
    const hsize_t part[2] = {(hsize_t)count, shape[1]};
    const hid_t memory = H5Screate_simple(dimensions == 2 ? 2 : 1, part, NULL);
    note(f, H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, part, NULL) >= 0 &&
                H5Dwrite(array, native, memory, space, H5P_DEFAULT, values) >= 0);
    H5Sclose(memory);
    H5Tclose(native);
    H5Tclose(type);
    H5Sclose(space);
    note(f, H5Dclose(array) >= 0); /* which may be what writes it */
}
