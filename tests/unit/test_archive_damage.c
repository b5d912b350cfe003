/* Damage: archives of every format with check sums, with each byte changed in turn. Either the
 * damage is told, or the same files come out. */
#include "unit/image_archives.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "prepare/archives/archive_entries.h"

enum { FILES = 3, BYTES_MAX = 1 << 16 };

typedef struct blob {
    uint8_t bytes[BYTES_MAX];
    size_t size_bytes;
} blob;

/* Files of which each byte counts. */
static void add_files(struct archive *writer)
{
    for (int i = 0; i < FILES; i++) {
        char name[40];
        uint8_t bytes[90];
        snprintf(name, sizeof name, "train/class%d/%d.jpg", i % 2, i);
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)(k * k * 7 + (size_t)i * 31 + k % (5 + (size_t)i));
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, sizeof bytes);
        assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
        assert_int_equal(archive_write_data(writer, bytes, sizeof bytes), sizeof bytes);
        archive_entry_free(entry);
    }
}

static void make(blob *out, int (*format)(struct archive *), int (*filter)(struct archive *))
{
    struct archive *writer = archive_write_new();
    assert_int_equal(format(writer), ARCHIVE_OK);
    if (filter != NULL)
        assert_true(filter(writer) >= ARCHIVE_WARN);
    archive_write_set_bytes_per_block(writer, 512);
    archive_write_set_bytes_in_last_block(writer, 1);
    assert_int_equal(archive_write_open_memory(writer, out->bytes, BYTES_MAX, &out->size_bytes),
                     ARCHIVE_OK);
    add_files(writer);
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);
}

/* Packs part of another blob and appends it. */
static void append_packed(blob *out, const uint8_t *bytes, size_t size_bytes,
                          int (*filter)(struct archive *))
{
    struct archive *writer = archive_write_new();
    size_t used = 0;
    assert_int_equal(archive_write_set_format_raw(writer), ARCHIVE_OK);
    assert_true(filter(writer) >= ARCHIVE_WARN);
    archive_write_set_bytes_in_last_block(writer, 1);
    assert_int_equal(archive_write_open_memory(writer, out->bytes + out->size_bytes,
                                               BYTES_MAX - out->size_bytes, &used),
                     ARCHIVE_OK);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(writer, bytes, size_bytes), size_bytes);
    archive_entry_free(entry);
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);
    out->size_bytes += used;
}

/* Two members: one that ends within a file. */
static void make_members(blob *out, int (*filter)(struct archive *))
{
    static blob tar;
    make(&tar, archive_write_set_format_pax_restricted, NULL);
    out->size_bytes = 0;
    append_packed(out, tar.bytes, 700, filter);
    append_packed(out, tar.bytes + 700, tar.size_bytes - 700, filter);
}

/* What comes out: names and bytes one after the other; -1: refused. */
static int64_t read_all(const blob *in, uint8_t *out)
{
    const int64_t live = elm_alloc_live();
    elm_archive *archive = NULL;
    elm_archive_entry file = {.path = ""};
    elm_error err = {0};
    int64_t used = 0;
    int status = elm_archive_open(&archive,
                                  &(elm_archive_place){"damaged", in->bytes, in->size_bytes}, &err);
    if (status == 0)
        elm_archive_show_links(archive);
    while (status == 0 && (status = elm_archive_next(archive, &file, &err)) == 1) {
        const size_t length = strlen(file.path) + 1;
        if (file.size_bytes > 1000) { /* larger than what went in; and it cannot be read */
            status = elm_archive_read(archive, out + used, 1000, &err) != 0 ? -1 : 0;
            continue;
        }
        assert_true(used + (int64_t)length + 1 + file.size_bytes < 2 * BYTES_MAX);
        memcpy(out + used, file.path, length);
        out[used + (int64_t)length] = file.link != NULL;
        used += (int64_t)length + 1;
        status = file.link == NULL
                     ? elm_archive_read(archive, out + used, (size_t)file.size_bytes, &err)
                     : 0;
        used += file.size_bytes;
    }
    elm_archive_close(archive);
    assert_int_equal(elm_alloc_live(), live);
    assert_true(status == 0 || err.text[0] != '\0');
    return status < 0 ? -1 : used;
}

static int changed(const blob *sound, const uint8_t *expected, int64_t expected_bytes, size_t place,
                   uint8_t flip)
{
    static uint8_t found[2 * BYTES_MAX];
    static blob damaged;
    memcpy(damaged.bytes, sound->bytes, sound->size_bytes);
    damaged.size_bytes = sound->size_bytes;
    damaged.bytes[place] ^= flip;
    const int64_t count = read_all(&damaged, found);
    return count >= 0 && (count != expected_bytes || memcmp(found, expected, (size_t)count) != 0);
}

static void flip_all(const char *what, const blob *sound)
{
    static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
    static uint8_t expected[2 * BYTES_MAX];
    const int64_t count = read_all(sound, expected);
    if (count < FILES * 90)
        fail_msg("%s: not read at all", what);
    for (size_t place = 0; place < sound->size_bytes; place++)
        for (size_t i = 0; i < sizeof flips; i++)
            if (changed(sound, expected, count, place, flips[i]))
                fail_msg(
                    "%s: byte %zu of %zu changed by %02x: other files come out, and nobody says so",
                    what, place, sound->size_bytes, flips[i]);
}

static void cut_all(const char *what, const blob *sound)
{
    static uint8_t expected[2 * BYTES_MAX], found[2 * BYTES_MAX];
    static blob cut;
    const int64_t count = read_all(sound, expected);
    memcpy(cut.bytes, sound->bytes, sound->size_bytes);
    for (cut.size_bytes = 1; cut.size_bytes < sound->size_bytes; cut.size_bytes += 3) {
        const int64_t left = read_all(&cut, found);
        if (left >= 0 && (left != count || memcmp(found, expected, (size_t)count) != 0))
            fail_msg("%s: cut to %zu of %zu bytes: other files come out, and nobody says so", what,
                     cut.size_bytes, sound->size_bytes);
    }
}

static void followed(const char *what, const blob *sound, bool zeros_pass)
{
    static uint8_t found[2 * BYTES_MAX];
    static blob longer;
    memcpy(longer.bytes, sound->bytes, sound->size_bytes);
    memset(longer.bytes + sound->size_bytes, 0, 1024);
    longer.size_bytes = sound->size_bytes + 1024;
    if (zeros_pass && read_all(&longer, found) < 0)
        fail_msg("%s: zeros behind its end are refused", what);
    memset(longer.bytes + sound->size_bytes, 'x', 1024);
    /* shorter than a further member's head, too */
    static const size_t lengths[] = {1, 2, 7, 13, 1024};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        longer.size_bytes = sound->size_bytes + lengths[i];
        if (read_all(&longer, found) >= 0)
            fail_msg("%s: %zu bytes behind its end are not told", what, lengths[i]);
    }
}

static const struct {
    const char *name;
    int (*filter)(struct archive *);
    bool zeros_pass;
} filters[] = {{"gzip", archive_write_add_filter_gzip, true},
               {"bzip2", archive_write_add_filter_bzip2, true},
               {"xz", archive_write_add_filter_xz, false},
               {"lzip", archive_write_add_filter_lzip, true},
               {"lz4", archive_write_add_filter_lz4, true}};

static void compressed(void **state)
{
    (void)state;
    static blob sound;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        make(&sound, archive_write_set_format_pax_restricted, filters[i].filter);
        flip_all(filters[i].name, &sound);
        cut_all(filters[i].name, &sound);
        followed(filters[i].name, &sound, filters[i].zeros_pass);
    }
}

static void in_members(void **state)
{
    (void)state;
    static blob sound;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        make_members(&sound, filters[i].filter);
        flip_all(filters[i].name, &sound);
    }
}

static void containers(void **state)
{
    (void)state;
    static blob sound;
    make(&sound, archive_write_set_format_zip, NULL);
    flip_all("zip", &sound);
    cut_all("zip", &sound);
    followed("zip", &sound, true);
    make(&sound, archive_write_set_format_7zip, NULL);
    flip_all("7-Zip", &sound);
    cut_all("7-Zip", &sound);
}

/* With check sums, as zstd's own program writes them. */
static void zstd(void **state)
{
    (void)state;
    static blob sound;
    FILE *file = fopen(ELM_SOURCE_DIR "/tests/fuzz/corpus/archive/checked.tar.zst", "rb");
    assert_non_null(file);
    sound.size_bytes = fread(sound.bytes, 1, BYTES_MAX, file);
    fclose(file);
    flip_all("zstd", &sound);
    cut_all("zstd", &sound);
    followed("zstd", &sound, false);
}

/* A header that is damaged, and a second archive behind the first. */
static void plain_tar(void **state)
{
    (void)state;
    static blob sound, two;
    static uint8_t found[2 * BYTES_MAX];
    make(&sound, archive_write_set_format_pax_restricted, NULL);
    const int64_t once = read_all(&sound, found);
    memcpy(two.bytes, sound.bytes, sound.size_bytes);
    memcpy(two.bytes + sound.size_bytes, sound.bytes, sound.size_bytes);
    two.size_bytes = 2 * sound.size_bytes;
    assert_int_equal(read_all(&two, found), 2 * once);
    for (size_t cut = 512; cut < FILES * 1024 + 512; cut += 512) { /* between two files as well */
        two = sound;
        two.size_bytes = cut;
        assert_int_equal(read_all(&two, found), -1);
    }
    for (size_t header = 0; header < FILES * 1024; header += 1024)
        for (size_t place = header; place < header + 100; place++) {
            two = sound;
            two.bytes[place] ^= 0x10;
            assert_int_equal(read_all(&two, found), -1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed), cmocka_unit_test(in_members), cmocka_unit_test(containers),
        cmocka_unit_test(zstd),       cmocka_unit_test(plain_tar),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
