#include "hdf5/objects.h"

#include <string.h>

hid_t elm_h5_timeless(hid_t kind)
{
    const hid_t properties = H5Pcreate(kind);
    H5Pset_obj_track_times(properties, 0);
    return properties;
}

hid_t elm_h5_create_group(hid_t file, const char *name)
{
    const hid_t properties = elm_h5_timeless(H5P_GROUP_CREATE);
    const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Pclose(properties);
    return group;
}

hid_t elm_h5_text_type(size_t size_bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size_bytes > 0 ? size_bytes : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

int elm_h5_write_attribute(hid_t object, const char *name, hid_t type, int count, const void *value)
{
    const hsize_t extent = (hsize_t)count;
    const hid_t space =
        count == ELM_H5_SCALAR ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    int status = attribute >= 0 && H5Awrite(attribute, type, value) >= 0 ? 0 : -1;
    if (attribute >= 0 && H5Aclose(attribute) < 0)
        status = -1;
    H5Sclose(space);
    return status;
}

int elm_h5_write_text(hid_t object, const char *name, const char *text)
{
    const hid_t type = elm_h5_text_type(strlen(text));
    const int status = elm_h5_write_attribute(object, name, type, ELM_H5_SCALAR, text);
    H5Tclose(type);
    return status;
}

int elm_h5_write_list(hid_t file, const char *path, hid_t type, int count, const void *values)
{
    const hsize_t extent = (hsize_t)count;
    const hid_t space = H5Screate_simple(1, &extent, NULL),
                properties = elm_h5_timeless(H5P_DATASET_CREATE);
    const hid_t array = H5Dcreate2(file, path, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    int status =
        array >= 0 && H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0 ? 0 : -1;
    if (array >= 0 && H5Dclose(array) < 0) /* which may be what writes it */
        status = -1;
    H5Pclose(properties);
    H5Sclose(space);
    return status;
}

hid_t elm_h5_layout(int dimensions, const hsize_t *shape, size_t element_bytes, size_t chunk_bytes)
{
    const hid_t layout = elm_h5_timeless(H5P_DATASET_CREATE);
    hsize_t chunk[H5S_MAX_RANK], row_bytes = element_bytes;
    bool chunked = dimensions > 0;
    for (int i = 0; i < dimensions; i++) {
        chunk[i] = shape[i];
        chunked &= shape[i] > 0;
        row_bytes *= i > 0 ? shape[i] : 1;
    }
    if (chunked) {
        const hsize_t rows = row_bytes < chunk_bytes ? chunk_bytes / row_bytes : 1;
        chunk[0] = rows < shape[0] ? rows : shape[0];
        H5Pset_chunk(layout, dimensions, chunk);
        H5Pset_fletcher32(layout);
    }
    return layout;
}

hid_t elm_h5_create_rows(hid_t group, const char *name, hid_t type, int chunk_rows, int dimensions,
                         const hsize_t *row_shape)
{
    hsize_t extent[ELM_H5_ROW_DIMENSIONS_MAX] = {0},
            most[ELM_H5_ROW_DIMENSIONS_MAX] = {H5S_UNLIMITED},
            chunk[ELM_H5_ROW_DIMENSIONS_MAX] = {(hsize_t)chunk_rows};
    for (int i = 1; i < dimensions; i++)
        extent[i] = most[i] = chunk[i] = row_shape[i - 1];
    const hid_t space = H5Screate_simple(dimensions, extent, most),
                properties = elm_h5_timeless(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, dimensions, chunk);
    H5Pset_fletcher32(properties);
    const hid_t array = H5Dcreate2(group, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Pclose(properties);
    H5Sclose(space);
    return array;
}

int elm_h5_append_rows(hid_t array, hid_t type, hsize_t before, hsize_t count, const void *values)
{
    hsize_t extent[ELM_H5_ROW_DIMENSIONS_MAX], start[ELM_H5_ROW_DIMENSIONS_MAX] = {before};
    const hid_t old_space = H5Dget_space(array);
    const int dimensions = H5Sget_simple_extent_dims(old_space, extent, NULL);
    H5Sclose(old_space);
    extent[0] = before + count;
    if (dimensions < 1 || H5Dset_extent(array, extent) < 0)
        return -1;
    extent[0] = count;
    const hid_t file_space = H5Dget_space(array),
                space = H5Screate_simple(dimensions, extent, NULL);
    int status = -1;
    if (H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0)
        status = H5Dwrite(array, type, space, file_space, H5P_DEFAULT, values) < 0 ? -1 : 0;
    H5Sclose(space);
    H5Sclose(file_space);
    return status;
}
