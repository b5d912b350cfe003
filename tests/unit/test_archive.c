/* Archives of several containers and compressions; and what is truncated, flipped, missing,
 * there twice or of the wrong size. */
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

#include "base/rng.h"
#include "elmpi/memory.h"
#include "prepare/archives/archive_fetch.h"
#include "unit/scratch.h"

enum { FIRST_BYTES = 200000, SECOND_BYTES = 1000 };

static uint8_t first[FIRST_BYTES], second[SECOND_BYTES];
static const char advice[] = "fetch it again";

/* Half of it compresses, half does not. */
static int make_content(void **state)
{
    elm_rng rng = elm_rng_stream(1, ELM_RNG_DATA, 0, 0);
    for (int i = 0; i < FIRST_BYTES; i++)
        first[i] = i < FIRST_BYTES / 2 ? (uint8_t)(i / 1000) : (uint8_t)elm_rng_u32(&rng);
    for (int i = 0; i < SECOND_BYTES; i++)
        second[i] = (uint8_t)elm_rng_u32(&rng);
    return scratch_setup(state);
}

static void add(struct archive *writer, const char *path, const uint8_t *bytes, size_t count)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, bytes != NULL ? AE_IFREG : AE_IFDIR);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, (la_int64_t)count);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    if (count > 0)
        assert_int_equal(archive_write_data(writer, bytes, count), count);
    archive_entry_free(entry);
}

typedef int (*archive_choice)(struct archive *);

/* first.bin comes behind second.bin, in a folder, after a file that nobody wants. */
static void make(const char *path, archive_choice format, archive_choice filter, bool twice)
{
    struct archive *writer = archive_write_new();
    assert_int_equal(format(writer), ARCHIVE_OK);
    if (filter != NULL)
        assert_int_equal(filter(writer), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    add(writer, "folder/", NULL, 0);
    add(writer, "folder/readme.html", second, 10);
    add(writer, "folder/second.bin", second, SECOND_BYTES);
    add(writer, "folder/first.bin", first, FIRST_BYTES);
    if (twice)
        add(writer, "other/first.bin", first, FIRST_BYTES);
    assert_int_equal(archive_write_free(writer), ARCHIVE_OK);
}

static int fetch(const elm_archive_place *place, elm_archive_file files[2], elm_error *err)
{
    files[0] =
        (elm_archive_file){.base = "first.bin", .min_bytes = FIRST_BYTES, .max_bytes = FIRST_BYTES};
    files[1] = (elm_archive_file){.base = "second.bin", .max_bytes = 4 * SECOND_BYTES};
    return elm_archive_fetch(place, files, 2, advice, (elm_archive_progress){0}, err);
}

static void containers_and_compressions(void **state)
{
    (void)state;
    const struct {
        const char *name;
        archive_choice format, filter;
    } kinds[] = {
        {"a.tar", archive_write_set_format_ustar, NULL},
        {"a.tar.gz", archive_write_set_format_pax_restricted, archive_write_add_filter_gzip},
        {"a.tar.bz2", archive_write_set_format_gnutar, archive_write_add_filter_bzip2},
        {"a.tar.xz", archive_write_set_format_ustar, archive_write_add_filter_xz},
        {"a.tar.zst", archive_write_set_format_ustar, archive_write_add_filter_zstd},
        {"a.cpio.lz4", archive_write_set_format_cpio_newc, archive_write_add_filter_lz4},
        {"a.zip", archive_write_set_format_zip, NULL},
        {"a.7z", archive_write_set_format_7zip, NULL},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        elm_error err = {0};
        elm_archive_file files[2];
        const elm_archive_place place = {.name = scratch_path(kinds[i].name)};
        make(place.name, kinds[i].format, kinds[i].filter, false);
        if (fetch(&place, files, &err) != 0)
            fail_msg("%s: %s", kinds[i].name, err.text);
        assert_int_equal(files[0].size_bytes, FIRST_BYTES);
        assert_memory_equal(files[0].bytes, first, FIRST_BYTES);
        assert_int_equal(files[1].size_bytes, SECOND_BYTES);
        assert_memory_equal(files[1].bytes, second, SECOND_BYTES);
        assert_int_equal(files[1].bytes[SECOND_BYTES], 0);
        elm_archive_free(files, 2);
    }
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

/* Fails, naming the archive and saying what to do, and leaves no memory behind. */
static void refused(const elm_archive_place *place, const char *pattern)
{
    elm_error err = {0};
    elm_archive_file files[2];
    const int64_t live = elm_alloc_live();
    assert_int_equal(fetch(place, files, &err), -1);
    elm_archive_free(files, 2);
    assert_int_equal(err.code, ELM_EXIT_FAILURE);
    assert_non_null(strstr(err.text, place->name));
    if (strstr(err.text, pattern) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, pattern);
    assert_int_equal(elm_alloc_live(), live);
}

static void truncated(void **state)
{
    (void)state;
    const archive_choice filters[] = {archive_write_add_filter_gzip, archive_write_add_filter_xz,
                                      archive_write_add_filter_bzip2};
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        size_t count;
        make(scratch_path("whole"), archive_write_set_format_ustar, filters[f], false);
        uint8_t *bytes = slurp(scratch_path("whole"), &count);
        for (size_t cut = 1; cut < count; cut += cut < 16 || cut + 16 > count ? 1 : count / 20)
            refused(&(elm_archive_place){"cut.tar", bytes, cut}, "cut.tar");
        free(bytes);
    }
}

/* A flipped bit in what does not compress changes no structure: only the checksum tells. */
static void flipped(void **state)
{
    (void)state;
    const archive_choice filters[] = {archive_write_add_filter_gzip, archive_write_add_filter_xz,
                                      archive_write_add_filter_bzip2};
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        size_t count;
        make(scratch_path("whole"), archive_write_set_format_ustar, filters[f], false);
        uint8_t *bytes = slurp(scratch_path("whole"), &count);
        for (size_t at = count / 2; at < count; at += count / 25) {
            bytes[at] ^= 4;
            refused(&(elm_archive_place){"flipped.tar", bytes, count}, "download it again");
            bytes[at] ^= 4;
        }
        free(bytes);
    }
}

static void several_gzip_members(void **state)
{
    (void)state;
    size_t count, tail_count;
    make(scratch_path("a.tar"), archive_write_set_format_ustar, NULL, false);
    char command[2048];
    const char *joined = scratch_path("joined.tar.gz"), *plain = scratch_path("a.tar");
    snprintf(command, sizeof command,
             "(head -c 70000 '%s' | gzip; tail -c +70001 '%s' | gzip) > '%s'", plain, plain,
             joined);
    assert_int_equal(system(command), 0);
    elm_error err = {0};
    elm_archive_file files[2];
    if (fetch(&(elm_archive_place){.name = joined}, files, &err) != 0)
        fail_msg("%s", err.text);
    assert_memory_equal(files[0].bytes, first, FIRST_BYTES);
    elm_archive_free(files, 2);
    uint8_t *bytes = slurp(joined, &count);
    tail_count = count - 1;
    refused(&(elm_archive_place){"cut.tar.gz", bytes, tail_count}, "cut.tar.gz");
    free(bytes);
}

static void wrong_content(void **state)
{
    (void)state;
    const elm_archive_place place = {.name = scratch_path("twice.tar.gz")};
    make(place.name, archive_write_set_format_ustar, archive_write_add_filter_gzip, true);
    refused(&place, "first.bin twice");
    refused(&(elm_archive_place){.name = scratch_path("nowhere.tar")}, "No such file");
    refused(&(elm_archive_place){.name = scratch_folder}, "folder");
    static const char text[] =
        "hello, this is no archive at all, and it is long enough to be looked at twice";
    refused(&(elm_archive_place){"text", text, sizeof text}, "cannot read the archive");
    refused(&(elm_archive_place){"empty", text, 0}, "empty");
    static const char listing[] = "#mtree\n./first.bin type=file size=10 contents=/etc/passwd\n";
    refused(&(elm_archive_place){"listing", listing, sizeof listing - 1},
            "cannot read the archive");

    elm_error err = {0};
    elm_archive_file file = {.base = "third.bin", .max_bytes = 10};
    const elm_archive_place good = {.name = scratch_path("good.tar")};
    make(good.name, archive_write_set_format_ustar, NULL, false);
    assert_int_equal(elm_archive_fetch(&good, &file, 1, advice, (elm_archive_progress){0}, &err),
                     -1);
    assert_non_null(strstr(err.text, "lacks third.bin"));
    assert_non_null(strstr(err.text, advice));
    file = (elm_archive_file){
        .base = "first.bin", .min_bytes = FIRST_BYTES + 1, .max_bytes = FIRST_BYTES + 1};
    assert_int_equal(elm_archive_fetch(&good, &file, 1, advice, (elm_archive_progress){0}, &err),
                     -1);
    assert_non_null(strstr(err.text, "200000 bytes instead of 200001"));
    assert_null(file.bytes);
}

/* A header that promises 8 GiB: refused by its size before anything is allocated. */
static void huge_entry(void **state)
{
    (void)state;
    size_t count;
    make(scratch_path("a.tar"), archive_write_set_format_ustar, NULL, false);
    uint8_t *bytes = slurp(scratch_path("a.tar"), &count);
    for (size_t block = 0; block < count; block += 512) {
        if (strncmp((char *)bytes + block, "folder/second.bin", 17) != 0)
            continue;
        memcpy(bytes + block + 124, "77777777777", 11);
        memset(bytes + block + 148, ' ', 8);
        unsigned sum = 0;
        for (int i = 0; i < 512; i++)
            sum += bytes[block + i];
        snprintf((char *)bytes + block + 148, 8, "%06o", sum);
        bytes[block + 155] = ' ';
    }
    const int64_t calls = elm_alloc_calls();
    refused(&(elm_archive_place){"huge.tar", bytes, count}, "8589934591 bytes instead of at most");
    assert_in_range(elm_alloc_calls() - calls, 0, 3);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_and_compressions),
        cmocka_unit_test(truncated),
        cmocka_unit_test(flipped),
        cmocka_unit_test(several_gzip_members),
        cmocka_unit_test(wrong_content),
        cmocka_unit_test(huge_entry),
    };
    return cmocka_run_group_tests(tests, make_content, scratch_teardown);
}
