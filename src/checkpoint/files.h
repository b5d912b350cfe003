/* Files: bringing bytes to a disk so that they are there, or an error says why not. */
#ifndef ELMPI_CHECKPOINT_FILES_H
#define ELMPI_CHECKPOINT_FILES_H

#include <stddef.h>

#include "base/file/io.h"
#include "elmpi/status.h"

/** Renames within a folder and waits until the folder has reached the disk. */
int elm_file_rename(const char *from, const char *to, elm_error *err);

/** Makes a folder and those above it. */
int elm_folder_make(const char *path, elm_error *err);

/** "cannot <doing> (<path>): <reason>: <what to do>" for an errno. Returns -1. */
int elm_file_failed(const char *doing, const char *path, int cause, elm_error *err);

#endif
