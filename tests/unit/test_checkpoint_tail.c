/* A checkpoint's tail: it comes back piece by piece, lies under the digest, and a file that lies
 * about it is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "checkpoint/digest.h"
#include "checkpoint/format.h"
#include "elmpi/checkpoint.h"
#include "elmpi/memory.h"
#include "hdf5/read.h"
#include "unit/scratch.h"

enum { RECORDS = 1000, RECORD_BYTES = 37, PIECE = 64 /* records */ };

typedef struct pieces {
    char all[RECORDS * RECORD_BYTES];
    int64_t given, most; /* records */
} pieces;

static void next_piece(void *context, const void **piece, size_t *size_bytes)
{
    pieces *p = context;
    const int64_t left = p->most - p->given, count = left < PIECE ? left : PIECE;
    *piece = p->all + p->given * RECORD_BYTES;
    *size_bytes = (size_t)count * RECORD_BYTES;
    p->given += count;
}

static elm_checkpoint with_tail(pieces *p)
{
    for (size_t i = 0; i < sizeof p->all; i++)
        p->all[i] = (char)(i * 131 + i / 7);
    p->given = 0;
    p->most = RECORDS;
    return (elm_checkpoint){
        .job = "[run]\n", .step = 3, .ranks = 2, .tail = {RECORDS, RECORD_BYTES, next_piece, p, 0}};
}

static int64_t size_of(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_size;
}

static void tail_comes_back(void **state)
{
    (void)state;
    static pieces p;
    static char got[sizeof p.all];
    const elm_checkpoint made = with_tail(&p);
    const char *path = scratch_path("tail.h5");
    elm_checkpoint *read = NULL;
    elm_error err = {0};
    assert_int_equal(elm_checkpoint_write(path, &made, &err), 0);
    assert_int_equal(elm_checkpoint_read(path, &read, &err), 0);
    if (!read)
        return; /* never */
    assert_true(read->tail.records == RECORDS && read->tail.record_bytes == RECORD_BYTES);
    assert_int_equal(read->tail.offset, size_of(path) - (int64_t)sizeof got);
    for (size_t at = 0; at < sizeof got; at += 4999) {
        const size_t size = sizeof got - at < 4999 ? sizeof got - at : 4999;
        assert_int_equal(
            elm_checkpoint_read_tail(path, &read->tail, (int64_t)at, got + at, size, &err), 0);
    }
    assert_memory_equal(got, p.all, sizeof got);
    /* beyond the end */
    assert_int_equal(
        elm_checkpoint_read_tail(path, &read->tail, (int64_t)sizeof got - 5, got, 6, &err), -1);
    assert_int_equal(
        elm_checkpoint_read_tail(scratch_path("absent.h5"), &read->tail, 0, got, 6, &err), -1);
    elm_checkpoint_free(read);
    /* One byte of it, or of its length, is enough. */
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, -17, SEEK_END);
    fputc(p.all[sizeof p.all - 17] + 1, file);
    fclose(file);
    assert_int_equal(elm_checkpoint_verify(path, &err), -1);
    assert_non_null(strstr(err.text, "SHA-256 does not match"));
    assert_int_equal(truncate(path, size_of(path) - 1), 0);
    assert_int_equal(elm_checkpoint_verify(path, &err), -1);
    assert_non_null(strstr(err.text, "it holds"));
}

static void short_tail_leaves_nothing(void **state)
{
    (void)state;
    static pieces p;
    elm_checkpoint made = with_tail(&p);
    const char *path = scratch_path("short.h5");
    elm_error err = {0};
    p.most = RECORDS - 1;
    assert_int_equal(elm_checkpoint_write(path, &made, &err), -1);
    assert_non_null(strstr(err.text, "not the size it announced"));
    assert_int_equal(access(path, F_OK), -1);
}

/* The digest is right, the attributes are not. */
static void lies_are_refused(void **state)
{
    (void)state;
    static pieces p;
    const elm_checkpoint made = with_tail(&p);
    const struct {
        const char *name;
        int64_t value;
    } lies[] = {{"bank_records", INT64_C(1) << 60}, {"bank_records", -1},
                {"bank_records", 1000000},          {"bank_record_bytes", INT64_C(1) << 60},
                {"bank_record_bytes", 0},           {"bank_record_bytes", -37}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const char *path = scratch_path("lie.h5");
        elm_checkpoint *read = NULL;
        elm_error err = {0};
        assert_int_equal((p.given = 0, elm_checkpoint_write(path, &made, &err)), 0);
        const hid_t access_list = elm_h5_access(), file = H5Fopen(path, H5F_ACC_RDWR, access_list);
        const hid_t attribute = H5Aopen(file, lies[i].name, H5P_DEFAULT);
        assert_true(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &lies[i].value) >= 0);
        H5Aclose(attribute);
        H5Fclose(file);
        H5Pclose(access_list);
        const int64_t size = size_of(path);
        char *bytes = malloc((size_t)size);
        FILE *stream = fopen(path, "r+b");
        if (!bytes || !stream)
            fail();
        assert_int_equal(fread(bytes, 1, (size_t)size, stream), size);
        assert_int_equal(
            elm_digest_block(bytes + ELM_USER_BLOCK, (size_t)size - ELM_USER_BLOCK, bytes, &err),
            0);
        rewind(stream);
        assert_int_equal(fwrite(bytes, 1, (size_t)size, stream), size);
        fclose(stream);
        free(bytes);
        assert_int_equal(elm_checkpoint_read(path, &read, &err), -1);
        assert_non_null(strstr(err.text, "bank_records"));
        assert_null(read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tail_comes_back),
        cmocka_unit_test(short_tail_leaves_nothing),
        cmocka_unit_test(lies_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
