#include "predict/image_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "image/decode.h"
#include "prepare/source_files.h"

/* No camera's file is larger; whatever is goes no further than its size. */
enum { BYTES_MAX = 1 << 29 };

static int too_large(elm_error *why)
{
    return elm_image_corrupt(why, "larger than 512 MiB");
}

static int read_part(int descriptor, int64_t offset, elm_image_bytes *bytes, elm_error *why)
{
    size_t done = 0;
    while (done < bytes->size_bytes) {
        const ssize_t got = pread(descriptor, bytes->bytes + done, bytes->size_bytes - done,
                                  (off_t)(offset + (int64_t)done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return elm_image_corrupt(why, got < 0 ? strerror(errno) : "it has become shorter");
        done += (size_t)got;
    }
    return 0;
}

int elm_image_bytes_read(const elm_image_list *list, const elm_listed_image *image,
                         elm_image_bytes *bytes, elm_error *why)
{
    struct stat about;
    const int descriptor = open(list->texts + image->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int status = 0;
    if (descriptor < 0)
        return elm_image_corrupt(why, strerror(errno));
    if (fstat(descriptor, &about) != 0)
        status = elm_image_corrupt(why, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        status = elm_image_corrupt(why, S_ISDIR(about.st_mode)
                                            ? "a folder: give folders on the command line"
                                            : "no regular file");
    const int64_t size = image->size_bytes >= 0 ? image->size_bytes : about.st_size;
    if (status == 0 && size > BYTES_MAX)
        status = too_large(why);
    if (status == 0) {
        bytes->size_bytes = (size_t)size;
        bytes->bytes = elm_alloc((size_t)size + 1, 1, why);
        status = bytes->bytes != NULL ? read_part(descriptor, image->offset, bytes, why) : -1;
    }
    close(descriptor);
    return status;
}

void elm_ordered_archive_close(elm_ordered_archive *archive)
{
    elm_image_source_close(archive->source);
    archive->source = NULL;
}

/* Up to the file of that turn. */
static int advance(elm_ordered_archive *archive, const elm_image_list *list,
                   const elm_listed_image *image, elm_source_file *file, elm_error *err)
{
    const char *path = list->texts + image->file;
    if (archive->source == NULL || archive->file != image->file || archive->turn > image->turn) {
        elm_ordered_archive_close(archive);
        if (elm_image_source_open(&archive->source, path, "", err) != 0)
            return -1;
        archive->file = image->file;
        archive->turn = 0;
    }
    for (int status = 1; status == 1 && archive->turn <= image->turn; archive->turn++)
        if ((status = elm_image_source_next(archive->source, file, err)) != 1)
            return status < 0 ? -1
                              : elm_error_set(err, ELM_EXIT_FAILURE,
                                              "the archive has changed while it was read (%s): try "
                                              "again when no process writes to it",
                                              path);
    return 0;
}

int elm_image_bytes_next(elm_ordered_archive *archive, const elm_image_list *list,
                         const elm_listed_image *image, elm_image_bytes *bytes, elm_error *why)
{
    elm_source_file file = {0};
    if (image->size_bytes > BYTES_MAX)
        return too_large(why);
    if (advance(archive, list, image, &file, why) != 0)
        return -1;
    if (file.size_bytes != image->size_bytes)
        return elm_image_corrupt(why, "the archive has changed while it was read");
    bytes->size_bytes = (size_t)file.size_bytes;
    bytes->bytes = elm_alloc(bytes->size_bytes + 1, 1, why);
    return bytes->bytes != NULL ? elm_image_source_read(archive->source, bytes->bytes, why) : -1;
}
