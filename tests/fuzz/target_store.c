/* Stores. Bytes that begin as an HDF5 file does are one, with its checksums put right; any
 * others are a script that forges one of three sound stores: images, features, or an index of
 * images in shards. */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elmpi/dataset.h"
#include "elmpi/memory.h"
#include "elmpi/store.h"
#include "hdf5_forge.h"

enum { CLASSES = 3, ROWS = 5, SAMPLES = 3, NAME_BYTES = 16 };

static const char *const objects[] = {
    "classes",      "classes/name", "classes/train_count", "train",
    "train/labels", "train/images", "train/features",      "train/shard",
    "train/offset", "train/length", "train/width",         "train/height",
    "train/name",   "shards",       "shards/path",         "shards/size_bytes",
    "val",          "val/labels",   "val/images",          NULL};
static const char *const attributes[] = {"format", "version", "dataset", "mean", "std", NULL};
static const hdf5_names names = {objects, attributes};

typedef struct sample {
    uint8_t *bytes;
    size_t size_bytes;
} sample;

static int append_row(elm_store_writer *writer, int kind, int i)
{
    static const uint8_t image[2 * 2 * 3] = {1, 2, 3};
    static const float features[4] = {0.5f, 1, -1, 3};
    const elm_store_place place = {
        .offset = 10 * i, .length = 10, .shard = 0, .width = 4, .height = 3};
    elm_error err;
    return kind == 2 ? elm_store_writer_append_place(writer, "train", i % CLASSES, "a/b.jpg",
                                                     &place, &err)
                     : elm_store_writer_append(writer, "train", i % CLASSES,
                                               kind == 0 ? (const void *)image : features, &err);
}

static int write_store(const char *path, int kind)
{
    static const char *const class_names[CLASSES] = {"cat", "dog", "bird"};
    static const elm_store_shard shard = {"pictures.tar", 1000};
    const elm_store_info info[SAMPLES] = {{.dataset = "a",
                                           .classes = CLASSES,
                                           .height = 2,
                                           .width = 2,
                                           .channels = 3,
                                           .mean = {0.5f, 0.5f, 0.5f},
                                           .std = {1, 1, 1}},
                                          {.dataset = "b", .classes = CLASSES, .features = 4},
                                          {.dataset = "c",
                                           .classes = CLASSES,
                                           .channels = 3,
                                           .mean = {0.5f, 0.5f, 0.5f},
                                           .std = {1, 1, 1},
                                           .in_shards = true}};
    elm_store_writer *writer = NULL;
    elm_error err;
    int status = kind == 2 ? elm_store_writer_create_index(&writer, path, &info[kind], class_names,
                                                           &shard, 1, NAME_BYTES, &err)
                           : elm_store_writer_create(&writer, path, &info[kind], class_names, &err);
    for (int i = 0; status == 0 && i < ROWS; i++)
        status = append_row(writer, kind, i);
    return status == 0 ? elm_store_writer_finish(writer, &err) : status;
}

static sample make_sample(int kind)
{
    char folder[] = "/tmp/elmpi-fuzz.XXXXXX", path[64];
    sample made = {0};
    struct stat about;
    fuzz_demand(mkdtemp(folder) != NULL, "a folder");
    snprintf(path, sizeof path, "%s/store.h5", folder);
    fuzz_demand(write_store(path, kind) == 0 && stat(path, &about) == 0, "a store to forge");
    FILE *file = fopen(path, "rb");
    made.size_bytes = (size_t)about.st_size;
    made.bytes = malloc(made.size_bytes);
    fuzz_demand(file != NULL && made.bytes != NULL &&
                    fread(made.bytes, 1, made.size_bytes, file) == made.size_bytes,
                "the store's bytes");
    fclose(file);
    unlink(path);
    rmdir(folder);
    return made;
}

static fuzz_file make_file(const uint8_t *bytes, size_t size_bytes)
{
    static sample samples[SAMPLES]; /* made once */
    if (size_bytes >= 4 && memcmp(bytes, "\x89HDF", 4) == 0) {
        uint8_t *copy = malloc(size_bytes);
        fuzz_demand(copy != NULL, "memory");
        memcpy(copy, bytes, size_bytes);
        hdf5_mend(copy, size_bytes);
        const fuzz_file file = fuzz_file_make(copy, size_bytes);
        free(copy);
        return file;
    }
    fuzz_bytes script = {bytes, size_bytes};
    const unsigned kind = fuzz_take(&script, SAMPLES);
    if (samples[kind].bytes == NULL)
        samples[kind] = make_sample((int)kind);
    const fuzz_file file = fuzz_file_make(samples[kind].bytes, samples[kind].size_bytes);
    hdf5_forge(file.path, &names, script);
    return file;
}

static void check_places(elm_store *store, const char *split, int64_t count)
{
    elm_error err = {0};
    elm_store_place *places = NULL;
    char name[64];
    for (int64_t i = 0; i < count && i < 100; i++) {
        fuzz_check_status(elm_store_places(store, split, &i, 1, &places, &err), &err);
        if (places != NULL) {
            fuzz_demand(places->shard >= 0 && places->shard < elm_store_shard_count(store),
                        "a shard that is there");
            const elm_store_shard shard = elm_store_shard_at(store, places->shard);
            fuzz_demand(places->offset >= 0 && places->length > 0 &&
                            places->offset + (int64_t)places->length <= shard.size_bytes,
                        "a place within its shard");
        }
        elm_free(places);
        fuzz_check_status(elm_store_image_name(store, split, i, name, sizeof name, &err), &err);
    }
}

static void check_rows(elm_store *store, const char *split, int64_t count)
{
    const elm_store_info *info = elm_store_describe(store);
    const int64_t members[] = {count - 1, 0};
    elm_error err = {0};
    void *rows = NULL;
    volatile unsigned sum = 0;
    const int status = elm_store_read(store, split, members, 2, &rows, &err);
    fuzz_check_status(status, &err);
    const size_t size_bytes =
        info->channels > 0 ? (size_t)info->height * (size_t)info->width * (size_t)info->channels
                           : (size_t)info->features * sizeof(float);
    for (size_t i = 0; status == 0 && i < 2 * size_bytes; i++)
        sum = sum + ((const uint8_t *)rows)[i];
    elm_free(rows);
}

static void check_store(elm_store *store)
{
    static const char *const splits[] = {"train", "val", "test"};
    const elm_store_info *info = elm_store_describe(store);
    fuzz_demand(info->classes > 0 && (info->channels > 0) != (info->features > 0),
                "images or features of some classes");
    for (int c = 0; c < info->classes && c < 100; c++)
        fuzz_demand(strlen(elm_store_class_name(store, c)) < 256, "names of classes that end");
    for (int i = 0; i < info->channels; i++)
        fuzz_demand(isfinite(info->mean[i]) && info->std[i] > 0,
                    "a normalization that can be computed");
    for (int s = 0; s < 3; s++) {
        const int64_t count = elm_store_count(store, splits[s]);
        if (count > 0 && info->in_shards)
            check_places(store, splits[s], count);
        else if (count > 0)
            check_rows(store, splits[s], count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    fuzz_file file = make_file(bytes, size_bytes);
    const int64_t begun = fuzz_begin();
    elm_store *store = NULL;
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    const int status = elm_store_open(&store, file.path, &err);
    fuzz_check_status(status, &err);
    if (status == 0) {
        check_store(store);
        fuzz_check_status(
            elm_dataset_load(&dataset, file.path, "train", size_bytes % 2 ? 0 : 2, &err), &err);
    }
    elm_dataset_destroy(dataset);
    elm_store_close(store);
    fuzz_file_remove(&file);
    fuzz_demand(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "every handle closed");
    fuzz_end(begun);
    return 0;
}
