/* Event files: CRC-32C by its published answers, protobuf by the examples of its specification,
 * and records taken apart here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file/protobuf.h"
#include "elmpi/memory.h"
#include "train/metrics/event_file.h"
#include "unit/scratch.h"

/* RFC 3720, appendix B.4, and the check value of the algorithm's catalog entry. */
static void crc_known_answers(void **state)
{
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(elm_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(elm_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(elm_crc32c(bytes, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(elm_crc32c(bytes, 32), 0x113fdb5c);
    assert_int_equal(elm_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(elm_crc32c("", 0), 0);
}

/* The specification's examples: 150 as 08 96 01, "testing" as 12 07 ..., a message inside a
 * message as 1a 03 08 96 01; -1 has ten bytes. */
static void protobuf_known_answers(void **state)
{
    (void)state;
    static const unsigned char expected[] = {
        0x08, 0x96, 0x01, 0x12, 0x07, 't',  'e',  's',  't',  'i',  'n',  'g',  0x1a, 0x03, 0x08,
        0x96, 0x01, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x2d, 0x00,
        0x00, 0x80, 0x3f, 0x31, 0,    0,    0,    0,    0,    0,    0xf0, 0x3f, 0xa2, 0x01, 0x00};
    elm_bytes bytes = {0};
    elm_protobuf_int(&bytes, 1, 150);
    elm_protobuf_text(&bytes, 2, "testing");
    const size_t inner = elm_protobuf_begin(&bytes, 3);
    elm_protobuf_int(&bytes, 1, 150);
    elm_protobuf_end(&bytes, inner);
    elm_protobuf_int(&bytes, 4, -1);
    elm_protobuf_float(&bytes, 5, 1);
    elm_protobuf_double(&bytes, 6, 1);
    elm_protobuf_end(&bytes, elm_protobuf_begin(&bytes, 20));
    assert_int_equal(bytes.size, sizeof expected);
    assert_memory_equal(bytes.data, expected, sizeof expected);
    elm_bytes_free(&bytes);
}

static void long_messages_get_long_lengths(void **state)
{
    (void)state;
    elm_bytes bytes = {0};
    const size_t inner = elm_protobuf_begin(&bytes, 1);
    elm_bytes_add(&bytes, NULL, 300);
    elm_protobuf_end(&bytes, inner);
    assert_int_equal(bytes.size, 303);
    assert_memory_equal(bytes.data, "\x0a\xac\x02\0", 4);
    elm_bytes_free(&bytes);
    assert_int_equal(elm_alloc_live(), 0);
}

/* The next record of a file into `event`; its length, or -1 at the end. The masked checksum is
 * undone, not made again. */
static int64_t next_record(FILE *stream, unsigned char *event, size_t capacity)
{
    unsigned char head[12], tail[4];
    if (fread(head, 1, sizeof head, stream) != sizeof head)
        return -1;
    uint64_t length;
    uint32_t check;
    memcpy(&length, head, sizeof length);
    memcpy(&check, head + 8, sizeof check);
    check -= 0xa282ead8u;
    assert_int_equal((check << 15 | check >> 17), elm_crc32c(head, 8));
    assert_true(length <= capacity);
    assert_int_equal(fread(event, 1, length, stream), length);
    assert_int_equal(fread(tail, 1, sizeof tail, stream), sizeof tail);
    memcpy(&check, tail, sizeof check);
    check -= 0xa282ead8u;
    assert_int_equal((check << 15 | check >> 17), elm_crc32c(event, length));
    return (int64_t)length;
}

static void records_hold_events(void **state)
{
    (void)state;
    const char *path = scratch_path("events.out.tfevents.1");
    elm_event_file *file = NULL;
    elm_error err = {0};
    assert_int_equal(elm_event_file_create(&file, path, &err), 0);
    elm_event_file_purge(file, 3);
    elm_event_file_scalars(file, 4, (const elm_event_scalar[]){{"a", 1}, {"gone", NAN}, {"b", -2}},
                           3);
    assert_int_equal(elm_event_file_flush(file), 0);
    elm_event_file_close(file);

    unsigned char event[256] = {0};
    enum { TIME = 9 }; /* bytes of field 1, a double */
    static const char version[] = "\x10\x00\x1a\x0d"
                                  "brain.Event:2",
                      purge[] = "\x10\x03\x3a\x02\x08\x01",
                      scalars[] = "\x10\x04\x2a\x14\x0a\x08\x0a\x01"
                                  "a\x15\x00\x00\x80\x3f\x0a\x08\x0a\x01"
                                  "b\x15\x00\x00\x00\xc0";
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(next_record(stream, event, sizeof event), TIME + sizeof version - 1);
    assert_int_equal(event[0], 0x09);
    assert_memory_equal(event + TIME, version, sizeof version - 1);
    assert_int_equal(next_record(stream, event, sizeof event), TIME + sizeof purge - 1);
    assert_memory_equal(event + TIME, purge, sizeof purge - 1);
    assert_int_equal(next_record(stream, event, sizeof event), TIME + sizeof scalars - 1);
    assert_memory_equal(event + TIME, scalars, sizeof scalars - 1);
    assert_int_equal(next_record(stream, event, sizeof event), -1);
    fclose(stream);

    /* Another start never writes into an earlier one's file. */
    assert_int_equal(elm_event_file_create(&file, path, &err), -1);
    assert_null(file);
    assert_non_null(strstr(err.text, "run.tensorboard"));
    assert_int_equal(elm_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_known_answers),
        cmocka_unit_test(protobuf_known_answers),
        cmocka_unit_test(long_messages_get_long_lengths),
        cmocka_unit_test(records_hold_events),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
