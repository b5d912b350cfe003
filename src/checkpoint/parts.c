#include "checkpoint/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "checkpoint/digest.h"
#include "checkpoint/files.h"

/* The disk takes the tail over in portions, so that no wait at the end is long enough to look
 * like a standstill. */
enum { SYNC_BYTES = 1 << 28 };

/* Appends the tail's pieces. *cause: the errno of what failed. */
static int write_tail(int fd, const elm_checkpoint_tail *tail, elm_digest *digest, int *cause,
                      elm_error *err)
{
    uint64_t left = (uint64_t)tail->records * tail->record_bytes, unsynced = 0;
    while (left > 0) {
        const void *piece;
        size_t size_bytes;
        tail->next(tail->context, &piece, &size_bytes);
        if (size_bytes == 0 || size_bytes > left)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "the memory bank has not the size it announced (checkpoint): report this");
        elm_digest_add(digest, piece, size_bytes);
        *cause = elm_io_write(fd, piece, size_bytes);
        unsynced += size_bytes;
        if (!*cause && unsynced >= SYNC_BYTES) {
            unsynced = 0;
            *cause = fdatasync(fd) ? errno : 0;
        }
        if (*cause)
            return -1;
        left -= size_bytes;
    }
    return 0;
}

static int write_all(int fd, const char *image, size_t size_bytes, const elm_checkpoint_tail *tail,
                     int *cause, elm_error *err)
{
    char block[ELM_USER_BLOCK] = "";
    elm_digest *digest = elm_digest_begin(err);
    if (!digest)
        return -1;
    *cause = elm_io_write(fd, block, sizeof block);
    elm_digest_add(digest, image + ELM_USER_BLOCK, size_bytes - ELM_USER_BLOCK);
    if (!*cause)
        *cause = elm_io_write(fd, image + ELM_USER_BLOCK, size_bytes - ELM_USER_BLOCK);
    const int status = *cause ? -1 : write_tail(fd, tail, digest, cause, err);
    elm_digest_end(digest, block);
    if (status)
        return -1;
    /* The digest is known last, but stands first. */
    if (lseek(fd, 0, SEEK_SET) < 0)
        *cause = errno;
    if (!*cause)
        *cause = elm_io_write(fd, block, sizeof block);
    return *cause ? -1 : 0;
}

int elm_parts_write(int fd, const char *path, const char *image, size_t size_bytes,
                    const elm_checkpoint_tail *tail, elm_error *err)
{
    int cause = 0;
    const int status = write_all(fd, image, size_bytes, tail, &cause, err);
    if (!status && fsync(fd)) /* before it is read again and compared */
        cause = errno;
    return cause ? elm_file_failed("write", path, cause, err) : status;
}

int elm_checkpoint_read_tail(const char *path, const elm_checkpoint_tail *tail, int64_t offset,
                             void *bytes, size_t size_bytes, elm_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int cause = fd < 0 ? errno : 0;
    for (size_t done = 0; !cause && done < size_bytes;) {
        const ssize_t got = pread(fd, (char *)bytes + done, size_bytes - done,
                                  (off_t)(tail->offset + offset + (int64_t)done));
        if (got < 0 && errno == EINTR)
            continue;
        cause = got < 0 ? errno : got == 0 ? EIO : 0;
        done += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    return cause ? elm_file_failed("read", path, cause, err) : 0;
}
