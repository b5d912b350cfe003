/* IO: bytes to files, folders. */
#ifndef ELMPI_BASE_FILE_IO_H
#define ELMPI_BASE_FILE_IO_H

#include <stddef.h>

enum { ELM_PATH_SIZE = 4096 };

/** Writes all of `bytes`, however many calls it takes. 0, or the errno of what failed. */
int elm_io_write(int descriptor, const void *bytes, size_t size_bytes);

/** Renames within a folder and waits until the folder has reached the disk. 0, or the errno of
 * what failed. */
int elm_io_rename(const char *from, const char *to);

/** Makes a folder and those above it that are missing. 0, or the errno of what failed; `failed`
 * [ELM_PATH_SIZE] then holds which one. */
int elm_io_make_folders(const char *path, char *failed);

#endif
