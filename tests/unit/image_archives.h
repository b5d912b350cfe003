/* Image archives: tar, tar.gz and zip files of small images, archives within them, and
 * lists, made for the tests of elmpi-prepare. */
#ifndef ELMPI_TESTS_IMAGE_ARCHIVES_H
#define ELMPI_TESTS_IMAGE_ARCHIVES_H

#include "unit/image_files.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/scratch.h"

enum { IMAGES = 120, IMAGE_CLASSES = 5, TEST_IMAGES = 20 };

/** Image i, of its own size and color; every fifth is a PNG. */
static inline image_file small_image(int i)
{
    const int width = 20 + i % 13, height = 16 + i % 7;
    uint8_t rgb[40 * 40 * 3];
    paint(rgb, width, height);
    for (int k = 0; k < width * height; k++)
        rgb[3 * k] = (uint8_t)(i * 2);
    return i % 5 == 4
               ? make_png(rgb, width, height, 3)
               : make_jpeg(rgb, width, height, (jpeg_kind){.quality = 90, .sampling = 1 + i % 2});
}

/** Long-tailed: 60 of class 0 and ever fewer. */
static inline int image_class(int i)
{
    const int ends[] = {60, 85, 105, 116, IMAGES};
    int c = 0;
    while (i >= ends[c])
        c++;
    return c;
}

typedef struct archive_file {
    struct archive *writer;
    uint8_t *memory; /* of an archive in memory; free */
    size_t used;
} archive_file;

/** kind: "tar", "tar.gz", "zip", "7z", "cpio". path NULL: in memory. */
static inline archive_file start_archive(const char *path, const char *kind)
{
    enum { MEMORY_BYTES = 1 << 22 };
    archive_file file = {.writer = archive_write_new(),
                         .memory = path == NULL ? malloc(MEMORY_BYTES) : NULL};
    if (strcmp(kind, "zip") == 0)
        archive_write_set_format_zip(file.writer);
    else if (strcmp(kind, "7z") == 0)
        archive_write_set_format_7zip(file.writer);
    else if (strcmp(kind, "cpio") == 0)
        archive_write_set_format_cpio_newc(file.writer);
    else
        archive_write_set_format_pax_restricted(file.writer);
    if (strcmp(kind, "tar.gz") == 0)
        archive_write_add_filter_gzip(file.writer);
    return file;
}

static inline void open_archive(archive_file *file, const char *path)
{
    enum { MEMORY_BYTES = 1 << 22 };
    assert_int_equal(path != NULL ? archive_write_open_filename(file->writer, path)
                                  : archive_write_open_memory(file->writer, file->memory,
                                                              MEMORY_BYTES, &file->used),
                     ARCHIVE_OK);
}

static inline void add_file(archive_file *file, const char *path, const void *bytes,
                            size_t size_bytes)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)size_bytes);
    assert_int_equal(archive_write_header(file->writer, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(file->writer, bytes, size_bytes), size_bytes);
    archive_entry_free(entry);
}

static inline void add_image(archive_file *file, const char *path, int i)
{
    image_file image = small_image(i);
    add_file(file, path, image.bytes, image.size_bytes);
    free(image.bytes);
}

static inline void end_archive(archive_file *file)
{
    assert_int_equal(archive_write_close(file->writer), ARCHIVE_OK);
    archive_write_free(file->writer);
}

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline void write_bytes(const char *path, const void *bytes, size_t size_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
    fclose(file);
}

#endif
