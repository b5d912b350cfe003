#include "hdf5_forge.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LeakSanitizer's question. HDF5 1.10 itself loses some bytes over damaged files; elmpi's own
 * blocks and handles are counted by the targets. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

enum { DIMENSIONS_MAX = 6, CONTENT_MAX = 1 << 16, STEPS_MAX = 12, NO_VALUES = 7 };

static const hsize_t extents[] = {
    0, 1, 2, 3, 4, 5, 6, 8, 60, 255, 65536, 1u << 20, UINT32_MAX, (hsize_t)1 << 62, INT64_MAX};
static const size_t sizes[] = {1, 2, 3, 8, 16, 255, 256, 4096, 4097, 1u << 20, 1u << 24};

#define CHOOSE(script, list) ((list)[fuzz_take(script, sizeof(list) / sizeof *(list))])

static hid_t odd_integer(fuzz_bytes *script)
{
    const hid_t type = H5Tcopy(H5T_STD_I64LE);
    H5Tset_size(type, CHOOSE(script, sizes));
    H5Tset_precision(type, 1 + fuzz_take(script, 255));
    H5Tset_offset(type, fuzz_take(script, 64));
    return type;
}

static hid_t odd_float(fuzz_bytes *script)
{
    const hid_t type = H5Tcopy(H5T_IEEE_F64LE);
    H5Tset_fields(type, fuzz_take(script, 64), fuzz_take(script, 64), fuzz_take(script, 64),
                  fuzz_take(script, 64), fuzz_take(script, 64));
    H5Tset_precision(type, 1 + fuzz_take(script, 64));
    H5Tset_size(type, 1 + fuzz_take(script, 64));
    H5Tset_ebias(type, fuzz_take(script, 255));
    return type;
}

static hid_t text_type(fuzz_bytes *script)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, fuzz_take(script, 4) == 0 ? H5T_VARIABLE : CHOOSE(script, sizes));
    H5Tset_strpad(type, (H5T_str_t)fuzz_take(script, 3));
    H5Tset_cset(type, (H5T_cset_t)fuzz_take(script, 2));
    return type;
}

static hid_t grouped_type(fuzz_bytes *script)
{
    const hsize_t shape[] = {CHOOSE(script, extents), 2};
    hid_t type;
    switch (fuzz_take(script, 6)) {
    case 0:
        type = H5Tcreate(H5T_COMPOUND, 24);
        H5Tinsert(type, "a", 0, H5T_STD_I64LE);
        H5Tinsert(type, "b", 16, H5T_IEEE_F32LE);
        return type;
    case 1:
        return H5Tvlen_create(H5T_STD_I32LE);
    case 2:
        return H5Tarray_create2(H5T_STD_I32LE, 1 + fuzz_take(script, 2), shape);
    case 3:
        type = H5Tenum_create(H5T_STD_I32LE);
        H5Tenum_insert(type, "zero", (int[]){0});
        return type;
    case 4:
        type = H5Tcreate(H5T_OPAQUE, CHOOSE(script, sizes));
        H5Tset_tag(type, "x");
        return type;
    default:
        return H5Tcopy(H5T_STD_REF_OBJ);
    }
}

static hid_t choose_type(fuzz_bytes *script)
{
    const hid_t plain[] = {H5T_STD_I8LE,   H5T_STD_U8LE,      H5T_STD_I16BE,  H5T_STD_U16LE,
                           H5T_STD_I32LE,  H5T_STD_U32BE,     H5T_STD_I64LE,  H5T_STD_U64LE,
                           H5T_IEEE_F32LE, H5T_IEEE_F32BE,    H5T_IEEE_F64LE, H5T_STD_B8LE,
                           H5T_UNIX_D32LE, H5T_NATIVE_LDOUBLE};
    switch (fuzz_take(script, 6)) {
    case 0:
        return odd_integer(script);
    case 1:
        return odd_float(script);
    case 2:
        return text_type(script);
    case 3:
        return grouped_type(script);
    default:
        return H5Tcopy(CHOOSE(script, plain));
    }
}

static hid_t choose_space(fuzz_bytes *script, int *dimensions, hsize_t *shape)
{
    const unsigned kind = fuzz_take(script, NO_VALUES + 1);
    *dimensions = kind <= DIMENSIONS_MAX ? (int)kind : 0;
    if (*dimensions == 0)
        return H5Screate(kind == 0 ? H5S_SCALAR : H5S_NULL);
    for (int i = 0; i < *dimensions; i++)
        shape[i] = CHOOSE(script, extents);
    return H5Screate_simple(*dimensions, shape, NULL);
}

/* Where there are any but deflate, nothing is written: HDF5 itself overruns its buffers when it
 * applies them to odd types. */
static bool choose_filters(fuzz_bytes *script, hid_t properties)
{
    const unsigned mask = fuzz_take(script, 32);
    if (mask & 1)
        H5Pset_shuffle(properties);
    if (mask & 2)
        H5Pset_deflate(properties, 9);
    if (mask & 4)
        H5Pset_fletcher32(properties);
    if (mask & 8)
        H5Pset_scaleoffset(properties, H5Z_SO_INT, (int)fuzz_take(script, 8));
    if (mask & 16)
        H5Pset_nbit(properties);
    return mask == 0 || mask == 2;
}

/* Storage, which may be announced and never written. */
static hid_t choose_storage(fuzz_bytes *script, int dimensions, const hsize_t *shape,
                            bool *writable)
{
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[DIMENSIONS_MAX];
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    switch (fuzz_take(script, 6)) {
    case 0:
        H5Pset_layout(properties, H5D_COMPACT);
        break;
    case 1:
        H5Pset_external(properties, "/proc/self/maps", (off_t)fuzz_take(script, 100),
                        H5F_UNLIMITED);
        break;
    case 2:
        H5Pset_virtual(properties, H5S_ALL, "/proc/self/maps", "x", H5S_ALL);
        break;
    case 3:
    case 4:
        for (int i = 0; i < dimensions; i++)
            chunk[i] = fuzz_take(script, 2) == 0 ? CHOOSE(script, extents) : shape[i];
        if (dimensions > 0 && H5Pset_chunk(properties, dimensions, chunk) >= 0)
            *writable = choose_filters(script, properties);
        break;
    default:
        break;
    }
    return properties;
}

/* Values of an array or attribute, where they are few and no pointers. */
static uint8_t *choose_content(fuzz_bytes *script, hid_t type, hid_t space)
{
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const size_t size_bytes = H5Tget_size(type);
    if (count <= 0 || size_bytes == 0 || (size_t)count > CONTENT_MAX / size_bytes ||
        H5Tdetect_class(type, H5T_VLEN) != 0 || H5Tis_variable_str(type) != 0 ||
        H5Tdetect_class(type, H5T_REFERENCE) != 0)
        return NULL;
    uint8_t *content = malloc((size_t)count * size_bytes);
    const unsigned own = fuzz_take(script, 8), base = fuzz_take(script, 256);
    for (size_t i = 0; content != NULL && i < (size_t)count * size_bytes; i++)
        content[i] = (uint8_t)(own == 0   ? fuzz_take(script, 256)
                               : own == 1 ? base
                               : own == 2 ? i / size_bytes * (i % size_bytes == 0)
                                          : 0);
    return content;
}

static void forge_array(hid_t file, const char *path, fuzz_bytes *script)
{
    int dimensions;
    hsize_t shape[DIMENSIONS_MAX] = {0};
    const hid_t type = choose_type(script), space = choose_space(script, &dimensions, shape);
    bool writable = true;
    const hid_t properties = choose_storage(script, dimensions, shape, &writable);
    const hid_t array = H5Dcreate2(file, path, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    uint8_t *content = array >= 0 && writable ? choose_content(script, type, space) : NULL;
    if (content != NULL)
        H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, content);
    const char *text = "variable";
    if (array >= 0 && dimensions == 0 && H5Tis_variable_str(type) > 0)
        H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text);
    free(content);
    H5Dclose(array);
    H5Pclose(properties);
    H5Sclose(space);
    H5Tclose(type);
}

/* "name" of the root or "group@name". */
static void forge_attribute(hid_t file, const char *where, bool remove_only, fuzz_bytes *script)
{
    int dimensions;
    hsize_t shape[DIMENSIONS_MAX] = {0};
    char group[64] = "/";
    const char *at = strchr(where, '@'), *name = at != NULL ? at + 1 : where;
    if (at != NULL)
        snprintf(group, sizeof group, "%.*s", (int)(at - where), where);
    H5Adelete_by_name(file, group, name, H5P_DEFAULT);
    if (remove_only)
        return;
    const hid_t type = choose_type(script), space = choose_space(script, &dimensions, shape);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const size_t size_bytes = H5Tget_size(type);
    hid_t attribute = -1;
    /* writing larger ones would take their memory */
    if (count >= 0 && size_bytes > 0 && (size_t)count <= CONTENT_MAX / size_bytes)
        attribute = H5Acreate_by_name(file, group, name, type, space, H5P_DEFAULT, H5P_DEFAULT,
                                      H5P_DEFAULT);
    uint8_t *content = attribute >= 0 ? choose_content(script, type, space) : NULL;
    if (content != NULL)
        H5Awrite(attribute, type, content);
    const char *text = "variable";
    if (attribute >= 0 && dimensions == 0 && H5Tis_variable_str(type) > 0)
        H5Awrite(attribute, type, &text);
    free(content);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* Not those of choose_filters that writing is left out with. */
static bool is_plain(hid_t array)
{
    const hid_t properties = H5Dget_create_plist(array);
    bool plain = true;
    for (int i = 0; i < H5Pget_nfilters(properties); i++) {
        unsigned flags, config;
        size_t values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        plain = plain && (filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_FLETCHER32);
    }
    H5Pclose(properties);
    return plain;
}

/* Other values for an array that stays as it is. */
static void overwrite(hid_t file, const char *path, fuzz_bytes *script)
{
    const hid_t array = H5Dopen2(file, path, H5P_DEFAULT);
    if (array < 0)
        return;
    const hid_t type = H5Dget_type(array), space = H5Dget_space(array);
    uint8_t *content = is_plain(array) ? choose_content(script, type, space) : NULL;
    if (content != NULL)
        H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, content);
    free(content);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(array);
}

static const char *choose_name(fuzz_bytes *script, const char *const *names)
{
    unsigned count = 0;
    while (names[count] != NULL)
        count++;
    return names[fuzz_take(script, count)];
}

/* False: the library would follow the link for ever, or to a crash, if it had to write more. */
static bool forge_link(hid_t file, const char *path, const hdf5_names *names, fuzz_bytes *script)
{
    const char *other = choose_name(script, names->objects);
    switch (fuzz_take(script, 5)) {
    case 0:
        H5Lcreate_soft(other, file, path, H5P_DEFAULT, H5P_DEFAULT);
        return false;
    case 1:
        H5Lcreate_external("/proc/self/maps", "/", file, path, H5P_DEFAULT, H5P_DEFAULT);
        return false;
    case 2:
        H5Lcreate_hard(file, other, file, path, H5P_DEFAULT, H5P_DEFAULT);
        return false;
    case 3: /* in a circle */
        H5Lcreate_hard(file, "/", file, path, H5P_DEFAULT, H5P_DEFAULT);
        return false;
    default:
        H5Gclose(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        return true;
    }
}

static bool forge_step(hid_t file, const hdf5_names *names, fuzz_bytes *script)
{
    const unsigned kind = fuzz_take(script, 8);
    const char *path =
        kind < 6 ? choose_name(script, names->objects) : choose_name(script, names->attributes);
    if (kind >= 6)
        forge_attribute(file, path, fuzz_take(script, 4) == 0, script);
    else if (kind >= 4)
        overwrite(file, path, script);
    else
        H5Ldelete(file, path, H5P_DEFAULT);
    if (kind == 1)
        return forge_link(file, path, names, script);
    if (kind == 2 || kind == 3)
        forge_array(file, path, script);
    return true;
}

void hdf5_forge(const char *path, const hdf5_names *names, fuzz_bytes script)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, access);
    H5Pclose(access);
    fuzz_demand(file >= 0, "a file to forge");
    bool sound = true;
    for (int step = 0; sound && step < STEPS_MAX && script.left > 0; step++)
        sound = forge_step(file, names, &script);
    H5Fclose(file);
}
