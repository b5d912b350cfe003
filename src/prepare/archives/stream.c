#include "prepare/archives/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"

struct elm_stream {
    int descriptor; /* of a file, or -1 */
    bool own;       /* the descriptor is this stream's to close */
    bool named;     /* the file has a name */
    const uint8_t *memory;
    int64_t base, end, next; /* of a file or memory: all counted from its first byte */
    elm_stream_source source;
    void (*close)(void *context);
    void *context;
    const elm_stream *below; /* what the source reads, where it is another stream */
    uint8_t *block;          /* [ELM_STREAM_BLOCK] */
    const uint8_t *peeked;   /* read by elm_stream_peek and not yet taken */
    size_t peeked_bytes;
    int64_t taken; /* handed out so far */
    int64_t zeros; /* the last of these that are zero */
    char cause[ELM_STREAM_CAUSE];
};

static elm_stream *make_stream(void)
{
    elm_stream *stream = elm_alloc(1, sizeof *stream, NULL);
    if (stream == NULL)
        return NULL;
    stream->descriptor = -1;
    stream->block = elm_alloc(ELM_STREAM_BLOCK, 1, NULL);
    if (stream->block == NULL) {
        elm_free(stream);
        return NULL;
    }
    return stream;
}

int elm_stream_open_file(elm_stream **out, const char *path)
{
    elm_stream *stream = *out = make_stream();
    if (stream == NULL) {
        errno = ENOMEM;
        return -1;
    }
    stream->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    stream->own = stream->named = true;
    stream->end = stream->descriptor >= 0 ? (int64_t)lseek(stream->descriptor, 0, SEEK_END) : -1;
    if (stream->end >= 0)
        return 0;
    const int cause = errno;
    elm_stream_close(stream);
    *out = NULL;
    errno = cause;
    return -1;
}

elm_stream *elm_stream_part(const elm_stream *of, int64_t offset, int64_t size_bytes)
{
    elm_stream *stream = make_stream();
    if (stream == NULL)
        return NULL;
    stream->descriptor = of->descriptor;
    stream->named = of->named;
    stream->memory = of->memory;
    stream->base = stream->next = of->base + offset;
    stream->end = size_bytes <= of->end - stream->base ? stream->base + size_bytes : of->end;
    return stream;
}

elm_stream *elm_stream_memory(const void *bytes, size_t size_bytes)
{
    elm_stream *stream = make_stream();
    if (stream == NULL)
        return NULL;
    stream->memory = bytes;
    stream->end = (int64_t)size_bytes;
    return stream;
}

elm_stream *elm_stream_sequence(elm_stream_source source, void (*close)(void *context),
                                void *context)
{
    elm_stream *stream = make_stream();
    if (stream == NULL)
        return NULL;
    stream->source = source;
    stream->close = close;
    stream->context = context;
    return stream;
}

void elm_stream_close(elm_stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->close != NULL)
        stream->close(stream->context);
    if (stream->own && stream->descriptor >= 0)
        close(stream->descriptor);
    elm_free(stream->block);
    elm_free(stream);
}

static ssize_t read_file(int descriptor, void *bytes, size_t count, int64_t place)
{
    ssize_t done;
    do {
        done = pread(descriptor, bytes, count, (off_t)place);
    } while (done < 0 && errno == EINTR);
    return done;
}

static ssize_t next_block(elm_stream *stream, const void **block)
{
    *block = stream->block;
    if (stream->cause[0] != '\0')
        return -1;
    if (stream->source != NULL)
        return stream->source(stream->context, stream->block, stream->cause);
    const int64_t left = stream->end - stream->next;
    const size_t wanted =
        left < ELM_STREAM_BLOCK ? (size_t)(left > 0 ? left : 0) : ELM_STREAM_BLOCK;
    ssize_t count = (ssize_t)wanted;
    if (stream->memory != NULL)
        *block = stream->memory + stream->next;
    else if (wanted > 0 &&
             (count = read_file(stream->descriptor, stream->block, wanted, stream->next)) < 0)
        snprintf(stream->cause, sizeof stream->cause, "%s", strerror(errno));
    stream->next += count > 0 ? count : 0;
    return count;
}

static ssize_t zeros_at_end(const uint8_t *bytes, ssize_t count)
{
    ssize_t zeros = 0;
    while (zeros < count && bytes[count - 1 - zeros] == 0)
        zeros++;
    return zeros;
}

ssize_t elm_stream_read(elm_stream *stream, const void **block)
{
    ssize_t count = (ssize_t)stream->peeked_bytes;
    if (count > 0) {
        *block = stream->peeked;
        stream->peeked_bytes = 0;
    } else {
        count = next_block(stream, block);
    }
    if (count > 0) {
        const ssize_t zeros = zeros_at_end(*block, count);
        stream->zeros = zeros == count ? stream->zeros + zeros : zeros;
        stream->taken += count;
    }
    return count;
}

size_t elm_stream_peek(elm_stream *stream, const uint8_t **bytes)
{
    if (stream->peeked_bytes == 0) {
        const void *block = NULL;
        const ssize_t count = next_block(stream, &block);
        stream->peeked = block;
        stream->peeked_bytes = count > 0 ? (size_t)count : 0;
    }
    *bytes = stream->peeked;
    return stream->peeked_bytes;
}

int elm_stream_rest(elm_stream *stream)
{
    const void *block = NULL;
    ssize_t count;
    int found = 0;
    while ((count = elm_stream_read(stream, &block)) > 0)
        for (ssize_t i = 0; found == 0 && i < count; i++)
            found = ((const uint8_t *)block)[i] != 0;
    return count < 0 ? -1 : found;
}

bool elm_stream_seekable(const elm_stream *stream)
{
    return stream->source == NULL;
}

void elm_stream_seek(elm_stream *stream, int64_t place)
{
    stream->next = stream->base + place;
    if (stream->next > stream->end)
        stream->next = stream->end;
    stream->peeked_bytes = 0;
    stream->taken = stream->next - stream->base;
}

int64_t elm_stream_position(const elm_stream *stream)
{
    return stream->taken;
}

int64_t elm_stream_origin(const elm_stream *stream)
{
    while (stream->below != NULL)
        stream = stream->below;
    return stream->taken;
}

void elm_stream_set_below(elm_stream *stream, const elm_stream *below)
{
    stream->below = below;
}

int64_t elm_stream_size(const elm_stream *stream)
{
    return stream->end - stream->base;
}

int64_t elm_stream_base(const elm_stream *stream)
{
    return stream->base;
}

bool elm_stream_read_at(const elm_stream *stream, int64_t place, void *bytes, size_t size_bytes)
{
    if (place < 0 || place > stream->end - stream->base ||
        (int64_t)size_bytes > stream->end - stream->base - place)
        return false;
    if (stream->memory != NULL) {
        memcpy(bytes, stream->memory + stream->base + place, size_bytes);
        return true;
    }
    for (size_t done = 0; done < size_bytes;) {
        const ssize_t count = read_file(stream->descriptor, (char *)bytes + done, size_bytes - done,
                                        stream->base + place + (int64_t)done);
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

bool elm_stream_is_file(const elm_stream *stream)
{
    return stream->descriptor >= 0 && stream->named;
}

int64_t elm_stream_zeros(const elm_stream *stream)
{
    uint8_t tail[ELM_STREAM_ZEROS];
    const int64_t size = elm_stream_size(stream),
                  count = size < ELM_STREAM_ZEROS ? size : ELM_STREAM_ZEROS;
    if (!elm_stream_seekable(stream))
        return stream->zeros;
    return elm_stream_read_at(stream, size - count, tail, (size_t)count) ? zeros_at_end(tail, count)
                                                                         : 0;
}

const char *elm_stream_cause(const elm_stream *stream)
{
    return stream != NULL && stream->cause[0] != '\0' ? stream->cause : NULL;
}

static int open_nameless(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    if (snprintf(path, sizeof path, "%s/elmpi-XXXXXX",
                 folder != NULL && folder[0] != '\0' ? folder : "/tmp") >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int descriptor = mkstemp(path);
    if (descriptor >= 0) {
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        unlink(path);
    }
    return descriptor;
}

static bool write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t done = write(descriptor, bytes, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        count -= (size_t)done;
    }
    return true;
}

elm_stream *elm_stream_spool(elm_stream *from, char cause[ELM_STREAM_CAUSE])
{
    elm_stream *stream = make_stream();
    const void *block = NULL;
    ssize_t count = -1;
    bool written = false;
    if (stream != NULL && (stream->descriptor = open_nameless()) >= 0) {
        stream->own = written = true;
        while (written && (count = elm_stream_read(from, &block)) > 0) {
            written = write_all(stream->descriptor, block, (size_t)count);
            stream->end += count;
        }
    }
    if (!written)
        snprintf(
            cause, ELM_STREAM_CAUSE,
            "it must be copied to a temporary file, and that failed: %s (TMPDIR names the folder)",
            strerror(errno));
    else if (count < 0)
        snprintf(cause, ELM_STREAM_CAUSE, "%s",
                 elm_stream_cause(from) != NULL ? elm_stream_cause(from) : "it cannot be read");
    elm_stream_close(from);
    if (written && count == 0)
        return stream;
    elm_stream_close(stream);
    return NULL;
}
