/* Field numbers are those of TensorFlow's event.proto and summary.proto. */
#include "train/metrics/event_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file/protobuf.h"
#include "elmpi/memory.h"

enum {
    EVENT_WALL_TIME = 1,
    EVENT_STEP = 2,
    EVENT_FILE_VERSION = 3,
    EVENT_SUMMARY = 5,
    EVENT_SESSION = 7
};
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, SESSION_STATUS = 1, SESSION_START = 1 };

struct elm_event_file {
    FILE *stream;
    elm_bytes event; /* under way; its memory is used again */
    int cause;       /* errno of the first failure: nothing is written after it */
};

/* Bit by bit: an event has some hundred bytes, and a table would not be noticed. */
uint32_t elm_crc32c(const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* TFRecord stores checksums rotated and shifted, so that a checksum over data that holds
 * checksums stays a good one. */
static uint32_t masked(const void *bytes, size_t size_bytes)
{
    const uint32_t crc = elm_crc32c(bytes, size_bytes);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_little_endian(unsigned char *to, uint64_t value, int size_bytes)
{
    for (int i = 0; i < size_bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

/* Length, its checksum, the event, its checksum. */
static void write_record(elm_event_file *file)
{
    unsigned char head[12], tail[4];
    put_little_endian(head, file->event.size, 8);
    put_little_endian(head + 8, masked(head, 8), 4);
    put_little_endian(tail, masked(file->event.data, file->event.size), 4);
    if (file->cause == 0 && file->event.failed)
        file->cause = ENOMEM;
    if (file->cause == 0 && (fwrite(head, sizeof head, 1, file->stream) != 1 ||
                             fwrite(file->event.data, file->event.size, 1, file->stream) != 1 ||
                             fwrite(tail, sizeof tail, 1, file->stream) != 1))
        file->cause = errno;
    file->event.size = 0;
}

static void begin_event(elm_event_file *file, int64_t step)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    elm_protobuf_double(&file->event, EVENT_WALL_TIME,
                        (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    elm_protobuf_int(&file->event, EVENT_STEP, step);
}

int elm_event_file_create(elm_event_file **out, const char *path, elm_error *err)
{
    elm_event_file *file = elm_alloc(1, sizeof *file, err);
    *out = NULL;
    if (file == NULL)
        return -1;
    file->stream = fopen(path, "wbx");
    if (file->stream == NULL) {
        elm_free(file);
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "cannot write %s (%s): check the folder, or set run.tensorboard = false", path,
            strerror(errno));
    }
    begin_event(file, 0);
    elm_protobuf_text(&file->event, EVENT_FILE_VERSION, "brain.Event:2");
    write_record(file);
    *out = file;
    return 0;
}

void elm_event_file_purge(elm_event_file *file, int64_t step)
{
    begin_event(file, step);
    const size_t session = elm_protobuf_begin(&file->event, EVENT_SESSION);
    elm_protobuf_int(&file->event, SESSION_STATUS, SESSION_START);
    elm_protobuf_end(&file->event, session);
    write_record(file);
}

void elm_event_file_scalars(elm_event_file *file, int64_t step, const elm_event_scalar *scalars,
                            int count)
{
    begin_event(file, step);
    const size_t summary = elm_protobuf_begin(&file->event, EVENT_SUMMARY);
    for (int s = 0; s < count; s++) {
        if (!isfinite(scalars[s].value))
            continue;
        const size_t value = elm_protobuf_begin(&file->event, SUMMARY_VALUE);
        elm_protobuf_text(&file->event, VALUE_TAG, scalars[s].tag);
        elm_protobuf_float(&file->event, VALUE_SIMPLE, (float)scalars[s].value);
        elm_protobuf_end(&file->event, value);
    }
    elm_protobuf_end(&file->event, summary);
    write_record(file);
}

int elm_event_file_flush(elm_event_file *file)
{
    if (file->cause == 0 && fflush(file->stream) != 0)
        file->cause = errno;
    return file->cause;
}

void elm_event_file_close(elm_event_file *file)
{
    if (file == NULL)
        return;
    fclose(file->stream);
    elm_bytes_free(&file->event);
    elm_free(file);
}
