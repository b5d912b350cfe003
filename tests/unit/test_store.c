/* Stores: what goes in comes out; a broken or hostile file is refused in words, or gives the
 * right values all the same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "base/rng.h"
#include "elmpi/memory.h"
#include "elmpi/store.h"
#include "unit/hdf5_leaks.h"
#include "unit/scratch.h"

enum { CLASSES = 3, TRAIN = 1000, TEST = 7, SIDE = 12, CHANNELS = 3, ROW = SIDE * SIDE * CHANNELS };

static const char *const class_names[CLASSES] = {"cat", "dog", "na\xc3\xafve bird"};
static const elm_store_info images = {.dataset = "made-up",
                                      .classes = CLASSES,
                                      .height = SIDE,
                                      .width = SIDE,
                                      .channels = CHANNELS,
                                      .mean = {.1f, .2f, .3f},
                                      .std = {.4f, .5f, .6f}};

static int32_t label_of(int64_t i)
{
    return (int32_t)(i % 5 == 0 ? 2 : i % 2);
}

static void fill_row(int64_t i, uint8_t *row)
{
    elm_rng rng = elm_rng_stream(3, ELM_RNG_DATA, 0, (uint64_t)i);
    for (int k = 0; k < ROW; k++)
        row[k] = (uint8_t)elm_rng_u32(&rng);
}

static elm_store_writer *start(const char *path, const elm_store_info *info)
{
    elm_store_writer *writer = NULL;
    elm_error err = {0};
    if (elm_store_writer_create(&writer, path, info, class_names, &err) != 0)
        fail_msg("%s", err.text);
    return writer;
}

/* Training rows 0..999 and test rows 1000..1006, appended alternately. */
static void write_images(const char *path)
{
    uint8_t row[ROW];
    elm_error err = {0};
    elm_store_writer *writer = start(path, &images);
    for (int64_t i = 0; i < TRAIN; i++) {
        fill_row(i, row);
        assert_int_equal(elm_store_writer_append(writer, "train", label_of(i), row, &err), 0);
        if (i >= TEST)
            continue;
        fill_row(TRAIN + i, row);
        assert_int_equal(elm_store_writer_append(writer, "test", label_of(TRAIN + i), row, &err),
                         0);
    }
    if (elm_store_writer_finish(writer, &err) != 0)
        fail_msg("%s", err.text);
}

static elm_store *open_good(const char *path)
{
    elm_store *store = NULL;
    elm_error err = {0};
    if (elm_store_open(&store, path, &err) != 0)
        fail_msg("%s", err.text);
    return store;
}

static void images_come_back(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    const char *path = scratch_path("images.h5");
    write_images(path);
    elm_store *store = open_good(path);
    assert_memory_equal(elm_store_describe(store), &images, sizeof images);
    for (int c = 0; c < CLASSES; c++)
        assert_string_equal(elm_store_class_name(store, c), class_names[c]);
    assert_int_equal(elm_store_count(store, "train"), TRAIN);
    assert_int_equal(elm_store_count(store, "test"), TEST);
    assert_int_equal(elm_store_count(store, "val"), 0);
    assert_int_equal(elm_store_count(store, "nonsense"), 0);

    elm_error err = {0};
    int32_t *labels = NULL;
    int64_t count = 0;
    assert_int_equal(elm_store_labels(store, "train", &labels, &count, &err), 0);
    assert_int_equal(count, TRAIN);
    for (int64_t i = 0; i < TRAIN; i++)
        assert_int_equal(labels[i], label_of(i));
    elm_free(labels);

    /* Out of order, from both ends, twice the same, across chunks. */
    const int64_t members[] = {999, 0, 500, 500, 1, 998, 2, 3, 700, 250};
    const int64_t member_count = sizeof members / sizeof *members;
    void *rows = NULL;
    uint8_t expected[ROW];
    assert_int_equal(elm_store_read(store, "train", members, member_count, &rows, &err), 0);
    for (int64_t i = 0; i < member_count; i++) {
        fill_row(members[i], expected);
        assert_memory_equal((uint8_t *)rows + i * ROW, expected, ROW);
    }
    elm_free(rows);
    assert_int_equal(elm_store_read(store, "test", (const int64_t[]){6}, 1, &rows, &err), 0);
    fill_row(TRAIN + 6, expected);
    assert_memory_equal(rows, expected, ROW);
    elm_free(rows);

    assert_int_equal(elm_store_read(store, "test", (const int64_t[]){TEST}, 1, &rows, &err), -1);
    assert_int_equal(elm_store_read(store, "test", (const int64_t[]){-1}, 1, &rows, &err), -1);
    assert_int_equal(elm_store_read(store, "val", members, 1, &rows, &err), -1);
    assert_non_null(strstr(err.text, "\"val\""));
    elm_store_close(store);
    assert_int_equal(elm_alloc_live(), live);
}

static void features_come_back(void **state)
{
    (void)state;
    enum { POINTS = 9000 };
    const char *path = scratch_path("features.h5");
    const elm_store_info info = {.dataset = "points", .classes = CLASSES, .features = 2};
    elm_store_writer *writer = start(path, &info);
    elm_error err = {0};
    for (int i = 0; i < POINTS; i++)
        assert_int_equal(elm_store_writer_append(writer, "train", i % CLASSES,
                                                 (const float[]){(float)i, -0.5f * (float)i}, &err),
                         0);
    assert_int_equal(elm_store_writer_finish(writer, &err), 0);
    elm_store *store = open_good(path);
    assert_int_equal(elm_store_describe(store)->features, 2);
    assert_int_equal(elm_store_describe(store)->channels, 0);
    void *rows = NULL;
    assert_int_equal(
        elm_store_read(store, "train", (const int64_t[]){8999, 4096, 4095, 0}, 4, &rows, &err), 0);
    const float expected[] = {8999, -4499.5f, 4096, -2048, 4095, -2047.5f, 0, -0.0f};
    for (int i = 0; i < 8; i++)
        assert_true(((float *)rows)[i] == expected[i]);
    elm_free(rows);
    elm_store_close(store);
}

static void nothing_half_written(void **state)
{
    (void)state;
    const char *path = scratch_path("half.h5"), *part = scratch_path("half.h5.part");
    uint8_t row[ROW] = {0};
    elm_error err = {0};
    elm_store_writer *writer = start(path, &images);
    assert_int_equal(elm_store_writer_append(writer, "train", 0, row, &err), 0);
    assert_int_equal(elm_store_writer_append(writer, "trian", 0, row, &err), -1);
    assert_int_equal(elm_store_writer_append(writer, "train", CLASSES, row, &err), -1);
    assert_int_equal(elm_store_writer_append(writer, "train", -1, row, &err), -1);
    assert_int_equal(access(part, F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    elm_store_writer_destroy(writer);
    assert_int_not_equal(access(part, F_OK), 0);

    writer = start(path, &images); /* a store without a record is none */
    assert_int_equal(elm_store_writer_finish(writer, &err), -1);
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);

    assert_int_equal(elm_store_writer_create(&writer, scratch_path("no/such/folder.h5"), &images,
                                             class_names, &err),
                     -1);
    assert_non_null(strstr(err.text, "No such file"));
    elm_store_writer_destroy(NULL);
    elm_store_close(NULL);
}

static uint8_t *slurp(const char *path, size_t *count)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *count = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*count);
    assert_int_equal(fread(bytes, 1, *count, file), *count);
    fclose(file);
    return bytes;
}

static void spill(const char *path, const uint8_t *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static void equal_input_gives_equal_bytes(void **state)
{
    (void)state;
    size_t count[2];
    write_images(scratch_path("one.h5"));
    write_images(scratch_path("two.h5"));
    uint8_t *one = slurp(scratch_path("one.h5"), &count[0]),
            *two = slurp(scratch_path("two.h5"), &count[1]);
    assert_int_equal(count[0], count[1]);
    assert_memory_equal(one, two, count[0]);
    free(one);
    free(two);
}

/* Ways to spoil a good store. */
static void drop(hid_t file, const char *path)
{
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
}

static void put(hid_t file, const char *path, hid_t type, int dimensions, const hsize_t *shape,
                const void *values)
{
    if (H5Lexists(file, path, H5P_DEFAULT) > 0)
        drop(file, path);
    const hid_t space = H5Screate_simple(dimensions, shape, NULL);
    const hid_t array = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(array >= 0);
    if (values != NULL)
        assert_true(H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(array);
    H5Sclose(space);
}

static void put_number(hid_t file, const char *name, hid_t type, int count, const void *values)
{
    H5Adelete(file, name);
    const hsize_t extent = (hsize_t)count;
    const hid_t space = H5Screate_simple(1, &extent, NULL),
                attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, type, values) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

static void no_format(hid_t file)
{
    H5Adelete(file, "format");
}

static void other_format(hid_t file)
{
    put_number(file, "format", H5T_NATIVE_INT, 1, &(int){1});
}

/* Rows of one size where an index should be. */
static void version_of_an_index(hid_t file)
{
    put_number(file, "version", H5T_NATIVE_INT, 1, &(int){2});
}

static void newer_version(hid_t file)
{
    put_number(file, "version", H5T_NATIVE_INT, 1, &(int){3});
}

static void no_mean(hid_t file)
{
    H5Adelete(file, "mean");
}

static void short_mean(hid_t file)
{
    put_number(file, "mean", H5T_NATIVE_FLOAT, 2, (const float[]){0, 0});
}

static void infinite_mean(hid_t file)
{
    put_number(file, "mean", H5T_NATIVE_FLOAT, 3, (const float[]){0, INFINITY, 0});
}

static void zero_deviation(hid_t file)
{
    put_number(file, "std", H5T_NATIVE_FLOAT, 3, (const float[]){1, 0, 1});
}

static void no_names(hid_t file)
{
    drop(file, "classes/name");
}

static void numeric_names(hid_t file)
{
    put(file, "classes/name", H5T_NATIVE_INT, 1, (const hsize_t[]){3}, (const int[]){1, 2, 3});
}

static void no_counts(hid_t file)
{
    drop(file, "classes/train_count");
}

static void wrong_counts(hid_t file)
{
    put(file, "classes/train_count", H5T_NATIVE_INT64, 1, (const hsize_t[]){3},
        (const int64_t[]){400, 400, 200 + 1});
}

static void no_labels(hid_t file)
{
    drop(file, "test/labels");
}

static void label_too_large(hid_t file)
{
    put(file, "test/labels", H5T_NATIVE_INT64, 1, (const hsize_t[]){TEST},
        (const int64_t[]){0, 0, 3, 0, 0, 0, 0});
}

static void label_beyond_32_bits(hid_t file)
{
    put(file, "test/labels", H5T_NATIVE_INT64, 1, (const hsize_t[]){TEST},
        (const int64_t[]){0, 0, 1LL << 32, 0, 0, 0, 0});
}

static void label_negative(hid_t file)
{
    put(file, "test/labels", H5T_NATIVE_INT, 1, (const hsize_t[]){TEST},
        (const int[]){0, 0, -1, 0, 0, 0, 0});
}

static void labels_of_floats(hid_t file)
{
    put(file, "test/labels", H5T_NATIVE_FLOAT, 1, (const hsize_t[]){TEST},
        (const float[]){0, 0, 1, 0, 0, 0, 0});
}

static void too_few_labels(hid_t file)
{
    put(file, "test/labels", H5T_NATIVE_INT, 1, (const hsize_t[]){TEST - 1},
        (const int[]){0, 0, 0, 0, 0, 0});
}

static void no_images(hid_t file)
{
    drop(file, "test/images");
}

static void flat_images(hid_t file)
{
    static const uint8_t bytes[TEST * ROW];
    put(file, "test/images", H5T_NATIVE_UINT8, 2, (const hsize_t[]){TEST, ROW}, bytes);
}

static void smaller_images(hid_t file)
{
    static const uint8_t bytes[TEST * ROW];
    put(file, "test/images", H5T_NATIVE_UINT8, 4, (const hsize_t[]){TEST, SIDE / 2, SIDE, CHANNELS},
        bytes);
}

static void signed_images(hid_t file)
{
    static const uint8_t bytes[TEST * ROW];
    put(file, "test/images", H5T_NATIVE_INT8, 4, (const hsize_t[]){TEST, SIDE, SIDE, CHANNELS},
        bytes);
}

static void announced_images(hid_t file)
{
    put(file, "test/images", H5T_NATIVE_UINT8, 4, (const hsize_t[]){TEST, SIDE, SIDE, CHANNELS},
        NULL);
}

/* A petabyte of labels and rows that no file holds. */
static void huge_labels(hid_t file)
{
    const hid_t array = H5Dopen2(file, "test/labels", H5P_DEFAULT);
    assert_true(H5Dset_extent(array, (const hsize_t[]){1ULL << 48}) >= 0);
    H5Dclose(array);
}

static void huge_images(hid_t file)
{
    const hid_t array = H5Dopen2(file, "test/images", H5P_DEFAULT);
    assert_true(H5Dset_extent(array, (const hsize_t[]){1ULL << 40, SIDE, SIDE, CHANNELS}) >= 0);
    H5Dclose(array);
}

static void link_out_of_the_file(hid_t file)
{
    drop(file, "test/labels");
    assert_true(H5Lcreate_external("/etc/passwd", "/labels", file, "test/labels", H5P_DEFAULT,
                                   H5P_DEFAULT) >= 0);
}

static void link_in_a_circle(hid_t file)
{
    drop(file, "test/labels");
    assert_true(H5Lcreate_soft("/test/labels", file, "test/labels", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void bytes_of_another_file(hid_t file)
{
    drop(file, "test/labels");
    const hid_t space = H5Screate_simple(1, (const hsize_t[]){TEST}, NULL),
                properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, "/etc/passwd", 0, TEST * sizeof(int));
    const hid_t array = H5Dcreate2(file, "test/labels", H5T_NATIVE_INT, space, H5P_DEFAULT,
                                   properties, H5P_DEFAULT);
    assert_true(array >= 0);
    H5Dclose(array);
    H5Pclose(properties);
    H5Sclose(space);
}

static void group_for_labels(hid_t file)
{
    drop(file, "test/labels");
    H5Gclose(H5Gcreate2(file, "test/labels", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void no_splits(hid_t file)
{
    drop(file, "train");
    drop(file, "test");
}

/* Refused in words that name the file and what is wrong, and no memory is left behind. */
static void refused(const char *path, const char *pattern)
{
    elm_store *store = NULL;
    elm_error err = {0};
    const int64_t live = elm_alloc_live();
    if (elm_store_open(&store, path, &err) == 0)
        fail_msg("opened, but should say \"%s\"", pattern);
    assert_null(store);
    /* nothing there: a wrong name */
    assert_int_equal(err.code, access(path, F_OK) == 0 ? ELM_EXIT_FAILURE : ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, path));
    if (strstr(err.text, pattern) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, pattern);
    assert_int_equal(elm_alloc_live(), live);
}

static void spoilt_stores(void **state)
{
    (void)state;
    const struct {
        void (*spoil)(hid_t file);
        const char *says;
    } rows[] = {
        {no_format, "not a store"},
        {other_format, "not a store"},
        {newer_version, "newer"},
        {version_of_an_index, "/shards"},
        {no_mean, "mean"},
        {short_mean, "mean"},
        {infinite_mean, "not finite"},
        {zero_deviation, "not positive"},
        {no_names, "classes/name"},
        {numeric_names, "classes/name"},
        {no_counts, "classes/train_count"},
        {wrong_counts, "classes/train_count"},
        {no_labels, "test/labels"},
        {label_too_large, "out of range"},
        {label_beyond_32_bits, "out of range"},
        {label_negative, "out of range"},
        {labels_of_floats, "not a list of whole numbers"},
        {too_few_labels, "not as many rows as labels"},
        {no_images, "absent"},
        {flat_images, "uint8 [N,H,W,C]"},
        {smaller_images, "another shape"},
        {signed_images, "uint8 [N,H,W,C]"},
        {announced_images, "incomplete"},
        {huge_labels, "impossible size"},
        {huge_images, "impossible size"},
        {link_out_of_the_file, "test/labels"},
        {link_in_a_circle, "test/labels"},
        {bytes_of_another_file, "test/labels"},
        {group_for_labels, "test/labels"},
        {no_splits, "no train, val or test"},
    };
    const char *path = scratch_path("spoilt.h5");
    size_t count;
    write_images(scratch_path("good.h5"));
    uint8_t *good = slurp(scratch_path("good.h5"), &count);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        spill(path, good, count);
        const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(file >= 0);
        rows[i].spoil(file);
        assert_true(H5Fclose(file) >= 0);
        refused(path, rows[i].says);
    }
    free(good);
}

static void features_must_be_finite(void **state)
{
    (void)state;
    const char *path = scratch_path("nan.h5");
    const elm_store_info info = {.dataset = "points", .classes = CLASSES, .features = 2};
    elm_store_writer *writer = start(path, &info);
    elm_error err = {0};
    void *rows = NULL;
    for (int i = 0; i < CLASSES; i++)
        assert_int_equal(elm_store_writer_append(writer, "train", i,
                                                 (const float[]){(float)i, i == 1 ? NAN : 0}, &err),
                         0);
    assert_int_equal(elm_store_writer_finish(writer, &err), 0);
    elm_store *store = open_good(path);
    assert_int_equal(elm_store_read(store, "train", (const int64_t[]){0, 2}, 2, &rows, &err), 0);
    elm_free(rows);
    assert_int_equal(elm_store_read(store, "train", (const int64_t[]){0, 1, 2}, 3, &rows, &err),
                     -1);
    assert_non_null(strstr(err.text, "not finite"));
    elm_store_close(store);
}

static void missing_and_foreign_files(void **state)
{
    (void)state;
    refused(scratch_path("nowhere.h5"), "No such file");
    refused(scratch_folder, "not a file");
    spill(scratch_path("text.h5"), (const uint8_t *)"no store\n", 9);
    refused(scratch_path("text.h5"), "no HDF5 file");
    spill(scratch_path("empty.h5"), (const uint8_t *)"", 0);
    refused(scratch_path("empty.h5"), "no HDF5 file");
}

static void truncated_anywhere(void **state)
{
    (void)state;
    const char *path = scratch_path("cut.h5");
    size_t count;
    write_images(scratch_path("whole.h5"));
    uint8_t *bytes = slurp(scratch_path("whole.h5"), &count);
    for (size_t cut = 0; cut < count; cut += cut < 64 ? 8 : count / 60) {
        spill(path, bytes, cut);
        refused(path, cut < 8 ? "no HDF5" : "");
    }
    spill(path, bytes, count - 1);
    refused(path, "truncated");
    free(bytes);
}

/* True when the store opens and all it holds is right but for the class names, which carry no
 * checksum. */
static bool reads_right(const char *path)
{
    elm_store *store = NULL;
    elm_error err = {0};
    void *rows = NULL;
    int64_t members[TRAIN];
    uint8_t expected[ROW];
    if (elm_store_open(&store, path, &err) != 0)
        return false;
    for (int64_t i = 0; i < TRAIN; i++)
        members[i] = i;
    const bool read =
        elm_store_read(store, "train", members, elm_store_count(store, "train"), &rows, &err) == 0;
    if (read) {
        assert_int_equal(elm_store_count(store, "train"), TRAIN);
        assert_memory_equal(elm_store_describe(store), &images, sizeof images);
        for (int64_t i = 0; i < TRAIN; i += 37) {
            fill_row(i, expected);
            assert_memory_equal((uint8_t *)rows + i * ROW, expected, ROW);
        }
    }
    elm_free(rows);
    elm_store_close(store);
    return read;
}

/* Metadata and rows carry checksums: a flipped bit is refused, or fell where nothing is. */
static void flipped_anywhere(void **state)
{
    (void)state;
    const char *path = scratch_path("flipped.h5");
    size_t count;
    int wrong = 0;
    write_images(scratch_path("whole.h5"));
    uint8_t *bytes = slurp(scratch_path("whole.h5"), &count);
    elm_rng rng = elm_rng_stream(5, ELM_RNG_DATA, 0, 0);
    const int64_t live = elm_alloc_live();
    for (int trial = 0; trial < 400; trial++) {
        const size_t at =
            trial < 250 ? elm_rng_below(&rng, 8192) : elm_rng_below(&rng, (uint32_t)count);
        const uint8_t bit = (uint8_t)(1u << elm_rng_below(&rng, 8));
        bytes[at] ^= bit;
        spill(path, bytes, count);
        wrong += !reads_right(path);
        bytes[at] ^= bit;
    }
    assert_in_range(wrong, 50, 400);
    assert_int_equal(elm_alloc_live(), live);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_come_back),
        cmocka_unit_test(features_come_back),
        cmocka_unit_test(nothing_half_written),
        cmocka_unit_test(equal_input_gives_equal_bytes),
        cmocka_unit_test(spoilt_stores),
        cmocka_unit_test(features_must_be_finite),
        cmocka_unit_test(missing_and_foreign_files),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(flipped_anywhere),
        cmocka_unit_test(no_handle_left_open),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
