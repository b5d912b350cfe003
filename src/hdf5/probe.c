#include "hdf5/probe.h"

#include "elmpi/memory.h"
#include "hdf5/chunks.h"

static const uint64_t probe_bytes_max = UINT64_C(1) << 28, probe_piece_bytes = UINT64_C(1) << 22;

static int read_all(const elm_h5_array *array, uint64_t row_bytes)
{
    const hid_t type = H5Dget_type(array->id);
    const hsize_t block_rows = row_bytes < probe_piece_bytes ? probe_piece_bytes / row_bytes : 1;
    const bool by_chunk =
        array->chunk_rows > block_rows && array->chunk_rows <= ELM_H5_CHUNK_BYTES_MAX / row_bytes;
    /* HDF5 would inflate a large chunk anew for each part */
    const hsize_t at_once = by_chunk ? array->chunk_rows : block_rows;
    void *block = elm_alloc((size_t)(at_once < array->shape[0] ? at_once : array->shape[0]),
                            (size_t)row_bytes, NULL);
    int status = block == NULL ? -1 : 0;
    for (hsize_t first = 0; status == 0 && first < array->shape[0]; first += at_once) {
        const hsize_t left = array->shape[0] - first;
        status = elm_h5_rows(array, type, first, left < at_once ? left : at_once, block);
    }
    elm_free(block);
    H5Tclose(type);
    return status;
}

int elm_h5_probe(const elm_h5_array *array)
{
    if (array->chunked && !array->compressed) {
        const hid_t properties = H5Dget_create_plist(array->id);
        const int status = elm_h5_chunks_check(array, properties);
        H5Pclose(properties);
        if (status != 0)
            return -1;
    }
    uint64_t row_bytes = array->element_bytes;
    for (int i = 1; i < array->dimensions; i++)
        row_bytes *= array->shape[i]; /* elm_h5_open found no overflow */
    return array->shape[0] > probe_bytes_max / row_bytes ? 0 : read_all(array, row_bytes);
}
