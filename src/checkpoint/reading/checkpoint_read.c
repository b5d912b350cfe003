/* Reading. The digest only shows that the file is as it was written, perhaps by a forger, so types,
 * shapes and sizes are checked too: nothing is allocated that the file does not hold. */
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file/guard.h"
#include "checkpoint/reading/reader.h"
#include "elmpi/memory.h"
#include "hdf5/read.h"

enum { CLASSES_MAX = 1 << 20 };

static int read_facts(reader *r)
{
    elm_checkpoint *c = r->made;
    int version = 0;
    char *format = reader_read_text(r, "format");
    if (!format)
        return -1;
    const bool ours = !strcmp(format, ELM_CHECKPOINT_FORMAT);
    elm_free(format);
    if (!ours)
        return reader_refuse(r, "format");
    if (reader_read_number(r, "version", H5T_NATIVE_INT, &version))
        return -1;
    if (version != ELM_CHECKPOINT_VERSION)
        return elm_error_set(
            r->err, ELM_EXIT_FAILURE,
            "checkpoint of version %d (%s): this elmpi reads version %d; use the one that wrote it",
            version, r->path, ELM_CHECKPOINT_VERSION);
    if (reader_read_number(r, "epoch", H5T_NATIVE_DOUBLE, &c->epoch) ||
        reader_read_number(r, "step", H5T_NATIVE_INT64, &c->step) ||
        reader_read_number(r, "seed", H5T_NATIVE_UINT64, &c->seed) ||
        reader_read_number(r, "ranks", H5T_NATIVE_INT, &c->ranks))
        return -1;
    if (!isfinite(c->epoch) || c->epoch < 0)
        return reader_refuse(r, "epoch");
    if (c->step < 0)
        return reader_refuse(r, "step");
    if (c->ranks < 1)
        return reader_refuse(r, "ranks");
    c->git = reader_read_text(r, "git");
    /* Checkpoints of the first versions do not say. */
    c->made_with = H5Aexists(r->file, "made_with") > 0 ? reader_read_text(r, "made_with")
                                                       : elm_alloc(1, 1, r->err);
    if (!c->git || !c->made_with)
        return -1;
    if (H5Aexists(r->file, "chosen_on") > 0 && !(c->chosen_on = reader_read_text(r, "chosen_on")))
        return -1;
    int64_t count;
    size_t size;
    c->job = reader_read_texts(r, "job", 0, &count, &size);
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

static int read_classes(reader *r)
{
    int64_t names = 0, counts = 0;
    size_t size;
    if (reader_has(r, "classes/name")) {
        char *texts = reader_read_texts(r, "classes/name", 1, &names, &size);
        if (!texts)
            return -1;
        const int status = names <= CLASSES_MAX ? split_names(r, texts, size, (int)names)
                                                : reader_refuse(r, "classes/name");
        elm_free(texts);
        if (status)
            return -1;
    }
    if (reader_has(r, "classes/train_count")) {
        void *values;
        if (reader_read_list(r, "classes/train_count", H5T_INTEGER, H5T_NATIVE_INT64, &counts,
                             &values)) {
            elm_free(values);
            return -1;
        }
        r->made->class_count = values;
        for (int64_t c = 0; c < counts; c++)
            if (r->made->class_count[c] < 0)
                return reader_refuse(r, "classes/train_count");
        if (counts > CLASSES_MAX || (r->made->class_names && counts != names))
            return reader_refuse(r, "classes/train_count");
        r->made->classes = (int)counts;
    }
    return 0;
}

/* Where the tail is, if there is one: the file's last bytes. */
static int read_tail_place(reader *r, int64_t file_bytes)
{
    elm_checkpoint_tail *tail = &r->made->tail;
    int64_t record_bytes = 0, bytes = 0;
    if (H5Aexists(r->file, "bank_records") <= 0)
        return 0;
    if (reader_read_number(r, "bank_records", H5T_NATIVE_INT64, &tail->records) ||
        reader_read_number(r, "bank_record_bytes", H5T_NATIVE_INT64, &record_bytes))
        return -1;
    if (tail->records < 0 || record_bytes < 1 ||
        __builtin_mul_overflow(tail->records, record_bytes, &bytes) ||
        bytes > (int64_t)r->bytes_left)
        return reader_refuse(r, "bank_records");
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
    if (r.file < 0 || reader_read_number(&r, "version", H5T_NATIVE_INT, &version))
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
        return reader_refuse(&r, "the file");
    }
    r.bytes_left = (uint64_t)about.st_size;
    r.made = elm_alloc(1, sizeof *r.made, &own);
    const bool good = r.made && !read_facts(&r) && !read_tail_place(&r, (int64_t)about.st_size) &&
                      !read_classes(&r) && !reader_read_input(&r) && !reader_read_tensors(&r) &&
                      !reader_read_history(&r) && !reader_read_progress(&r);
    H5Fclose(r.file);
    if (good) {
        *checkpoint = r.made;
        return 0;
    }
    elm_checkpoint_free(r.made);
    if (!*own.text) /* HDF5 itself gave up, on its way to what was looked for */
        reader_refuse(&r, "its list of objects");
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
