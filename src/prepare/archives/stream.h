/* Stream: where the bytes of an archive come from: a file or a part of one, memory, an entry of
 * another archive, or what a decompressor makes of another stream (decompress.h). */
#ifndef ELMPI_PREPARE_ARCHIVES_STREAM_H
#define ELMPI_PREPARE_ARCHIVES_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elmpi/status.h"

enum { ELM_STREAM_BLOCK = 1 << 16, ELM_STREAM_CAUSE = 256 };

typedef struct elm_stream elm_stream;

/** Fills a buffer of ELM_STREAM_BLOCK bytes as far as there are bytes: 0 at the end, -1 with
 * `cause` set. */
typedef ssize_t (*elm_stream_source)(void *context, uint8_t *block, char cause[ELM_STREAM_CAUSE]);

/** A file of the file system.
 *  Owns:   the caller closes; so with the others
 *  Errors: -1, the reason in errno */
int elm_stream_open_file(elm_stream **stream, const char *path);
/** A part of another stream's file, or of its memory; `of` must be seekable and live longer.
 * NULL: memory. */
elm_stream *elm_stream_part(const elm_stream *of, int64_t offset, int64_t size_bytes);
/** Borrows the bytes. */
elm_stream *elm_stream_memory(const void *bytes, size_t size_bytes);
/** Bytes that come once, in order. `close` is called with context at the end, or NULL. */
elm_stream *elm_stream_sequence(elm_stream_source source, void (*close)(void *context),
                                void *context);
/** Copies what is left of a stream into a file without a name (in TMPDIR), which can be read in any
 * order. The stream is closed.
 *  Errors: NULL; cause says why */
elm_stream *elm_stream_spool(elm_stream *stream, char cause[ELM_STREAM_CAUSE]);
void elm_stream_close(elm_stream *stream);

/** The next bytes, borrowed until the next call: their number, 0 at the end, -1 after a failure. */
ssize_t elm_stream_read(elm_stream *stream, const void **block);
/** What elm_stream_read would hand out next, at least ELM_STREAM_BLOCK bytes where there are so
 * many. */
size_t elm_stream_peek(elm_stream *stream, const uint8_t **bytes);
/** Reads on to the end: 0 where all bytes were zero, 1 where they were not, -1 after a failure. */
int elm_stream_rest(elm_stream *stream);

bool elm_stream_seekable(const elm_stream *stream);
/** The place that is read next, set and asked; of a seekable stream. */
void elm_stream_seek(elm_stream *stream, int64_t place);
int64_t elm_stream_position(const elm_stream *stream);
/** Bytes of the file at the bottom that have been taken: of what decompressors stand on. */
int64_t elm_stream_origin(const elm_stream *stream);
void elm_stream_set_below(elm_stream *stream, const elm_stream *below);
int64_t elm_stream_size(const elm_stream *stream);
/** Where a seekable stream's first byte stands in its file. */
int64_t elm_stream_base(const elm_stream *stream);
/** Reads exactly so many bytes at a place of a seekable stream, without moving it. */
bool elm_stream_read_at(const elm_stream *stream, int64_t place, void *bytes, size_t size_bytes);
/** Whether it is a file, or a part of one, that others can open by its name. */
bool elm_stream_is_file(const elm_stream *stream);

/** Zero bytes at the end of a stream that has been read to there; of a seekable one, up to
 * ELM_STREAM_ZEROS. */
enum { ELM_STREAM_ZEROS = 512 };
int64_t elm_stream_zeros(const elm_stream *stream);

/** Why reading failed, or NULL. */
const char *elm_stream_cause(const elm_stream *stream);

#endif
