#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "elmpi/store.h"
#include "prepare/archives/archive_fetch.h"
#include "prepare/sources.h"

/* Krizhevsky 2009, "Learning multiple layers of features from tiny images"; format:
 * https://www.cs.toronto.edu/~kriz/cifar.html. A record is its label bytes and then three planes
 * of 32 x 32 bytes, red, green, blue. */

enum {
    SIDE = 32,
    CHANNELS = 3,
    PLANE_BYTES = SIDE * SIDE,
    IMAGE_BYTES = CHANNELS * PLANE_BYTES,
    NAMES_BYTES_MAX = 1 << 16,
    FILES_MAX = 7,
    CLASSES_MAX = 100,
    PROGRESS_EVERY = 2500, /* records */
};

/** One file of records, in the order in which they go into the store. */
typedef struct cifar_file {
    const char *base, *split;
    int records;
} cifar_file;

/** How the two data sets differ. */
typedef struct cifar_set {
    elm_store_info info;
    int label_bytes, label_at; /* of a record, and which of them is the label */
    int coarse_classes;        /* of the first label byte, where there are two */
    int train_per_class, test_per_class;
    const char *names; /* file of class names */
    int file_count;
    cifar_file files[FILES_MAX];
    const char *advice;
} cifar_set;

static const cifar_set cifar10 = {
    .info = {"cifar10",
             10,
             SIDE,
             SIDE,
             CHANNELS,
             0,
             {.4914f, .4822f, .4465f},
             {.2470f, .2435f, .2616f}},
    .label_bytes = 1,
    .train_per_class = 5000,
    .test_per_class = 1000,
    .names = "batches.meta.txt",
    .file_count = 6,
    .files = {{"data_batch_1.bin", "train", 10000},
              {"data_batch_2.bin", "train", 10000},
              {"data_batch_3.bin", "train", 10000},
              {"data_batch_4.bin", "train", 10000},
              {"data_batch_5.bin", "train", 10000},
              {"test_batch.bin", "test", 10000}},
    .advice = "give cifar-10-binary.tar.gz (the binary version) from "
              "https://www.cs.toronto.edu/~kriz/cifar.html",
};

static const cifar_set cifar100 = {
    .info = {"cifar100",
             100,
             SIDE,
             SIDE,
             CHANNELS,
             0,
             {.5071f, .4865f, .4409f},
             {.2673f, .2564f, .2762f}},
    .label_bytes = 2,
    .label_at = 1,
    .coarse_classes = 20,
    .train_per_class = 500,
    .test_per_class = 100,
    .names = "fine_label_names.txt",
    .file_count = 2,
    .files = {{"train.bin", "train", 50000}, {"test.bin", "test", 10000}},
    .advice = "give cifar-100-binary.tar.gz (the binary version) from "
              "https://www.cs.toronto.edu/~kriz/cifar.html",
};

static size_t record_bytes(const cifar_set *set)
{
    return (size_t)set->label_bytes + IMAGE_BYTES;
}

/* Cuts the file of names into lines in place; blank ones do not count. */
static int split_names(const cifar_set *set, char *text, const char **names, const char *archive,
                       elm_error *err)
{
    int count = 0;
    for (char *line = strtok_r(text, "\r\n", &text); line != NULL;
         line = strtok_r(NULL, "\r\n", &text)) {
        if (count < set->info.classes)
            names[count] = line;
        count++;
    }
    if (count != set->info.classes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "wrong number of class names (%s, entry %s): %d instead of %d: %s",
                             archive, set->names, count, set->info.classes, set->advice);
    return 0;
}

static int check_labels(const cifar_set *set, const cifar_file *file, const uint8_t *bytes,
                        int *count, const char *archive, elm_error *err)
{
    for (int i = 0; i < file->records; i++) {
        const uint8_t *record = bytes + (size_t)i * record_bytes(set);
        if (record[set->label_at] >= set->info.classes ||
            (set->coarse_classes > 0 && record[0] >= set->coarse_classes))
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "label out of range (%s, entry %s, record %d): the archive is "
                                 "corrupt or another one: %s",
                                 archive, file->base, i, set->advice);
        count[record[set->label_at]]++;
    }
    return 0;
}

/* Labels in range, and as many of each class in each split as the authors say. */
static int check_records(const cifar_set *set, const elm_archive_file *fetched, const char *archive,
                         elm_error *err)
{
    int train[CLASSES_MAX] = {0}, test[CLASSES_MAX] = {0};
    for (int i = 0; i < set->file_count; i++) {
        int *count = strcmp(set->files[i].split, "train") == 0 ? train : test;
        if (check_labels(set, &set->files[i], fetched[i].bytes, count, archive, err) != 0)
            return -1;
    }
    for (int c = 0; c < set->info.classes; c++)
        if (train[c] != set->train_per_class || test[c] != set->test_per_class)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "wrong class counts (%s): class %d has %d training and %d test "
                                 "images instead of %d and %d: %s",
                                 archive, c, train[c], test[c], set->train_per_class,
                                 set->test_per_class, set->advice);
    return 0;
}

static void interleave(const uint8_t *planes, uint8_t *image)
{
    for (int pixel = 0; pixel < PLANE_BYTES; pixel++)
        for (int c = 0; c < CHANNELS; c++)
            image[pixel * CHANNELS + c] = planes[c * PLANE_BYTES + pixel];
}

static int write_file(elm_store_writer *writer, const cifar_set *set, const cifar_file *file,
                      const uint8_t *bytes, const elm_prepare_request *request, elm_error *err)
{
    uint8_t image[IMAGE_BYTES];
    for (int i = 0; i < file->records; i++) {
        const uint8_t *record = bytes + (size_t)i * record_bytes(set);
        interleave(record + set->label_bytes, image);
        if (elm_store_writer_append(writer, file->split, record[set->label_at], image, err) != 0)
            return -1;
        if (request->progress != NULL && (i + 1) % PROGRESS_EVERY == 0)
            request->progress(request->progress_context, "writing",
                              (double)(i + 1) / file->records);
    }
    return 0;
}

static int write_store(const cifar_set *set, const elm_archive_file *fetched,
                       const char *const *names, const elm_prepare_request *request, elm_error *err)
{
    elm_store_writer *writer = NULL;
    if (elm_store_writer_create(&writer, request->out, &set->info, names, err) != 0)
        return -1;
    for (int i = 0; i < set->file_count; i++)
        if (write_file(writer, set, &set->files[i], fetched[i].bytes, request, err) != 0) {
            elm_store_writer_destroy(writer);
            return -1;
        }
    return elm_store_writer_finish(writer, err);
}

/* The files stand in the archive in any order and the store wants theirs: all are fetched (184
 * MB) and checked before the first is written. */
static int prepare(const cifar_set *set, const elm_prepare_request *request, elm_error *err)
{
    elm_archive_file fetched[FILES_MAX] = {0};
    const char *names[CLASSES_MAX];
    const elm_archive_place place = {.name = request->archive};
    for (int i = 0; i < set->file_count; i++) {
        const int64_t bytes = set->files[i].records * (int64_t)record_bytes(set);
        fetched[i] =
            (elm_archive_file){.base = set->files[i].base, .min_bytes = bytes, .max_bytes = bytes};
    }
    elm_archive_file *names_file = &fetched[set->file_count];
    *names_file = (elm_archive_file){.base = set->names, .max_bytes = NAMES_BYTES_MAX};
    const int count = set->file_count + 1;
    int status = elm_archive_fetch(
        &place, fetched, count, set->advice,
        (elm_archive_progress){request->progress, request->progress_context}, err);
    if (status == 0)
        status = split_names(set, (char *)names_file->bytes, names, request->archive, err);
    if (status == 0)
        status = check_records(set, fetched, request->archive, err);
    if (status == 0)
        status = write_store(set, fetched, names, request, err);
    elm_archive_free(fetched, count);
    return status;
}

int elm_prepare_cifar10(const elm_prepare_request *request, elm_error *err)
{
    return prepare(&cifar10, request, err);
}

int elm_prepare_cifar100(const elm_prepare_request *request, elm_error *err)
{
    return prepare(&cifar100, request, err);
}
