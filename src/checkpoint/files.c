#include "checkpoint/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int cause;
    const char *reason, *advice;
} reasons[] = {
    {ENOSPC, "disk full",
     "make room, or lower checkpoint.keep; checkpoints written before were not touched"},
    {EDQUOT, "disk quota reached",
     "make room, or lower checkpoint.keep; checkpoints written before were not touched"},
    {EFBIG, "file too large",
     "raise the limit (ulimit -f), or use another file system; checkpoints written before were not "
     "touched"},
    {EACCES, "no permission", "choose a folder of yours with --run-dir"},
    {EPERM, "no permission", "choose a folder of yours with --run-dir"},
    {EROFS, "read-only file system", "choose another folder with --run-dir"},
    {ENOTDIR, "part of the path is no folder", "choose another folder with --run-dir"},
};

int elm_file_failed(const char *doing, const char *path, int cause, elm_error *err)
{
    const char *reason = strerror(cause), *advice = "check the path and the disk";
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].cause == cause) {
            reason = reasons[i].reason;
            advice = reasons[i].advice;
        }
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot %s (%s): %s: %s", doing, path, reason,
                         advice);
}

int elm_file_rename(const char *from, const char *to, elm_error *err)
{
    const int cause = elm_io_rename(from, to);
    return cause ? elm_file_failed("write", to, cause, err) : 0;
}

int elm_folder_make(const char *path, elm_error *err)
{
    char failed[ELM_PATH_SIZE];
    if (!*path || strlen(path) >= ELM_PATH_SIZE)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "no usable folder name (\"%.200s\"): give another --run-dir or run.name", path);
    const int cause = elm_io_make_folders(path, failed);
    return cause ? elm_file_failed("make the folder", failed, cause, err) : 0;
}
