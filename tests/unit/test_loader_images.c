/* Images in shards on their way to the network: the same for any number of ranks and threads;
 * what cannot be read is told, replaced by the next of its class, and too much of it is an
 * error. */
#include "data/samples.h"
#include "unit/image_files.h"

#include <unistd.h>

#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "image/augment/augment.h"
#include "image/transform.h"
#include "unit/scratch.h"

enum {
    CLASSES = 3,
    TRAIN = 23,
    TEST = 9,
    CROP = 32,
    ROW = 3 * CROP * CROP,
    BATCH = 8,
    IMAGE_SIDE = 60
};

static const char *const class_names[CLASSES] = {"head", "torso", "alone"};

/* Image i is of red 7 i; the last training image is the only one of class 2. */
static int32_t label_of(int64_t i)
{
    return i == TRAIN - 1 ? 2 : (int32_t)(i % 2);
}

static image_file image(int64_t i)
{
    uint8_t rgb[IMAGE_SIDE * IMAGE_SIDE * 3];
    paint(rgb, IMAGE_SIDE, IMAGE_SIDE);
    for (size_t k = 0; k < sizeof rgb; k += 3)
        rgb[k] = (uint8_t)(7 * i);
    return i % 4 == 3
               ? make_png(rgb, IMAGE_SIDE, IMAGE_SIDE, 3)
               : make_jpeg(rgb, IMAGE_SIDE, IMAGE_SIDE,
                           (jpeg_kind){.quality = 90, .sampling = 1, .progressive = i % 3 == 0});
}

/* A store with two shards beside it; images whose bit is set in `broken` lose their compressed
 * data (the header stays). */
static void write_store(const char *path, const char *folder, uint64_t broken)
{
    elm_store_place places[TRAIN + TEST];
    elm_store_shard shards[2] = {{"one.tar", 0}, {"two.tar", 0}};
    elm_error err = {0};
    for (int s = 0; s < 2; s++) {
        char shard_path[600];
        snprintf(shard_path, sizeof shard_path, "%s/%s", folder, shards[s].path);
        FILE *file = fopen(shard_path, "wb");
        assert_non_null(file);
        for (int i = s; i < TRAIN + TEST; i += 2) {
            image_file made = image(i);
            if (broken >> i & 1)
                memset(made.bytes + made.size_bytes / 2, i % 4 == 3 ? 0xaa : 0,
                       made.size_bytes - made.size_bytes / 2);
            fwrite("some bytes before", 1, 17, file);
            places[i] = (elm_store_place){
                ftell(file), (uint32_t)made.size_bytes, s, IMAGE_SIDE, IMAGE_SIDE, 0};
            fwrite(made.bytes, 1, made.size_bytes, file);
            free(made.bytes);
        }
        shards[s].size_bytes = ftell(file);
        fclose(file);
    }
    const elm_store_info info = {.dataset = "pictures",
                                 .classes = CLASSES,
                                 .channels = 3,
                                 .in_shards = true,
                                 .mean = {.5f, .5f, .5f},
                                 .std = {.25f, .25f, .25f}};
    elm_store_writer *writer = NULL;
    if (elm_store_writer_create_index(&writer, path, &info, class_names, shards, 2, 32, &err) != 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < TRAIN + TEST; i++) {
        char name[32];
        snprintf(name, sizeof name, "folder/%02d.jpg", i);
        if (elm_store_writer_append_place(writer, i < TRAIN ? "train" : "test", label_of(i), name,
                                          &places[i], &err) != 0)
            fail_msg("%s", err.text);
    }
    if (elm_store_writer_finish(writer, &err) != 0)
        fail_msg("%s", err.text);
}

static elm_data_options options_for(const char *path)
{
    elm_data_options options = {.crop = CROP, .threads = 1, .unreadable = 0.5};
    snprintf(options.store, sizeof options.store, "%s", path);
    return options;
}

static elm_dataset *load(const elm_data_options *options, const char *split)
{
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    if (elm_dataset_load_job(&dataset, options, split, &err) != 0)
        fail_msg("%s", err.text);
    return dataset;
}

static elm_loader *train(const elm_dataset *dataset, const elm_data_options *options, int rank,
                         int size)
{
    elm_loader *loader = NULL;
    elm_error err = {0};
    if (elm_loader_create_training(&loader, dataset, options, 11, BATCH, BATCH, rank, size, 0, 0,
                                   &err) != 0)
        fail_msg("%s", err.text);
    return loader;
}

static void check_ranks(const char *path, int size, int threads)
{
    elm_data_options options = options_for(path);
    elm_dataset *one_thread = load(&options, "train");
    options.threads = threads;
    elm_dataset *dataset = load(&options, "train");
    elm_loader *whole = train(one_thread, &options, 0, 1), *part[4];
    for (int r = 0; r < size; r++)
        part[r] = train(dataset, &options, r, size);
    for (int step = 0; step < 9; step++) {
        const elm_batch *one = elm_loader_next(whole);
        assert_int_equal(one->epoch, step / 3);
        assert_int_equal(one->index, step % 3);
        assert_int_equal(one->share.global, step % 3 == 2 ? TRAIN % BATCH : BATCH);
        int64_t first = 0;
        for (int r = 0; r < size; r++) {
            const elm_batch *batch = elm_loader_next(part[r]);
            assert_int_equal(batch->share.first, first);
            assert_memory_equal(batch->members, one->members,
                                (size_t)one->share.global * sizeof *one->members);
            assert_memory_equal(batch->global_labels, one->global_labels,
                                (size_t)one->share.global * sizeof *one->labels);
            assert_memory_equal(batch->input, one->input + first * ROW,
                                (size_t)(batch->share.local * ROW) * sizeof(float));
            first += batch->share.local;
        }
        assert_int_equal(first, one->share.global);
    }
    elm_loader_destroy(whole);
    for (int r = 0; r < size; r++)
        elm_loader_destroy(part[r]);
    elm_dataset_destroy(dataset);
    elm_dataset_destroy(one_thread);
}

/* Broken images do not change that: the replacement is the same for all. */
static void any_number_of_ranks_and_threads(void **state)
{
    (void)state;
    const char *sound = scratch_path("sound.h5"), *spoilt = scratch_path("spoilt.h5");
    write_store(sound, scratch_folder, 0);
    for (int size = 1; size <= 4; size++)
        check_ranks(sound, size, size);
    write_store(spoilt, scratch_folder, 0x111);
    for (int size = 1; size <= 4; size++)
        check_ranks(spoilt, size, 5 - size);
}

/* What a batch holds is what the reader makes of the file, for the place in the epoch. */
static void batches_hold_the_images(void **state)
{
    (void)state;
    const char *path = scratch_path("store.h5");
    write_store(path, scratch_folder, 0);
    elm_data_options options = options_for(path);
    options.threads = 3;
    static float expected[ROW];
    elm_image_reader *reader = NULL;
    elm_error err = {0};
    assert_int_equal(elm_image_reader_create(&reader, &err), 0);
    for (int testing = 0; testing < 2; testing++) {
        elm_dataset *dataset = load(&options, testing ? "test" : "train");
        assert_int_equal(dataset->info.height, CROP);
        assert_int_equal(dataset->info.width, CROP);
        const elm_image_format format = elm_image_format_of(&dataset->info);
        /* 8/7 of 32, rounded down */
        const elm_image_transform transform = elm_image_transform_of(&format, CROP, 36, !testing);
        elm_loader *loader = NULL;
        if (testing)
            assert_int_equal(elm_loader_create_evaluation(&loader, dataset, 4, 0, 1, &err), 0);
        else
            loader = train(dataset, &options, 0, 1);
        int64_t seen = 0;
        for (const elm_batch *batch;
             seen < dataset->count && (batch = elm_loader_next(loader)) != NULL;
             seen += batch->share.local)
            for (int i = 0; i < batch->share.local; i++) {
                image_file file = image(batch->members[i] + (testing ? TRAIN : 0));
                elm_rng rng =
                    elm_rng_stream(testing ? 0 : 11, ELM_RNG_AUGMENT, 0, (uint64_t)(seen + i));
                assert_int_equal(elm_image_read(reader, &transform, &rng, file.bytes,
                                                file.size_bytes, expected, &err),
                                 0);
                assert_memory_equal(batch->input + i * ROW, expected, sizeof expected);
                free(file.bytes);
            }
        assert_int_equal(seen, dataset->count);
        if (testing)
            assert_null(elm_loader_next(loader));
        char text[512];
        assert_false(elm_loader_complaint(loader, text, sizeof text));
        assert_int_equal(elm_loader_check(loader, &err), 0);
        elm_loader_destroy(loader);
        elm_dataset_destroy(dataset);
    }
    elm_image_reader_destroy(reader);
}

static void next_epoch(elm_loader *loader)
{
    for (int i = 0; i < 3; i++)
        assert_non_null(elm_loader_next(loader));
}

static void unreadable_images_are_replaced(void **state)
{
    (void)state;
    const char *path = scratch_path("store.h5");
    write_store(path, scratch_folder, 1u << 5 | 1u << 7);
    elm_data_options options = options_for(path);
    options.threads = 2;
    strcpy(options.sampler, "sequential"); /* member i is image i */
    snprintf(options.augment, sizeof options.augment, "none");
    options.unreadable = 2.0 / TRAIN + 1e-9;
    elm_dataset *dataset = load(&options, "train");
    elm_loader *loader = train(dataset, &options, 0, 1);
    elm_error err = {0};
    const elm_batch *batch = elm_loader_next(loader);
    static float kept[2][ROW];
    memcpy(kept, batch->input + 5 * ROW, sizeof kept[0]);
    memcpy(kept[1], batch->input + 7 * ROW, sizeof kept[1]);
    assert_int_equal(batch->members[5], 5);
    for (int i = 0; i < batch->share.local; i++)
        assert_true(batch->replaced[i] == (i == 5 || i == 7) && !batch->unreadable[i]);
    batch = elm_loader_next(loader); /* members 8 to 15: 9 is the next readable one of the class */
    assert_memory_equal(kept[0], batch->input + ROW, sizeof kept[0]);
    assert_memory_equal(kept[1], batch->input + ROW, sizeof kept[1]);
    next_epoch(loader);
    char text[512];
    int told = 0;
    for (; elm_loader_complaint(loader, text, sizeof text); told++) {
        assert_true(strstr(text, "folder/05.jpg") != NULL || strstr(text, "folder/07.jpg") != NULL);
        assert_non_null(strstr(text, "two.tar, byte "));
        assert_non_null(strstr(text, "the next one of its class"));
    }
    assert_int_equal(told, 2); /* once each, however often they come up */
    assert_int_equal(elm_loader_check(loader, &err), 0);
    elm_loader_destroy(loader);
    elm_dataset_destroy(dataset);

    options.unreadable = 1.0 / TRAIN;
    dataset = load(&options, "train");
    loader = train(dataset, &options, 0, 1);
    next_epoch(loader);
    assert_int_equal(elm_loader_check(loader, &err), -1);
    assert_non_null(strstr(err.text, "2 of 23 images cannot be read"));
    elm_loader_destroy(loader);
    elm_dataset_destroy(dataset);
}

/* Images of such a class are marked, and only they; the epoch goes on. */
static void class_without_images(void **state)
{
    (void)state;
    const char *path = scratch_path("store.h5");
    write_store(path, scratch_folder, 1u << (TRAIN - 1));
    elm_data_options options = options_for(path);
    elm_dataset *dataset = load(&options, "train");
    elm_loader *loader = train(dataset, &options, 0, 1);
    elm_error err = {0};
    int unreadable = 0;
    for (int64_t b = 0; b < elm_loader_batches(dataset, BATCH, false); b++) {
        const elm_batch *batch = elm_loader_next(loader);
        for (int i = 0; i < batch->share.local; i++) {
            assert_int_equal(batch->unreadable[i], batch->labels[i] == 2);
            unreadable += batch->unreadable[i];
        }
    }
    assert_int_equal(unreadable, 1);
    assert_int_equal(elm_loader_check(loader, &err), 0);
    elm_loader_destroy(loader);
    elm_dataset_destroy(dataset);
}

/* What one rank has found counts on all once they have shared it. */
static void faults_are_shared(void **state)
{
    (void)state;
    const char *path = scratch_path("store.h5");
    write_store(path, scratch_folder, 3u);
    elm_data_options options = options_for(path);
    options.unreadable = 1.0 / TRAIN;
    elm_dataset *dataset = load(&options, "train");
    elm_loader *loader[2];
    uint8_t bits[2][TRAIN / 8 + 1], both[TRAIN / 8 + 1];
    elm_error err = {0};
    int failed = 0;
    for (int r = 0; r < 2; r++) {
        loader[r] = train(dataset, &options, r, 2);
        next_epoch(loader[r]);
        assert_int_equal(elm_loader_fault_bytes(loader[r]), sizeof bits[r]);
        elm_loader_faults(loader[r], bits[r]);
    }
    for (size_t i = 0; i < sizeof both; i++)
        both[i] = bits[0][i] | bits[1][i];
    assert_int_equal(both[0], 3);
    for (int r = 0; r < 2; r++) {
        elm_loader_take_faults(loader[r], both);
        failed += elm_loader_check(loader[r], &err) != 0;
        elm_loader_destroy(loader[r]);
    }
    assert_int_equal(failed, 2);
    elm_dataset_destroy(dataset);
}

/* An evaluation is of every image or none. */
static void evaluation_replaces_nothing(void **state)
{
    (void)state;
    const char *path = scratch_path("store.h5");
    write_store(path, scratch_folder, UINT64_C(1) << (TRAIN + 2));
    elm_data_options options = options_for(path);
    elm_dataset *dataset = load(&options, "test");
    elm_loader *loader = NULL;
    elm_error err = {0};
    assert_int_equal(elm_loader_create_evaluation(&loader, dataset, 4, 0, 1, &err), 0);
    while (elm_loader_next(loader) != NULL)
        ;
    assert_int_equal(elm_loader_check(loader, &err), -1);
    assert_non_null(strstr(err.text, "folder/25.jpg"));
    elm_loader_destroy(loader);
    elm_dataset_destroy(dataset);
}

static void refused(const elm_data_options *options, int code, const char *text)
{
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    assert_int_equal(elm_dataset_load_job(&dataset, options, "train", &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void shards_elsewhere(void **state)
{
    (void)state;
    const char *path = scratch_path("store.h5");
    write_store(path, scratch_folder, 0);
    elm_data_options options = options_for(path);
    char command[2000];
    snprintf(command, sizeof command, "mkdir -p %s/node && mv %s/one.tar %s/two.tar %s/node",
             scratch_folder, scratch_folder, scratch_folder, scratch_folder);
    assert_int_equal(system(command), 0);
    refused(&options, ELM_EXIT_FAILURE, "one.tar): No such file");
    snprintf(options.shards, sizeof options.shards, "%s/node", scratch_folder);
    elm_dataset_destroy(load(&options, "train"));
    assert_int_equal(truncate(scratch_path("node/two.tar"), 100), 0);
    refused(&options, ELM_EXIT_FAILURE, "not the shard");
    write_store(path, scratch_folder, 0);
    options.shards[0] = '\0';
    options.resize = CROP - 1;
    refused(&options, ELM_EXIT_USAGE, "data.resize");
    options.resize = CROP;
    elm_dataset *dataset = load(&options, "train");
    elm_loader *loader = NULL;
    elm_error err = {0};
    snprintf(options.augment, sizeof options.augment, "crop-flip");
    assert_int_equal(
        elm_loader_create_training(&loader, dataset, &options, 11, BATCH, BATCH, 0, 1, 0, 0, &err),
        -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    elm_dataset_destroy(dataset);
}

/* Once the largest image has been met, nothing is allocated. */
static void steady_state_allocates_nothing(void **state)
{
    (void)state;
    const char *path = scratch_path("store.h5");
    write_store(path, scratch_folder, 0);
    elm_data_options options = options_for(path);
    elm_dataset *dataset = load(&options, "train");
    elm_loader *loader = train(dataset, &options, 0, 1);
    for (int epoch = 0; epoch < 8; epoch++)
        next_epoch(loader);
    const int64_t calls = elm_alloc_calls();
    next_epoch(loader);
    assert_int_equal(elm_alloc_calls(), calls);
    elm_loader_destroy(loader);
    elm_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_ranks_and_threads),
        cmocka_unit_test(batches_hold_the_images),
        cmocka_unit_test(unreadable_images_are_replaced),
        cmocka_unit_test(class_without_images),
        cmocka_unit_test(faults_are_shared),
        cmocka_unit_test(evaluation_replaces_nothing),
        cmocka_unit_test(shards_elsewhere),
        cmocka_unit_test(steady_state_allocates_nothing),
    };
    const int64_t live = elm_alloc_live();
    const int failed = cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
    return failed != 0 || elm_alloc_live() != live;
}
