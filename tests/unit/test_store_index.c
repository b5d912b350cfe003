/* Stores of images in shards: what goes in comes out; a place that is not within its shard is
 * refused, whoever wrote it there. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>
#include <hdf5.h>

#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "unit/scratch.h"

enum { CLASSES = 3, TRAIN = 5000, TEST = 4, SHARDS = 2, NAME_BYTES = 24 };

static const char *const class_names[CLASSES] = {"cat", "dog", "na\xc3\xafve bird"};
static const elm_store_info info = {.dataset = "pictures",
                                    .classes = CLASSES,
                                    .channels = 3,
                                    .in_shards = true,
                                    .mean = {.1f, .2f, .3f},
                                    .std = {.4f, .5f, .6f}};
static const elm_store_shard shards[SHARDS] = {{"images-00000.tar", 1000000},
                                               {"/elsewhere/original.tar", INT64_C(147897477120)}};

static elm_store_place place_of(int64_t i)
{
    const int shard = (int)(i % SHARDS);
    return (elm_store_place){.offset = shard == 1 ? INT64_C(147897477120) - 100 - i : i * 100,
                             .length = 100,
                             .shard = shard,
                             .width = (uint16_t)(1 + i),
                             .height = UINT16_MAX};
}

static int32_t label_of(int64_t i)
{
    return (int32_t)(i % 7 % CLASSES);
}

static elm_store_writer *start(const char *path)
{
    elm_store_writer *writer = NULL;
    elm_error err = {0};
    if (elm_store_writer_create_index(&writer, path, &info, class_names, shards, SHARDS, NAME_BYTES,
                                      &err) != 0)
        fail_msg("%s", err.text);
    return writer;
}

static void write_index(const char *path)
{
    elm_error err = {0};
    elm_store_writer *writer = start(path);
    for (int64_t i = 0; i < TRAIN + TEST; i++) {
        char name[NAME_BYTES + 1];
        snprintf(name, sizeof name, "%s/%05d.jpg", i % 2 ? "a" : "twelve-bytes", (int)i);
        const elm_store_place place = place_of(i);
        if (elm_store_writer_append_place(writer, i < TRAIN ? "train" : "test", label_of(i), name,
                                          &place, &err) != 0)
            fail_msg("%s", err.text);
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

static void expect_place(const elm_store_place *got, int64_t i)
{
    const elm_store_place wanted = place_of(i);
    assert_int_equal(got->offset, wanted.offset);
    assert_int_equal(got->length, wanted.length);
    assert_int_equal(got->shard, wanted.shard);
    assert_int_equal(got->width, wanted.width);
    assert_int_equal(got->height, wanted.height);
}

static void index_comes_back(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    const char *path = scratch_path("index.h5");
    write_index(path);
    elm_store *store = open_good(path);
    assert_memory_equal(elm_store_describe(store), &info, sizeof info);
    assert_int_equal(elm_store_count(store, "train"), TRAIN);
    assert_int_equal(elm_store_count(store, "test"), TEST);
    assert_int_equal(elm_store_shard_count(store), SHARDS);
    for (int i = 0; i < SHARDS; i++) {
        assert_string_equal(elm_store_shard_at(store, i).path, shards[i].path);
        assert_int_equal(elm_store_shard_at(store, i).size_bytes, shards[i].size_bytes);
    }
    elm_error err = {0};
    elm_store_place *places = NULL;
    const int64_t members[] = {4999, 0, 4096, 4095, 17, 17};
    const int64_t count = sizeof members / sizeof *members;
    assert_int_equal(elm_store_places(store, "train", members, count, &places, &err), 0);
    for (int64_t i = 0; i < count; i++)
        expect_place(&places[i], members[i]);
    elm_free(places);
    char name[64];
    assert_int_equal(elm_store_image_name(store, "train", 4096, name, sizeof name, &err), 0);
    assert_string_equal(name, "twelve-bytes/04096.jpg");
    assert_int_equal(elm_store_image_name(store, "test", 3, name, sizeof name, &err), 0);
    assert_string_equal(name, "a/05003.jpg");
    assert_int_equal(elm_store_image_name(store, "test", TEST, name, sizeof name, &err), -1);
    assert_int_equal(elm_store_places(store, "train", (const int64_t[]){TRAIN}, 1, &places, &err),
                     -1);
    void *rows = NULL;
    assert_int_equal(elm_store_read(store, "train", members, 1, &rows, &err), -1);
    elm_store_close(store);
    assert_int_equal(elm_alloc_live(), live);
}

static void same_bytes_every_time(void **state)
{
    (void)state;
    const char *one = scratch_path("one.h5"), *two = scratch_path("two.h5");
    write_index(one);
    write_index(two);
    char command[1200];
    snprintf(command, sizeof command, "cmp %s %s", one, two);
    assert_int_equal(system(command), 0);
}

/* What the writer refuses; the store can still be finished afterwards. */
static void writer_refuses(void **state)
{
    (void)state;
    elm_error err = {0};
    elm_store_writer *writer = start(scratch_path("refused.h5"));
    const struct {
        elm_store_place place;
        const char *name, *text;
    } cases[] = {
        {{.offset = 0, .length = 10, .shard = 2, .width = 1, .height = 1}, "a", "impossible place"},
        {{.offset = 0, .length = 10, .shard = -1, .width = 1, .height = 1},
         "a",
         "impossible place"},
        {{.offset = -1, .length = 10, .shard = 0, .width = 1, .height = 1},
         "a",
         "impossible place"},
        {{.offset = 999991, .length = 10, .shard = 0, .width = 1, .height = 1},
         "a",
         "impossible place"},
        {{.offset = 0, .length = 0, .shard = 0, .width = 1, .height = 1}, "a", "impossible place"},
        {{.offset = 0, .length = 10, .shard = 0, .width = 0, .height = 1}, "a", "impossible place"},
        {{.offset = 0, .length = 10, .shard = 0, .width = 1, .height = 1},
         "a name of more than 24 bytes",
         "too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            elm_store_writer_append_place(writer, "train", 0, cases[i].name, &cases[i].place, &err),
            -1);
        assert_non_null(strstr(err.text, cases[i].text));
    }
    assert_int_equal(elm_store_writer_append_place(writer, "train", CLASSES, "a",
                                                   &(elm_store_place){0, 1, 0, 1, 1, 0}, &err),
                     -1);
    for (int c = 0; c < CLASSES; c++)
        assert_int_equal(elm_store_writer_append_place(writer, "train", c, "a",
                                                       &(elm_store_place){0, 1, 0, 1, 1, 0}, &err),
                         0);
    assert_int_equal(elm_store_writer_finish(writer, &err), 0);
}

/* One value of a column is overwritten behind the writer's back. */
static void spoil(const char *path, const char *array, int64_t value)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT),
                set = H5Dopen2(file, array, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set), one = H5Screate(H5S_SCALAR);
    const hsize_t at = 1;
    assert_true(file >= 0 && set >= 0);
    assert_true(H5Sselect_elements(space, H5S_SELECT_SET, 1, &at) >= 0);
    assert_true(H5Dwrite(set, H5T_NATIVE_INT64, one, space, H5P_DEFAULT, &value) >= 0);
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
}

static void remove_link(const char *path, const char *name)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
    H5Fclose(file);
}

static void expect_refused(const char *path, const char *text)
{
    elm_store *store = NULL;
    elm_error err = {0};
    const int64_t live = elm_alloc_live();
    assert_int_equal(elm_store_open(&store, path, &err), -1);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
    assert_int_equal(elm_alloc_live(), live);
}

static void reader_refuses(void **state)
{
    (void)state;
    const struct {
        const char *array;
        int64_t value;
        const char *text;
    } cases[] = {
        {"train/shard", 2, "a shard that does not exist"},
        {"train/shard", -1, "a value out of range"},
        {"train/offset", -5, "a value out of range"},
        {"train/offset", INT64_MAX, "not within its shard"},
        {"train/offset", INT64_C(147897477021), "not within its shard"},
        {"train/length", 0, "not within its shard"},
        {"train/length", 4000000000, "a value out of range"},
        {"train/width", 0, "without pixels"},
        {"test/height", 0, "without pixels"},
        {"shards/size_bytes", 50, "not within its shard"},
        {"shards/size_bytes", -1, "an empty shard"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = scratch_path("spoiled.h5");
        write_index(path);
        spoil(path, cases[i].array, cases[i].value);
        expect_refused(path, cases[i].text);
    }
    const char *const needed[] = {"shards",       "shards/path", "shards/size_bytes",
                                  "train/offset", "train/name",  "test/shard"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const char *path = scratch_path("lacking.h5");
        write_index(path);
        remove_link(path, needed[i]);
        expect_refused(path, "broken store");
    }
}

/* Most memory this process has held so far, in MiB. */
static double peak_mib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (double)kib / 1024;
}

/* An index the size of iNaturalist 2018's, as training holds it: within 64 MiB.
 * tests/full/test_index_speed.sh judges the time. */
static void large_index(void **state)
{
    (void)state;
    enum { IMAGES = 437513, MIB_MAX = 64 };
    const elm_store_shard shard = {"large.tar", INT64_C(130000000000)};
    elm_error err = {0};
    const char *path = scratch_path("large.h5"), *tar = scratch_path("large.tar");
    const int file = open(tar, O_WRONLY | O_CREAT, 0666);
    /* takes no room on the disk */
    assert_true(file >= 0 && ftruncate(file, shard.size_bytes) == 0);
    close(file);
    elm_store_writer *writer = NULL;
    assert_int_equal(
        elm_store_writer_create_index(&writer, path, &info, class_names, &shard, 1, 64, &err), 0);
    for (int64_t i = 0; i < IMAGES; i++) {
        char name[65];
        snprintf(name, sizeof name, "train_val2018/Plantae/7477/%032d.jpg", (int)i);
        if (elm_store_writer_append_place(writer, "train", label_of(i), name,
                                          &(elm_store_place){i * 290000, 290000, 0, 800, 600, 0},
                                          &err) != 0)
            fail_msg("%s", err.text);
    }
    assert_int_equal(elm_store_writer_finish(writer, &err), 0);

    elm_data_options options = {.crop = 224, .threads = 2};
    snprintf(options.store, sizeof options.store, "%s", path);
    const pid_t child = fork(); /* whose peak is its own */
    if (child == 0) {
        elm_dataset *dataset = NULL;
        const double before = peak_mib();
        if (elm_dataset_load_job(&dataset, &options, "train", &err) != 0)
            _exit(1);
        int64_t *order = elm_alloc((size_t)dataset->count, sizeof *order, &err);
        elm_sampler_order(&options, dataset, 1, 0, order, NULL);
        const double mib = peak_mib() - before;
        printf("%d entries: %.1f MiB at most\n", IMAGES, mib);
        fflush(stdout);
#ifndef __SANITIZE_ADDRESS__
        if (mib > MIB_MAX)
            _exit(2);
#endif
        _exit(dataset->count == IMAGES ? 0 : 3);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_comes_back), cmocka_unit_test(same_bytes_every_time),
        cmocka_unit_test(writer_refuses),   cmocka_unit_test(reader_refuses),
        cmocka_unit_test(large_index),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
