/* Preparing images and reading back what came of it, for the tests of preparation. */
#ifndef ELMPI_TESTS_PREPARE_FIXTURE_H
#define ELMPI_TESTS_PREPARE_FIXTURE_H

#include "unit/image_archives.h"

#include "elmpi/dataset.h"
#include "elmpi/memory.h"
#include "elmpi/prepare.h"
#include "store/shards.h"

static const elm_log quiet = {.program = "test", .quiet = true};

typedef struct preparation {
    const char *archives[4];
    elm_prepare_image_files image_files;
    bool force;
} preparation;

static inline int run(const char *source, const char *out, const preparation *p, elm_error *err)
{
    elm_prepare_request request = {.archives = p->archives,
                                   .archive = p->archives[0],
                                   .out = out,
                                   .image_files = p->image_files,
                                   .force = p->force,
                                   .log = &quiet};
    while (p->archives[request.archive_count] != NULL)
        request.archive_count++;
    *err = (elm_error){0};
    const int64_t live = elm_alloc_live();
    const int status = elm_prepare_run(source, &request, err);
    assert_int_equal(elm_alloc_live(), live);
    return status;
}

static inline void prepare(const char *source, const char *out, const preparation *p)
{
    elm_error err;
    if (run(source, out, p, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void refused(const char *source, const char *out, const preparation *p, int code,
                           const char *text)
{
    elm_error err;
    assert_int_equal(run(source, out, p, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

/** A split as the store has it. */
typedef struct loaded {
    elm_store *store;
    elm_shards *shards;
    int32_t *labels;
    int64_t count;
    elm_store_place *places;
} loaded;

static inline loaded load(const char *path, const char *split)
{
    loaded l = {0};
    elm_error err = {0};
    int64_t members[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        members[i] = i;
    if (elm_store_open(&l.store, path, &err) != 0 ||
        elm_shards_open(&l.shards, l.store, path, "", true, &err) != 0 ||
        elm_store_labels(l.store, split, &l.labels, &l.count, &err) != 0 ||
        elm_store_places(l.store, split, members, l.count, &l.places, &err) != 0)
        fail_msg("%s", err.text);
    return l;
}

static inline void unload(loaded *l)
{
    elm_store_close(l->store);
    elm_shards_close(l->shards);
    elm_free(l->labels);
    elm_free(l->places);
}

/* Row `row` is image i, with that name and class. */
static inline void expect_row(const loaded *l, const char *split, int64_t row, int i,
                              const char *name, int label)
{
    char found[600];
    elm_error err = {0};
    image_file image = small_image(i);
    uint8_t *bytes = malloc(image.size_bytes);
    assert_int_equal(elm_store_image_name(l->store, split, row, found, sizeof found, &err), 0);
    assert_string_equal(found, name);
    assert_int_equal(l->labels[row], label);
    assert_int_equal(l->places[row].length, image.size_bytes);
    assert_int_equal(l->places[row].width, 20 + i % 13);
    assert_int_equal(l->places[row].height, 16 + i % 7);
    assert_int_equal(elm_shards_read(l->shards, &l->places[row], bytes, &err), 0);
    assert_memory_equal(bytes, image.bytes, image.size_bytes);
    free(bytes);
    free(image.bytes);
}

#endif
