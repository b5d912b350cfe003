/* Archives that are made to do harm: what elmpi-prepare meets of them is safe, or an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "elmpi/memory.h"
#include "prepare/archives/archive_fetch.h"
#include "prepare/sets/manifest.h"
#include "prepare/source_files.h"
#include "unit/scratch.h"

typedef int (*archive_choice)(struct archive *writer);

enum { ZEROS = 1 << 20 };
static const uint8_t zeros[ZEROS];

static struct archive *start(const char *path, archive_choice filter)
{
    struct archive *writer = archive_write_new();
    assert_int_equal(archive_write_set_format_pax_restricted(writer), ARCHIVE_OK);
    if (filter != NULL)
        assert_int_equal(filter(writer), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    return writer;
}

static void add(struct archive *writer, const char *path, const void *bytes, int64_t size_bytes,
                int times)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, size_bytes * times);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    for (int i = 0; i < times; i++)
        assert_int_equal(archive_write_data(writer, bytes, (size_t)size_bytes), size_bytes);
    archive_entry_free(entry);
}

static void add_link(struct archive *writer, const char *path, const char *to, bool hard)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_filetype(entry, hard ? AE_IFREG : AE_IFLNK);
    if (hard)
        archive_entry_set_hardlink(entry, to);
    else
        archive_entry_set_symlink(entry, to);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    archive_entry_free(entry);
}

static void finish(struct archive *writer)
{
    assert_int_equal(archive_write_free(writer), ARCHIVE_OK);
}

static void *slurp(const char *path, size_t *size_bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size_bytes = (size_t)ftell(file);
    rewind(file);
    void *bytes = malloc(*size_bytes);
    assert_int_equal(fread(bytes, 1, *size_bytes, file), *size_bytes);
    fclose(file);
    return bytes;
}

/* An archive of that name that holds the file at `inner`. */
static void wrap(const char *path, const char *inner, const char *name)
{
    size_t size_bytes;
    void *bytes = slurp(inner, &size_bytes);
    struct archive *writer = start(path, NULL);
    add(writer, name, bytes, (int64_t)size_bytes, 1);
    finish(writer);
    free(bytes);
}

/* Goes through the files. Returns how many there are whose names may be used, -1 with an error. */
static int walk(const char *path, elm_error *err)
{
    const int64_t live = elm_alloc_live();
    elm_image_source *source = NULL;
    elm_source_file file;
    int count = 0, status = elm_image_source_open(&source, path, "", err);
    while (status == 0 && (status = elm_image_source_next(source, &file, err)) == 1) {
        count += file.problem == NULL && file.link == NULL &&
                 elm_path_check(elm_path_normalize(file.path)) == NULL;
        status = 0;
        if (count > 1000)
            break;
    }
    elm_image_source_close(source);
    assert_int_equal(elm_alloc_live(), live);
    return status < 0 ? -1 : count;
}

static void refused(const char *path, const char *text)
{
    elm_error err = {0};
    assert_int_equal(walk(path, &err), -1);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void links_are_not_there(void **state)
{
    (void)state;
    const char *path = scratch_path("links.tar");
    struct archive *writer = start(path, NULL);
    add(writer, "a.jpg", "a", 1, 1);
    add_link(writer, "soft.jpg", "/etc/passwd", false);
    add_link(writer, "hard.jpg", "a.jpg", true);
    add_link(writer, "folder", "/etc", false);
    add(writer, "folder/passwd", "b", 1, 1); /* through the link, if one unpacked it */
    finish(writer);
    elm_error err = {0};
    assert_int_equal(walk(path, &err), 2);
}

static void paths_stay_inside(void **state)
{
    (void)state;
    static const char *const names[] = {"../a.jpg",   "a/../../b.jpg", "/etc/c.jpg", "a/..",
                                        "./../d.jpg", ".//../e.jpg",   "a\nb.jpg",   ".."};
    const char *path = scratch_path("paths.tar"), *inner = scratch_path("inner.tar");
    struct archive *writer = start(path, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add(writer, names[i], "x", 1, 1);
    finish(writer);
    elm_error err = {0};
    assert_int_equal(walk(path, &err), 0);
    /* The name of an inner archive stands in front of its files' names. */
    writer = start(inner, NULL);
    add(writer, "good.jpg", "x", 1, 1);
    finish(writer);
    wrap(path, inner, "../up.tar");
    assert_int_equal(walk(path, &err), 0);
    wrap(path, inner, "n01.tar");
    assert_int_equal(walk(path, &err), 1);
}

/* Archives in archives in archives end somewhere. */
static void nesting_ends(void **state)
{
    (void)state;
    char path[2][512];
    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%s", scratch_path(i ? "odd.tar" : "even.tar"));
    struct archive *writer = start(path[0], NULL);
    add(writer, "good.jpg", "x", 1, 1);
    finish(writer);
    for (int depth = 1; depth <= 20; depth++)
        wrap(path[depth % 2], path[(depth + 1) % 2], "n.tar");
    refused(path[0], "archives within each other");
}

/* Some kilobytes that stand for hundreds of megabytes. */
static void bombs_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("bomb.tar.zst"), *outer = scratch_path("outer.tar");
    struct archive *writer = start(path, archive_write_add_filter_zstd);
    add(writer, "a.jpg", zeros, ZEROS, 300);
    add(writer, "b.jpg", zeros, ZEROS, 10);
    finish(writer);
    refused(path, "more than 1000 times its size");
    wrap(outer, path, "n.tar");
    refused(outer, "more than 1000 times its size");
    /* And no less when a file of it is read. */
    elm_archive_file file = {.base = "a.jpg", .max_bytes = INT64_C(1) << 40};
    elm_error err = {0};
    assert_int_equal(elm_archive_fetch(&(elm_archive_place){.name = path}, &file, 1,
                                       "fetch it again", (elm_archive_progress){0}, &err),
                     -1);
    assert_non_null(strstr(err.text, "more than 1000 times its size"));
    elm_archive_free(&file, 1);
}

static void small_archives_may_shrink(void **state)
{
    (void)state;
    const char *path = scratch_path("small.tar.zst");
    struct archive *writer = start(path, archive_write_add_filter_zstd);
    add(writer, "a.bin", zeros, ZEROS, 20);
    finish(writer);
    elm_error err = {0};
    assert_int_equal(walk(path, &err), 1);
}

/* libarchive would start lrzip, grzip or lzop for these. */
static void no_program_is_started(void **state)
{
    (void)state;
    static const char magic[][24] = {"LRZI\0\6", "GRZipII\0\2\4:)",
                                     "\x89LZO\0\r\n\x1a\n\x10\x30\x20\xa0\x09\x40\1\5\3\0\0\1"};
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        char bytes[512] = "";
        memcpy(bytes, magic[i], sizeof magic[i]);
        const char *path = scratch_path("foreign");
        FILE *file = fopen(path, "wb");
        assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
        fclose(file);
        refused(path, "cannot read the archive");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_not_there),
        cmocka_unit_test(paths_stay_inside),
        cmocka_unit_test(nesting_ends),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(small_archives_may_shrink),
        cmocka_unit_test(no_program_is_started),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
