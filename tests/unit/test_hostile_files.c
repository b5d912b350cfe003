/* Files that once did harm, or would have: not only do they do none (tests/fuzz replays them),
 * each is refused for the right reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/checkpoint.h"
#include "elmpi/memory.h"
#include "elmpi/store.h"
#include "image/decode.h"
#include "prepare/archives/archive_entries.h"
#include "prepare/lists/lists.h"
#include "prepare/lists/lists_json.h"

static int open_store(const char *path, elm_error *err)
{
    elm_store *store = NULL;
    const int status = elm_store_open(&store, path, err);
    elm_store_close(store);
    return status;
}

static int read_checkpoint(const char *path, elm_error *err)
{
    elm_checkpoint *checkpoint = NULL;
    const int status = elm_checkpoint_read(path, &checkpoint, err);
    elm_checkpoint_free(checkpoint);
    return status;
}

static int walk_archive(const char *path, elm_error *err)
{
    elm_archive *archive = NULL;
    elm_archive_entry entry;
    int status = elm_archive_open(&archive, &(elm_archive_place){.name = path}, err);
    while (status == 0 && elm_archive_next(archive, &entry, err) == 1)
        ;
    elm_archive_close(archive);
    return err->text[0] != '\0' ? -1 : status;
}

static int read_annotations(const char *path, elm_error *err)
{
    elm_manifest *catalog = NULL;
    elm_rejects *report = NULL;
    elm_class_names names = {0};
    int status =
        elm_manifest_create(&catalog, err) != 0 || elm_rejects_create(&report, err) != 0 ? -1 : 0;
    if (status == 0)
        status = elm_image_json_read(catalog, &names, path, 0, report, err);
    elm_class_names_free(&names);
    elm_manifest_destroy(catalog);
    elm_rejects_destroy(report);
    return status;
}

static int read_list(const char *path, elm_error *err)
{
    elm_manifest *catalog = NULL;
    elm_rejects *report = NULL;
    elm_class_names names = {0};
    elm_error second = {0};
    int status =
        elm_manifest_create(&catalog, err) != 0 || elm_rejects_create(&report, err) != 0 ? -1 : 0;
    if (status == 0)
        status = elm_image_list_read(catalog, &names, path, 0, report, err);
    if (elm_class_names_read(&names, catalog, path, NULL, &second) != -1)
        fail_msg("%s: names were read", path);
    elm_class_names_free(&names);
    elm_manifest_destroy(catalog);
    elm_rejects_destroy(report);
    return status;
}

static int decode_image(const char *path, elm_error *err)
{
    enum { ROOM = 1 << 20 };
    elm_decoder *decoder = NULL;
    elm_image_header header;
    elm_pixels pixels;
    uint8_t *bytes = elm_alloc(ROOM, 1, err);
    FILE *file = fopen(path, "rb");
    assert_true(bytes != NULL && file != NULL);
    const size_t size_bytes = fread(bytes, 1, ROOM, file);
    fclose(file);
    const char *problem = elm_image_header_read(&header, bytes, size_bytes);
    if (problem != NULL)
        fail_msg("%s: %s", path, problem);
    int status = elm_decoder_create(&decoder, err);
    if (status == 0)
        status =
            elm_decoder_read(decoder, bytes, size_bytes, &header,
                             (elm_image_box){0, 0, header.width, header.height}, 1, &pixels, err);
    elm_decoder_destroy(decoder);
    elm_free(bytes);
    return status == ELM_IMAGE_CORRUPT ? -1 : status;
}

static const struct {
    const char *file;
    int (*read)(const char *path, elm_error *err);
    const char *text;
} rows[] = {
    /* HDF5 1.10 overruns its stack when it converts one */
    {"store/wide-integer.h5", open_store, "no version number"},
    {"store/nbit.h5", open_store, "train/labels"},
    {"store/unknown-filter.h5", open_store, "train/labels"}, /* HDF5 would load a plug-in */
    {"store/huge-labels.h5", open_store, "impossible size"},
    {"store/huge-names.h5", open_store, "/classes/name"},
    {"checkpoint/wide-integer.h5", read_checkpoint, "epoch has an unexpected form"},
    {"checkpoint/odd-integer.h5", read_checkpoint, "step has an unexpected form"},
    {"checkpoint/negative-count.h5", read_checkpoint, "classes/train_count has an unexpected form"},
    {"archive/mtree", walk_archive, "cannot read the archive"}, /* names files of this machine */
    {"archive/lrzip", walk_archive, "cannot read the archive"}, /* would start a program */
    {"archive/lzop", walk_archive, "cannot read the archive"},
    {"annotations/brackets", read_annotations, "more than 256 brackets"},
    {"annotations/objects", read_annotations, "more than 256 brackets"},
    {"annotations/long-text", read_annotations, "a text or number of more than 64 KiB"},
    {"list/long-line", read_list, "a line of more than 64 KiB"},
    {"image/scans.jpg", decode_image, "more than 200 scans"}, /* minutes a megabyte */
};

static void refused_for_the_right_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[1024];
        elm_error err = {0};
        const int64_t live = elm_alloc_live();
        snprintf(path, sizeof path, "%s/tests/fuzz/regressions/%s", ELM_SOURCE_DIR, rows[i].file);
        if (rows[i].read(path, &err) != -1)
            fail_msg("%s was read", rows[i].file);
        if (strstr(err.text, rows[i].text) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].file, err.text, rows[i].text);
        assert_int_equal(elm_alloc_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_for_the_right_reason)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
