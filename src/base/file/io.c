#include "base/file/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
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

/* A rename is in the folder, and the folder is what must reach the disk. Some file systems
 * cannot sync a folder and need not. */
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
