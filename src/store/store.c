#include "elmpi/store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file/guard.h"
#include "elmpi/memory.h"
#include "hdf5/probe.h"
#include "store/store_parts.h"

enum {
    SIDE_MAX = 4096,         /* pixels */
    FEATURES_MAX = 1 << 20,  /* floats */
    CLASSES_MAX = 1 << 20,   /* iNaturalist has 8,142 */
    IMAGES_MAX = 0x7fffffff, /* places in an epoch's order are drawn as 32 bits */
};

static int find_file(elm_store *store, elm_error *err)
{
    struct stat about;
    if (stat(store->path, &about) != 0)
        return elm_error_set(
            err, errno == ENOENT || errno == ENOTDIR ? ELM_EXIT_USAGE : ELM_EXIT_FAILURE,
            "cannot open the store (%s): %s: check data.store, or make it with elmpi-prepare",
            store->path, strerror(errno));
    if (!S_ISREG(about.st_mode) || access(store->path, R_OK) != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot read the store (%s): %s: check data.store", store->path,
                             S_ISREG(about.st_mode) ? strerror(errno) : "not a file");
    store->file_bytes = (uint64_t)about.st_size;
    return 0;
}

static int open_file(elm_store *store, elm_error *err)
{
    if (find_file(store, err) != 0)
        return -1;
    if (H5Fis_hdf5(store->path) <= 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "not a store (%s): it is no HDF5 file: make one with elmpi-prepare",
                             store->path);
    const hid_t access = elm_h5_access();
    store->file = H5Fopen(store->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (store->file < 0)
        return store_corrupt(store, "whole file", "truncated or corrupt", err);
    return 0;
}

static int read_format(elm_store *store, elm_error *err)
{
    char format[STORE_NAME_BYTES];
    int version = 0;
    if (elm_h5_text(store->file, "format", format, sizeof format) != 0 ||
        strcmp(format, STORE_FORMAT) != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "not a store (%s): an HDF5 file without format=\"" STORE_FORMAT
                             "\": make one with elmpi-prepare",
                             store->path);
    if (elm_h5_numbers(store->file, "version", H5T_NATIVE_INT, 1, &version) != 0 || version < 1)
        return store_corrupt(store, "attribute version", "no version number", err);
    store->info.in_shards = version == STORE_VERSION_INDEX;
    if (version > STORE_VERSION_INDEX)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "store of a newer format (%s, version %d, this elmpi knows %d): use a "
                             "newer elmpi or make it again",
                             store->path, version, STORE_VERSION_INDEX);
    if (elm_h5_text(store->file, "dataset", store->info.dataset, sizeof store->info.dataset) != 0)
        return store_corrupt(store, "attribute dataset", "no name of the data set", err);
    return 0;
}

/* Room for any of the names: texts of variable length do not say how long they are. */
static size_t class_bytes_of(const elm_h5_array *names)
{
    enum { MANY = 1 << 16 };
    const hid_t type = H5Dget_type(names->id);
    const bool variable = H5Tis_variable_str(type) > 0;
    H5Tclose(type);
    return !variable                ? names->element_bytes + 1
           : names->shape[0] > MANY ? STORE_CLASS_BYTES
                                    : STORE_CLASS_BYTES_MAX + 1;
}

static int read_class_names(elm_store *store, elm_error *err)
{
    elm_h5_array names;
    if (elm_h5_open(&names, store->file, "classes/name", store->file_bytes) != 0)
        return store_corrupt(store, "/classes/name", "absent or of the wrong shape", err);
    int status = -1;
    if (names.dimensions != 1 || names.shape[0] > CLASSES_MAX) {
        store_corrupt(store, "/classes/name", "impossible number of classes", err);
    } else if (names.kind != H5T_STRING || names.element_bytes > STORE_CLASS_BYTES_MAX) {
        store_corrupt(store, "/classes/name", "cannot be read as texts", err);
    } else {
        store->info.classes = (int)names.shape[0];
        store->class_bytes = class_bytes_of(&names);
        store->class_names = elm_alloc(names.shape[0], store->class_bytes, err);
        if (store->class_names != NULL) {
            status = elm_h5_texts(&names, store->class_names, store->class_bytes);
            if (status != 0)
                store_corrupt(store, "/classes/name", "cannot be read as texts", err);
        }
    }
    elm_h5_close(&names);
    return status;
}

static int read_labels(elm_store *store, store_split *split, const char *where, elm_error *err)
{
    elm_h5_array labels;
    if (elm_h5_open(&labels, store->file, where, store->file_bytes) != 0)
        return store_corrupt(store, where, "absent, incomplete or of an impossible size", err);
    int status = -1;
    if (labels.dimensions != 1 || labels.kind != H5T_INTEGER || labels.shape[0] > IMAGES_MAX) {
        store_corrupt(store, where, "not a list of whole numbers", err);
    } else if ((split->labels = elm_alloc(labels.shape[0], sizeof *split->labels, err)) != NULL) {
        split->count = (int64_t)labels.shape[0];
        status = elm_h5_rows(&labels, H5T_NATIVE_INT32, 0, labels.shape[0], split->labels);
        if (status != 0)
            store_corrupt(store, where, "corrupt", err);
    }
    elm_h5_close(&labels);
    for (int64_t i = 0; status == 0 && i < split->count; i++)
        if (split->labels[i] < 0 || split->labels[i] >= store->info.classes)
            status = store_corrupt(store, where, "a label out of range", err);
    return status;
}

/* Images [N][H][W][C] or features [N][D], the same in all splits. */
static int check_rows(elm_store *store, const store_split *split, const char *where, bool images,
                      elm_error *err)
{
    const elm_h5_array *rows = &split->rows;
    elm_store_info *info = &store->info, shape = *info;
    if (rows->shape[0] != (hsize_t)split->count)
        return store_corrupt(store, where, "not as many rows as labels", err);
    if (images) {
        if (rows->dimensions != 4 || rows->kind != H5T_INTEGER || rows->element_bytes != 1 ||
            rows->is_signed || rows->shape[1] > SIDE_MAX || rows->shape[2] > SIDE_MAX ||
            rows->shape[3] > ELM_CHANNELS_MAX)
            return store_corrupt(store, where, "not uint8 [N,H,W,C]", err);
        shape.height = (int)rows->shape[1];
        shape.width = (int)rows->shape[2];
        shape.channels = (int)rows->shape[3];
    } else {
        if (rows->dimensions != 2 || rows->kind != H5T_FLOAT || rows->shape[1] > FEATURES_MAX)
            return store_corrupt(store, where, "not float [N,D]", err);
        shape.features = (int)rows->shape[1];
    }
    const bool first = info->features == 0 && info->channels == 0;
    if (!first && (shape.height != info->height || shape.width != info->width ||
                   shape.channels != info->channels || shape.features != info->features))
        return store_corrupt(store, where, "another shape than in the other splits", err);
    *info = shape;
    return 0;
}

static int open_split(elm_store *store, int index, elm_error *err)
{
    store_split *split = &store->splits[index];
    const char *name = store_split_names[index];
    char where[STORE_NAME_BYTES];
    if (!elm_h5_exists(store->file, name))
        return 0;
    snprintf(where, sizeof where, "%s/labels", name);
    if (read_labels(store, split, where, err) != 0)
        return -1;
    if (store->info.in_shards)
        return store_index_open_split(store, index, err);
    snprintf(where, sizeof where, "%s/images", name);
    const bool images = elm_h5_exists(store->file, where);
    if (!images)
        snprintf(where, sizeof where, "%s/features", name);
    if (elm_h5_open(&split->rows, store->file, where, store->file_bytes) != 0)
        return store_corrupt(store, where, "absent, incomplete or of an impossible size", err);
    return check_rows(store, split, where, images, err);
}

static int read_normalization(elm_store *store, elm_error *err)
{
    elm_store_info *info = &store->info;
    if (info->channels == 0)
        return 0;
    if (elm_h5_numbers(store->file, "mean", H5T_NATIVE_FLOAT, info->channels, info->mean) != 0)
        return store_corrupt(store, "attribute mean", "not one number a channel", err);
    if (elm_h5_numbers(store->file, "std", H5T_NATIVE_FLOAT, info->channels, info->std) != 0)
        return store_corrupt(store, "attribute std", "not one number a channel", err);
    for (int i = 0; i < info->channels; i++)
        if (!isfinite(info->mean[i]) || !isfinite(info->std[i]) || info->std[i] <= 0)
            return store_corrupt(store, "attributes mean and std",
                                 "not finite, or a deviation that is not positive", err);
    return 0;
}

static int check_train_count(elm_store *store, elm_error *err)
{
    const char *where = "classes/train_count";
    const int classes = store->info.classes;
    elm_h5_array counts;
    if (elm_h5_open(&counts, store->file, where, store->file_bytes) != 0)
        return store_corrupt(store, where, "absent", err);
    int64_t *told = NULL;
    int status = -1;
    if (counts.dimensions != 1 || counts.kind != H5T_INTEGER || counts.shape[0] != (hsize_t)classes)
        store_corrupt(store, where, "not one number a class", err);
    else if ((told = elm_alloc((size_t)classes, sizeof *told, err)) != NULL)
        status = elm_h5_rows(&counts, H5T_NATIVE_INT64, 0, (hsize_t)classes, told) == 0
                     ? 0
                     : store_corrupt(store, where, "corrupt", err);
    elm_h5_close(&counts);
    if (status == 0) {
        for (int64_t i = 0; i < store->splits[0].count; i++)
            told[store->splits[0].labels[i]]--;
        for (int c = 0; status == 0 && c < classes; c++)
            if (told[c] != 0)
                status = store_corrupt(store, where, "not the counts of the training labels", err);
    }
    elm_free(told);
    return status;
}

int elm_store_open(elm_store **out, const char *path, elm_error *err)
{
    *out = NULL;
    elm_h5_quiet();
    elm_store *store = elm_alloc(1, sizeof *store, err);
    if (store == NULL)
        return -1;
    store->file = -1;
    for (int i = 0; i < STORE_SPLITS; i++)
        store->splits[i].rows.id = store->splits[i].names.id = -1;
    if (snprintf(store->path, sizeof store->path, "%s", path) >= (int)sizeof store->path) {
        elm_error_set(err, ELM_EXIT_USAGE, "path too long (%.80s...): move the store", path);
        goto fail;
    }
    if (open_file(store, err) != 0 || read_format(store, err) != 0 ||
        read_class_names(store, err) != 0)
        goto fail;
    if (store->info.in_shards && store_index_open_shards(store, err) != 0)
        goto fail;
    int64_t images = 0;
    for (int i = 0; i < STORE_SPLITS; i++) {
        if (open_split(store, i, err) != 0)
            goto fail;
        images += store->splits[i].count;
    }
    if (images == 0) {
        store_corrupt(store, "whole file", "no train, val or test group", err);
        goto fail;
    }
    if (read_normalization(store, err) != 0 || check_train_count(store, err) != 0)
        goto fail;
    *out = store;
    return 0;
fail:
    elm_store_close(store);
    return -1;
}

/* What the second process does: all that a program may ask an open store for. Texts of an index
 * are of fixed length. */
static int read_everything(const char *path, elm_error *err)
{
    elm_store *store = NULL;
    if (elm_store_open(&store, path, err) != 0)
        return -1;
    int status = 0;
    for (int i = 0; i < STORE_SPLITS && status == 0; i++) {
        const elm_h5_array *array =
            store->info.in_shards ? &store->splits[i].names : &store->splits[i].rows;
        if (store->splits[i].count > 0 && (array->kind != H5T_STRING || !array->variable) &&
            elm_h5_probe(array) != 0)
            status = store_corrupt(store, store_split_names[i], "its rows are truncated or corrupt",
                                   err);
    }
    elm_store_close(store);
    return status;
}

ELM_GUARD_SERVE(store, "store", read_everything)

int elm_store_check(const char *path, elm_error *err)
{
    elm_store store = {.path = ""}; /* what needs no HDF5 is said without it */
    return snprintf(store.path, sizeof store.path, "%s", path) < (int)sizeof store.path &&
                   find_file(&store, err) != 0
               ? -1
               : elm_guard_check("store", path, err);
}

void elm_store_close(elm_store *store)
{
    if (store == NULL)
        return;
    for (int i = 0; i < STORE_SPLITS; i++) {
        elm_free(store->splits[i].labels);
        elm_free(store->splits[i].places);
        elm_h5_close(&store->splits[i].rows);
        elm_h5_close(&store->splits[i].names);
    }
    elm_free(store->class_names);
    elm_free(store->shard_paths);
    elm_free(store->shard_bytes);
    if (store->file >= 0)
        H5Fclose(store->file);
    elm_free(store);
}

const elm_store_info *elm_store_describe(const elm_store *store)
{
    return &store->info;
}

const char *elm_store_class_name(const elm_store *store, int class_index)
{
    return store->class_names + (size_t)class_index * store->class_bytes;
}

int64_t elm_store_count(const elm_store *store, const char *split)
{
    const int index = store_split_index(split);
    return index < 0 ? 0 : store->splits[index].count;
}

int elm_store_labels(elm_store *store, const char *split, int32_t **labels, int64_t *count,
                     elm_error *err)
{
    *labels = NULL;
    *count = 0;
    const store_split *found = store_find_split(store, split, err);
    if (found == NULL)
        return -1;
    *labels = elm_alloc((size_t)found->count, sizeof **labels, err);
    if (*labels == NULL)
        return -1;
    memcpy(*labels, found->labels, (size_t)found->count * sizeof **labels);
    *count = found->count;
    return 0;
}
