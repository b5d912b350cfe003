/* Writing. HDF5 builds the file in memory and this file's own code brings it to disk: HDF5 1.10
 * cannot recover from a full disk, not even close the file, whereas a failed write(2) is a plain
 * error with a reason. It costs one checkpoint's size of memory on rank 0. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/digest.h"
#include "checkpoint/files.h"
#include "checkpoint/format.h"
#include "checkpoint/parts.h"
#include "elmpi/checkpoint.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "hdf5/objects.h"
#include "hdf5/read.h"

enum { CHUNK_BYTES = 1 << 20, GROWTH_BYTES = 1 << 23 };

/* Returns 0 also where it is there already. */
static int make_group(hid_t file, const char *path)
{
    if (H5Lexists(file, path, H5P_DEFAULT) > 0)
        return 0;
    const hid_t group = elm_h5_create_group(file, path);
    return group >= 0 && H5Gclose(group) >= 0 ? 0 : -1;
}

static int make_groups_above(hid_t file, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char group[ELM_NAME_SIZE + 16];
        if (snprintf(group, sizeof group, "%.*s", (int)(slash - path), path) >= (int)sizeof group ||
            make_group(file, group))
            return -1;
    }
    return 0;
}

/* A whole array at that path; groups on the way are made. */
static int write_array(hid_t file, const char *path, hid_t type, int dimensions,
                       const int64_t *extents, const void *values)
{
    if (make_groups_above(file, path))
        return -1;
    hsize_t shape[ELM_RANK_MAX] = {0};
    for (int i = 0; i < dimensions; i++)
        shape[i] = (hsize_t)extents[i];
    const hid_t space =
        dimensions ? H5Screate_simple(dimensions, shape, NULL) : H5Screate(H5S_SCALAR);
    const hid_t layout = elm_h5_layout(dimensions, shape, H5Tget_size(type), CHUNK_BYTES);
    const hid_t array = H5Dcreate2(file, path, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    int status = array >= 0 ? 0 : -1;
    if (!status && H5Sget_simple_extent_npoints(space) > 0)
        status = H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0 ? 0 : -1;
    if (array >= 0 && H5Dclose(array) < 0)
        status = -1;
    H5Pclose(layout);
    H5Sclose(space);
    return status;
}

static int could_not(const char *what, const char *path, elm_error *err)
{
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "HDF5 failed to build the checkpoint's %s (%s): check the memory of rank 0's host", what,
        path);
}

static int write_facts(hid_t file, const elm_checkpoint *c, const char *path, elm_error *err)
{
    const int version = ELM_CHECKPOINT_VERSION;
    int status = elm_h5_write_text(file, "format", ELM_CHECKPOINT_FORMAT);
    status |= elm_h5_write_attribute(file, "version", H5T_NATIVE_INT, ELM_H5_SCALAR, &version);
    status |= elm_h5_write_attribute(file, "epoch", H5T_NATIVE_DOUBLE, ELM_H5_SCALAR, &c->epoch);
    status |= elm_h5_write_attribute(file, "step", H5T_NATIVE_INT64, ELM_H5_SCALAR, &c->step);
    status |= elm_h5_write_attribute(file, "seed", H5T_NATIVE_UINT64, ELM_H5_SCALAR, &c->seed);
    status |= elm_h5_write_attribute(file, "ranks", H5T_NATIVE_INT, ELM_H5_SCALAR, &c->ranks);
    status |= elm_h5_write_text(file, "git", c->git ? c->git : "");
    status |= elm_h5_write_text(file, "made_with", c->made_with ? c->made_with : "");
    if (c->chosen_on)
        status |= elm_h5_write_text(file, "chosen_on", c->chosen_on);
    if (c->tail.records > 0) {
        const int64_t bytes = (int64_t)c->tail.record_bytes;
        status |= elm_h5_write_attribute(file, "bank_records", H5T_NATIVE_INT64, ELM_H5_SCALAR,
                                         &c->tail.records);
        status |= elm_h5_write_attribute(file, "bank_record_bytes", H5T_NATIVE_INT64, ELM_H5_SCALAR,
                                         &bytes);
    }
    const char *job = c->job ? c->job : "";
    const hid_t type = elm_h5_text_type(strlen(job));
    status |= write_array(file, "job", type, 0, NULL, job);
    H5Tclose(type);
    return status ? could_not("attributes", path, err) : 0;
}

static int write_class_names(hid_t file, const elm_checkpoint *c, elm_error *err)
{
    size_t size = 1;
    for (int i = 0; i < c->classes; i++)
        size = strlen(c->class_names[i]) > size ? strlen(c->class_names[i]) : size;
    char *texts = elm_alloc((size_t)c->classes, size, err);
    if (!texts)
        return -1;
    for (int i = 0; i < c->classes; i++)
        memcpy(texts + (size_t)i * size, c->class_names[i], strlen(c->class_names[i]));
    const hid_t type = elm_h5_text_type(size);
    const int64_t extent = c->classes;
    const int status = write_array(file, "classes/name", type, 1, &extent, texts);
    H5Tclose(type);
    elm_free(texts);
    return status ? elm_error_set(err, ELM_EXIT_FAILURE,
                                  "HDF5 failed to build the checkpoint's class names")
                  : 0;
}

static int write_classes(hid_t file, const elm_checkpoint *c, const char *path, elm_error *err)
{
    const int64_t extent = c->classes;
    if (c->class_names && write_class_names(file, c, err))
        return -1;
    if (c->class_count &&
        write_array(file, "classes/train_count", H5T_NATIVE_INT64, 1, &extent, c->class_count))
        return could_not("class counts", path, err);
    return 0;
}

static int write_input(hid_t file, const elm_checkpoint *c, const char *path, elm_error *err)
{
    const elm_checkpoint_input *input = &c->input;
    if (!elm_checkpoint_knows_input(c))
        return 0;
    const int64_t channels = input->channels;
    const hid_t group = make_group(file, "input") ? -1 : H5Gopen2(file, "input", H5P_DEFAULT);
    if (group < 0)
        return could_not("input", path, err);
    int status = elm_h5_write_text(group, "dataset", input->dataset);
    for (int i = 0; i < ELM_INPUT_NUMBERS; i++)
        status |=
            elm_h5_write_attribute(group, elm_input_numbers[i].name, H5T_NATIVE_INT, ELM_H5_SCALAR,
                                   (const char *)input + elm_input_numbers[i].place);
    H5Gclose(group);
    if (channels > 0) {
        status |= write_array(file, "input/mean", H5T_NATIVE_FLOAT, 1, &channels, input->mean);
        status |= write_array(file, "input/std", H5T_NATIVE_FLOAT, 1, &channels, input->std);
    }
    return status ? could_not("input", path, err) : 0;
}

static bool is_tensor_name(const char *name)
{
    for (int i = 0; i < ELM_TENSOR_GROUPS; i++) {
        const size_t length = strlen(elm_tensor_groups[i]);
        if (!strncmp(name, elm_tensor_groups[i], length) && name[length] == '/' && name[length + 1])
            return true;
    }
    return false;
}

static int write_tensors(hid_t file, const elm_checkpoint *c, const char *path, elm_error *err)
{
    for (int i = 0; i < c->tensor_count; i++) {
        const elm_tensor *t = &c->tensors[i];
        if (!is_tensor_name(t->name))
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "a tensor's name is not model/..., optimizer/..., loss/... or ema/... (%s): %s",
                path, t->name);
        if (write_array(file, t->name, H5T_NATIVE_FLOAT, t->dimensions, t->shape, t->data))
            return could_not(t->name, path, err);
    }
    return 0;
}

static int write_history(hid_t file, const elm_checkpoint *c, const char *path, elm_error *err)
{
    for (int i = 0; i < c->history_count; i++) {
        const elm_history_column *column = &c->history[i];
        char name[sizeof column->name + 16];
        snprintf(name, sizeof name, "history/%s", column->name);
        if (write_array(file, name, H5T_NATIVE_DOUBLE, 1, &column->count, column->values))
            return could_not(name, path, err);
    }
    return 0;
}

static int write_progress(hid_t file, const elm_checkpoint *c, const char *path, elm_error *err)
{
    const hid_t group = make_group(file, "progress") ? -1 : H5Gopen2(file, "progress", H5P_DEFAULT);
    if (group < 0)
        return could_not("progress", path, err);
    int status = 0;
    for (int i = 0; i < c->progress_count; i++)
        status |= elm_h5_write_attribute(group, c->progress[i].name, H5T_NATIVE_DOUBLE,
                                         ELM_H5_SCALAR, &c->progress[i].value);
    H5Gclose(group);
    return status ? could_not("progress", path, err) : 0;
}

/* The file as the core driver keeps it. Callbacks make its memory ours: after the close it is
 * the finished file, which H5Fget_file_image (it changes the superblock of an open file but not
 * its checksum) would not give. */
typedef struct file_image {
    char *bytes;
    size_t size; /* of the memory; in the end, of the file */
} file_image;

static void *image_resize(void *bytes, size_t size, H5FD_file_image_op_t operation, void *context)
{
    (void)operation;
    file_image *image = context;
    char *larger = realloc(bytes, size);
    if (larger)
        *image = (file_image){larger, size};
    return larger;
}

/* Ours is kept, for the caller to free. H5Fcreate first opens a file that has the path already,
 * such as a checkpoint of the same step: what it read of that goes. */
static herr_t image_keep(void *bytes, H5FD_file_image_op_t operation, void *context)
{
    const file_image *image = context;
    (void)operation;
    if (bytes != image->bytes)
        free(bytes);
    return 0;
}

static void *context_copy(void *context)
{
    return context;
}

static herr_t context_free(void *context)
{
    (void)context;
    return 0;
}

static hid_t create_in_memory(const char *path, file_image *image)
{
    H5FD_file_image_callbacks_t callbacks = {.image_realloc = image_resize,
                                             .image_free = image_keep,
                                             .udata_copy = context_copy,
                                             .udata_free = context_free,
                                             .udata = image};
    const hid_t access = elm_h5_access(), creation = elm_h5_timeless(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, GROWTH_BYTES, 0);
    H5Pset_file_image_callbacks(access, &callbacks);
    H5Pset_userblock(creation, ELM_USER_BLOCK);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    return file;
}

/* The whole HDF5 file, user block included. */
static int build(const elm_checkpoint *c, const char *path, file_image *image, elm_error *err)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t file = create_in_memory(path, image);
    if (file < 0)
        return could_not("file", path, err);
    int status = 0;
    if (write_facts(file, c, path, err) || write_classes(file, c, path, err) ||
        write_input(file, c, path, err) || write_tensors(file, c, path, err) ||
        write_history(file, c, path, err) || write_progress(file, c, path, err))
        status = -1;
    /* The driver's memory grows in steps; the file ends where HDF5's addresses end. */
    const ssize_t length =
        H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file, NULL, 0);
    if ((H5Fclose(file) < 0 || length <= 0 || (size_t)length > image->size - ELM_USER_BLOCK) &&
        !status)
        status = could_not("file", path, err);
    image->size = ELM_USER_BLOCK + (size_t)length;
    return status;
}

/* The bytes on disk are those meant, and HDF5 takes them for a file. */
static int verify(const char *path, elm_watchdog *watch, elm_error *err)
{
    bool damaged;
    if (elm_digest_check(path, watch, &damaged, err))
        return -1;
    const hid_t access = elm_h5_access(), file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return file >= 0 && H5Fclose(file) >= 0 ? 0 : could_not("file", path, err);
}

/* By way of a temporary file: `path` changes in one instant or not at all. */
static int store(const char *path, const file_image *image, const elm_checkpoint *checkpoint,
                 elm_error *err)
{
    elm_output *output;
    if (elm_output_begin(&output, path, ELM_OUTPUT_SEEK, err))
        return -1;
    if (!elm_parts_write(elm_output_descriptor(output), path, image->bytes, image->size,
                         &checkpoint->tail, err) &&
        !verify(elm_output_part(output), checkpoint->watch, err) &&
        !elm_watchdog_enter(checkpoint->watch, "checkpoint-rename", err))
        return elm_output_commit(output, err);
    elm_output_abandon(output);
    return -1;
}

int elm_checkpoint_write(const char *path, const elm_checkpoint *checkpoint, elm_error *err)
{
    file_image image = {0};
    int status = build(checkpoint, path, &image, err);
    if (!status)
        status = elm_watchdog_enter(checkpoint->watch, "checkpoint-write", err);
    if (!status)
        status = store(path, &image, checkpoint, err);
    free(image.bytes);
    return status;
}

void elm_checkpoint_library(char *text, size_t size_bytes)
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, size_bytes, "HDF5 %u.%u.%u", major, minor, release);
}
