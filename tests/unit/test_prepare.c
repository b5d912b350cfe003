/* Preparing stores: the data sets that elmpi makes itself, and CIFAR-10 from an archive in the
 * authors' layout. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "base/long_tail.h"
#include "data/sampling/subset.h"
#include "elmpi/dataset.h"
#include "elmpi/memory.h"
#include "elmpi/prepare.h"
#include "unit/scratch.h"

static const elm_log quiet = {.program = "test", .quiet = true};

static void prepare(const char *source, const elm_prepare_request *request)
{
    elm_error err = {0};
    const int64_t live = elm_alloc_live();
    if (elm_prepare_run(source, request, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(elm_alloc_live(), live);
}

static void refused(const char *source, const elm_prepare_request *request, int code,
                    const char *pattern)
{
    elm_error err = {0};
    const int64_t live = elm_alloc_live();
    assert_int_equal(elm_prepare_run(source, request, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.text, pattern) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, pattern);
    assert_int_equal(elm_alloc_live(), live);
}

static elm_dataset *load(const char *path, const char *split)
{
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    if (elm_dataset_load(&dataset, path, split, 0, &err) != 0)
        fail_msg("%s", err.text);
    return dataset;
}

static void digits(void **state)
{
    (void)state;
    enum { PIXELS = 64 };
    const char *path = scratch_path("new/folder/digits.h5");
    prepare("digits", &(elm_prepare_request){.out = path, .log = &quiet});
    elm_dataset *train = load(path, "train"), *test = load(path, "test");
    double sum = 0, squares = 0;
    assert_int_equal(test->count, 500);
    for (int c = 0; c < 10; c++) {
        assert_int_equal(test->class_count[c], 50);
        assert_int_equal(train->class_count[c], elm_long_tail_count(124, 20, c, 10));
    }
    assert_int_equal(train->class_count[9], 6);
    for (int64_t i = 0; i < train->count * PIXELS; i++) {
        const int sixteenths = (int)lround(train->images[i] * 16 / 255.0);
        assert_int_equal(train->images[i], (int)lround(sixteenths * 255 / 16.0));
        sum += train->images[i] / 255.0;
        squares += train->images[i] / 255.0 * (train->images[i] / 255.0);
    }
    const double values = (double)(train->count * PIXELS), mean = sum / values;
    assert_true(fabs(mean - train->info.mean[0]) < 1e-6);
    assert_true(fabs(sqrt(squares / values - mean * mean) - train->info.std[0]) < 1e-6);
    for (int64_t i = 0; i < train->count; i++) /* no digit is in both */
        for (int64_t k = 0; k < test->count; k++)
            assert_memory_not_equal(train->images + i * PIXELS, test->images + k * PIXELS, PIXELS);

    /* Another imbalance: the same test set, and the smaller training set lies within the larger. */
    const char *balanced_path = scratch_path("balanced.h5");
    prepare("digits", &(elm_prepare_request){.out = balanced_path, .imbalance = 1, .log = &quiet});
    elm_dataset *balanced = load(balanced_path, "train"), *same_test = load(balanced_path, "test");
    assert_int_equal(balanced->count, 1240);
    assert_memory_equal(test->images, same_test->images, 500 * PIXELS);
    int64_t found = 0;
    for (int64_t i = 0; i < balanced->count && found < train->count; i++)
        found += memcmp(balanced->images + i * PIXELS, train->images + found * PIXELS, PIXELS) == 0;
    assert_int_equal(found, train->count);
    elm_dataset_destroy(train);
    elm_dataset_destroy(test);
    elm_dataset_destroy(balanced);
    elm_dataset_destroy(same_test);
    refused("digits",
            &(elm_prepare_request){.out = scratch_path("x.h5"), .imbalance = 125, .log = &quiet},
            ELM_EXIT_USAGE, "--imbalance");
    assert_int_not_equal(access(scratch_path("x.h5"), F_OK), 0);
}

static void moons(void **state)
{
    (void)state;
    const char *path = scratch_path("moons.h5");
    prepare("two-moons", &(elm_prepare_request){.out = path, .log = &quiet});
    elm_dataset *train = load(path, "train"), *test = load(path, "test");
    assert_int_equal(train->count, 2000);
    assert_int_equal(train->class_count[1], 100);
    assert_int_equal(test->class_count[0], 1000);
    assert_int_equal(test->class_count[1], 1000);
    double worst = 0;
    int early_tail = 0;
    /* distance from the half circle: noise of deviation 0.1 */
    for (int64_t i = 0; i < test->count; i++) {
        const double x = test->features[2 * i] - (test->labels[i] ? 1 : 0),
                     y = test->features[2 * i + 1] - (test->labels[i] ? 0.5 : 0);
        worst = fmax(worst, fabs(hypot(x, y) - 1));
    }
    assert_true(worst < 0.6 && worst > 0.2);
    for (int i = 0; i < 200; i++)
        early_tail += train->labels[i];
    assert_in_range(early_tail, 1, 30); /* classes mix in the store's order */

    const char *other_path = scratch_path("other.h5");
    prepare("two-moons",
            &(elm_prepare_request){
                .out = other_path, .imbalance = 4, .points = 500, .seed = 3, .log = &quiet});
    elm_dataset *other = load(other_path, "train");
    assert_int_equal(other->class_count[0], 400);
    assert_int_equal(other->class_count[1], 100);
    assert_memory_not_equal(other->features, train->features, 40 * sizeof(float));
    elm_dataset_destroy(train);
    elm_dataset_destroy(test);
    elm_dataset_destroy(other);
    refused("two-moons",
            &(elm_prepare_request){.out = scratch_path("x.h5"), .imbalance = 1e5, .log = &quiet},
            ELM_EXIT_USAGE, "tail");
}

enum { RECORDS = 10000, RECORD = 3073 };

static int label_of(int file, int record, int wrong_label)
{
    return record == 0 && file == 3 && wrong_label >= 0 ? wrong_label : (record + file) % 10;
}

/* A batch file whose pixels tell file, record and plane. */
static void add_batch(struct archive *writer, const char *path, int file, int wrong_label)
{
    uint8_t *bytes = malloc((size_t)RECORDS * RECORD);
    for (int i = 0; i < RECORDS; i++) {
        uint8_t *record = bytes + (size_t)i * RECORD;
        record[0] = (uint8_t)label_of(file, i, wrong_label);
        for (int plane = 0; plane < 3; plane++)
            memset(record + 1 + 1024 * plane, (file * 40 + i + plane) % 256, 1024);
        record[1] = 77; /* first row, first column, red */
    }
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)RECORDS * RECORD);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(writer, bytes, (size_t)RECORDS * RECORD), RECORDS * RECORD);
    archive_entry_free(entry);
    free(bytes);
}

static void add_text(struct archive *writer, const char *path, const char *text)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)strlen(text));
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(writer, text, strlen(text)), strlen(text));
    archive_entry_free(entry);
}

/* In the order in which the authors' archive holds them. */
static void make_cifar10(const char *path, const char *names, int wrong_label)
{
    struct archive *writer = archive_write_new();
    assert_int_equal(archive_write_set_format_ustar(writer), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter_gzip(writer), ARCHIVE_OK);
    assert_int_equal(archive_write_set_options(writer, "gzip:compression-level=1"), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    add_batch(writer, "cifar-10-batches-bin/data_batch_1.bin", 1, wrong_label);
    add_text(writer, "cifar-10-batches-bin/batches.meta.txt", names);
    add_batch(writer, "cifar-10-batches-bin/data_batch_3.bin", 3, wrong_label);
    add_batch(writer, "cifar-10-batches-bin/data_batch_4.bin", 4, wrong_label);
    add_batch(writer, "cifar-10-batches-bin/test_batch.bin", 6, wrong_label);
    add_text(writer, "cifar-10-batches-bin/readme.html", "<a>");
    add_batch(writer, "cifar-10-batches-bin/data_batch_5.bin", 5, wrong_label);
    add_batch(writer, "cifar-10-batches-bin/data_batch_2.bin", 2, wrong_label);
    assert_int_equal(archive_write_free(writer), ARCHIVE_OK);
}

static const char names_of_10[] =
    "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

static void check_image(const uint8_t *image, int file, int record)
{
    for (int pixel = 0; pixel < 1024; pixel++)
        for (int plane = 0; plane < 3; plane++)
            assert_int_equal(image[3 * pixel + plane],
                             pixel == 0 && plane == 0 ? 77 : (file * 40 + record + plane) % 256);
}

static void cifar10(void **state)
{
    (void)state;
    const elm_prepare_request request = {.archive = scratch_path("cifar10.tar.gz"),
                                         .out = scratch_path("cifar10.h5"),
                                         .log = &quiet};
    make_cifar10(request.archive, names_of_10, -1);
    prepare("cifar10", &request);
    elm_dataset *train = load(request.out, "train"), *test = load(request.out, "test");
    assert_int_equal(train->count, 5 * RECORDS);
    assert_int_equal(test->count, RECORDS);
    assert_string_equal(train->class_names[9], "truck");
    assert_true(train->info.mean[2] == .4465f && train->info.std[0] == .2470f);
    for (int i = 0; i < 5 * RECORDS; i += 997) { /* batches 1 to 5 in this order */
        assert_int_equal(train->labels[i], label_of(1 + i / RECORDS, i % RECORDS, -1));
        check_image(train->images + (size_t)i * 3072, 1 + i / RECORDS, i % RECORDS);
    }
    check_image(test->images + (size_t)(RECORDS - 1) * 3072, 6, RECORDS - 1);
    elm_dataset_destroy(train);
    elm_dataset_destroy(test);

    /* What stands there is not replaced unless asked. */
    refused("cifar10", &request, ELM_EXIT_FAILURE, "--force");
    elm_prepare_request again = request;
    again.force = true;
    make_cifar10(request.archive, "one\ntwo\n", -1);
    refused("cifar10", &again, ELM_EXIT_FAILURE, "2 instead of 10");
    elm_dataset_destroy(load(request.out, "test")); /* still the good one */
    make_cifar10(request.archive, names_of_10, 10);
    refused("cifar10", &again, ELM_EXIT_FAILURE, "label out of range");
    make_cifar10(request.archive, names_of_10, 4);
    refused("cifar10", &again, ELM_EXIT_FAILURE, "class 3 has 4999 training");
    refused("cifar100", &again, ELM_EXIT_FAILURE, "cifar-100-binary.tar.gz");
    elm_dataset_destroy(load(request.out, "test"));
    assert_int_not_equal(access(scratch_path("cifar10.h5.part"), F_OK), 0);
}

static void wrong_requests(void **state)
{
    (void)state;
    const char *out = scratch_path("wrong.h5");
    refused("cifar1O", &(elm_prepare_request){.out = out, .log = &quiet}, ELM_EXIT_USAGE,
            "did you mean cifar10?");
    refused("imagenet-22k-of-tomorrow", &(elm_prepare_request){.out = out, .log = &quiet},
            ELM_EXIT_USAGE, "cifar10, cifar100, digits, two-moons");
    refused("cifar10", &(elm_prepare_request){.out = out, .log = &quiet}, ELM_EXIT_USAGE,
            "no archive");
    refused("cifar10",
            &(elm_prepare_request){.out = out, .archive = "a", .imbalance = 10, .log = &quiet},
            ELM_EXIT_USAGE, "data.imbalance");
    refused("digits", &(elm_prepare_request){.out = out, .points = 10, .log = &quiet},
            ELM_EXIT_USAGE, "--images");
    refused("two-moons", &(elm_prepare_request){.out = out, .archive = "a", .log = &quiet},
            ELM_EXIT_USAGE, "--archive");
    refused("two-moons", &(elm_prepare_request){.out = out, .imbalance = 0.5, .log = &quiet},
            ELM_EXIT_USAGE, "1 or more");
    refused("digits", &(elm_prepare_request){.out = scratch_folder, .log = &quiet},
            ELM_EXIT_FAILURE, "folder");
    assert_int_not_equal(access(out, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits),
        cmocka_unit_test(moons),
        cmocka_unit_test(cifar10),
        cmocka_unit_test(wrong_requests),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
