#include "elmpi/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int elm_io_write(int descriptor, const void *bytes, size_t size_bytes)
{
    for (const char *at = bytes; size_bytes;) {
        const ssize_t done = write(descriptor, at, size_bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        at += done;
        size_bytes -= (size_t)done;
    }
    return 0;
}

int elm_io_write_file(const char *path, const void *bytes, size_t size_bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno;
    int cause = elm_io_write(fd, bytes, size_bytes);
    if (!cause && fsync(fd))
        cause = errno;
    if (close(fd) && !cause)
        cause = errno;
    return cause;
}

/* A rename is in the folder, and the folder is what must reach the disk. Some file systems cannot sync a folder and need not. */
static int sync_folder_of(const char *path)
{
    char copy[ELM_PATH_SIZE];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    const int cause = fsync(fd) && errno != EINVAL && errno != ENOTSUP ? errno : 0;
    close(fd);
    return cause;
}

int elm_io_rename(const char *from, const char *to)
{
    return rename(from, to) ? errno : sync_folder_of(to);
}

int elm_io_replace_file(const char *path, const void *bytes, size_t size_bytes)
{
    char temporary[ELM_PATH_SIZE];
    if (snprintf(temporary, sizeof temporary, "%s.tmp-%d", path, (int)getpid()) >= (int)sizeof temporary)
        return ENAMETOOLONG;
    int cause = elm_io_write_file(temporary, bytes, size_bytes);
    if (!cause)
        cause = elm_io_rename(temporary, path);
    if (cause)
        unlink(temporary);
    return cause;
}

int elm_io_make_folders(const char *path, char *failed)
{
    if (snprintf(failed, ELM_PATH_SIZE, "%s", path) >= ELM_PATH_SIZE)
        return ENAMETOOLONG;
    for (char *c = failed + (*failed != 0);; c++) {
        if (*c && *c != '/')
            continue;
        const char kept = *c;
        *c = 0;
        if (*failed && mkdir(failed, 0777) && errno != EEXIST)
            return errno;
        *c = kept;
        if (!kept)
            break;
    }
    struct stat about;
    if (*failed && stat(failed, &about))
        return errno;
    return !*failed || S_ISDIR(about.st_mode) ? 0 : ENOTDIR;
}

double elm_io_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
