/* Safetensors: what is written, byte by byte; what is read, from files put together here; and
 * every way in which a header can lie. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file/io.h"
#include "checkpoint/safetensors/safetensors.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "unit/scratch.h"

/* A file with this header, whose length may be a lie, and these bytes behind it. */
static const char *file_of(const char *header, uint64_t length, const void *data, size_t size_bytes)
{
    const char *path = scratch_path("made.safetensors");
    unsigned char code[8];
    for (int i = 0; i < 8; i++)
        code[i] = (unsigned char)(length >> 8 * i);
    elm_bytes file = {0};
    elm_bytes_add(&file, code, sizeof code);
    elm_bytes_add(&file, header, strlen(header));
    elm_bytes_add(&file, data, size_bytes);
    assert_false(file.failed);
    assert_int_equal(elm_output_write_file(path, file.data, file.size, NULL), 0);
    elm_bytes_free(&file);
    return path;
}

static void writes_the_format(void **state)
{
    (void)state;
    float weight[] = {1, 2, 3, 4, 5, 6}, mean[] = {0.5f};
    const elm_tensor tensors[] = {
        {.name = "fc.weight", .dimensions = 2, .shape = {3, 2}, .count = 6, .data = weight},
        {.name = "bn1.running_mean", .dimensions = 1, .shape = {1}, .count = 1, .data = mean},
    };
    const elm_metadata metadata[] = {{"format", "pt"}, {"classes", "[\"a\"]"}, {NULL, NULL}};
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"classes\":\"[\\\"a\\\"]\"},"
        "\"bn1.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[8,32]},"
        "\"bn1.running_mean\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[32,36]}}";
    const size_t padded = (sizeof header - 1 + 7) / 8 * 8;
    const int64_t batches = 42;
    elm_bytes file = {0};
    assert_int_equal(elm_safetensors_build(tensors, 2, batches, metadata, &file, NULL), 0);
    assert_int_equal(file.size, 8 + padded + 8 + sizeof weight + sizeof mean);
    assert_int_equal(file.data[0] | file.data[1] << 8, padded);
    assert_memory_equal(file.data + 2, "\0\0\0\0\0\0", 6);
    assert_memory_equal(file.data + 8, header, sizeof header - 1);
    for (size_t i = sizeof header - 1; i < padded; i++)
        assert_int_equal(file.data[8 + i], ' ');
    const unsigned char *data = file.data + 8 + padded;
    assert_memory_equal(data, &batches, 8);
    assert_memory_equal(data + 8, weight, sizeof weight);
    assert_memory_equal(data + 8 + sizeof weight, mean, sizeof mean);

    /* And it reads back, without the counter. */
    const char *path = scratch_path("back.safetensors");
    assert_int_equal(elm_output_write_file(path, file.data, file.size, NULL), 0);
    elm_bytes_free(&file);
    elm_checkpoint *read = NULL;
    elm_error err = {0};
    if (elm_safetensors_read(path, &read, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(read->tensor_count, 2);
    assert_string_equal(read->tensors[0].name, "model/fc.weight");
    assert_int_equal(read->tensors[0].shape[0], 3);
    assert_memory_equal(read->tensors[0].data, weight, sizeof weight);
    elm_checkpoint_free(read);
}

static void refuses_metadata_that_is_no_utf8(void **state)
{
    (void)state;
    const elm_metadata metadata[] = {{"classes", "\xff\xfe"}, {NULL, NULL}};
    elm_bytes file = {0};
    elm_error err = {0};
    assert_int_equal(elm_safetensors_build(NULL, 0, 0, metadata, &file, &err), -1);
    assert_non_null(strstr(err.text, "UTF-8"));
    elm_bytes_free(&file);
}

/* Numbers whose halves are known by their definition. */
static void widens_halves(void **state)
{
    (void)state;
    static const uint16_t halves[] = {0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001,
                                      0x03ff, 0x0400, 0x7c00, 0xfc00, 0x3555, 0x7e00};
    static const float expected[] = {
        0,         -0.0f,           1,  -2, 65504, 0x1p-24f, 1023 * 0x1p-24f, 0x1p-14f, INFINITY,
        -INFINITY, 0.333251953125f, NAN};
    static const uint16_t brains[] = {0x0000, 0x3f80, 0xc040, 0x7f80, 0x0001, 0x3eab};
    static const float meant[] = {0, 1, -3, INFINITY, 0x1p-133f, 0.333984375f};
    unsigned char data[sizeof halves + sizeof brains];
    memcpy(data, halves, sizeof halves);
    memcpy(data + sizeof halves, brains, sizeof brains);
    static const char header[] =
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[3,4],\"data_offsets\":[0,24]},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[6],\"data_offsets\":[24,36]}}";
    elm_checkpoint *read = NULL;
    elm_error err = {0};
    if (elm_safetensors_read(file_of(header, sizeof header - 1, data, sizeof data), &read, &err) !=
        0)
        fail_msg("%s", err.text);
    for (int i = 0; i < 11; i++)
        assert_memory_equal(&read->tensors[0].data[i], &expected[i], sizeof(float));
    assert_true(isnan(read->tensors[0].data[11]));
    assert_memory_equal(read->tensors[1].data, meant, sizeof meant);
    elm_checkpoint_free(read);
}

#define TENSOR(name, shape, places)                                                                \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" places "}"

/* Each lie with the word that its error must hold; 16 bytes of data lie behind the header. */
static void refuses_what_lies(void **state)
{
    (void)state;
    static const struct {
        const char *header, *word;
    } lies[] = {
        {"", "JSON"},
        {"[]", "list"},
        {"{", "JSON"},
        {"{} {}", "object"},
        {"null", "null"},
        {"{}", "behind the last"},
        {"{\"a\":1}", "number"},
        {"{\"a\":[]}", "list"},
        {"{\"a\":{}}", "missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", "missing"},
        {"{\"a\":{\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,16]}}", "number"},
        {"{\"a\":{\"dtype\":\"Q4\",\"shape\":[4],\"data_offsets\":[0,16]}}", "unknown dtype"},
        {"{\"a\":{\"dtype\":\"F32\\u0000\",\"shape\":[4],\"data_offsets\":[0,16]}}",
         "unknown dtype"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", "type F64"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"more\":1}}",
         "unknown entry"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
         "twice"},
        {"{" TENSOR("a", "[4]", "[0]") "}", "missing"},
        {"{" TENSOR("a", "[4]", "[0,8,16]") "}", "two numbers"},
        {"{" TENSOR("a", "[4]", "[16,0]") "}", "disagree"},
        {"{" TENSOR("a", "[5]", "[0,16]") "}", "disagree"},
        {"{" TENSOR("a", "[4]", "[0,18446744073709551616]") "}", "JSON"},
        {"{" TENSOR("a", "[4]", "[-16,0]") "}", "below 0"},
        {"{" TENSOR("a", "[-4]", "[0,16]") "}", "below 0"},
        {"{" TENSOR("a", "[4.0]", "[0,16]") "}", "integer"},
        {"{" TENSOR("a", "[4294967296,4294967296]", "[0,16]") "}", "too large"},
        {"{" TENSOR("a", "[4611686018427387905]", "[0,4]") "}", "disagree"},
        {"{" TENSOR("a", "[1,1,1,1,1,1,1,1,4]", "[0,16]") "}", "dimensions"},
        {"{" TENSOR("a", "[1,1,1,1,4]", "[0,16]") "}", "5 dimensions"},
        {"{" TENSOR("a", "[[4]]", "[0,16]") "}", "list"},
        {"{" TENSOR("a", "[8]", "[0,32]") "}", "ends before"},
        {"{" TENSOR("a", "[2]", "[0,8]") "}", "behind the last"},
        {"{" TENSOR("a", "[2]", "[8,16]") "}", "no tensor"},
        {"{" TENSOR("a", "[2]", "[0,8]") "," TENSOR("b", "[3]", "[4,16]") "}", "two tensors"},
        {"{" TENSOR("a", "[1]", "[0,4]") "," TENSOR("b", "[2]", "[8,16]") "}", "no tensor"},
        {"{" TENSOR("a", "[2]", "[0,8]") "," TENSOR("a", "[2]", "[8,16]") "}", "comes twice"},
        {"{" TENSOR("", "[4]", "[0,16]") "}", "empty"},
        {"{" TENSOR("a\\u0000", "[4]", "[0,16]") "}", "too long"},
        {"{\"__metadata__\":{\"a\":1}," TENSOR("a", "[4]", "[0,16]") "}", "number"},
        {"{\"__metadata__\":{},\"__metadata__\":{}," TENSOR("a", "[4]", "[0,16]") "}", "twice"},
        {"{\"__metadata__\":{\"a\":{}}," TENSOR("a", "[4]", "[0,16]") "}", "object"},
        {"{\"__metadata__\":\"a\"," TENSOR("a", "[4]", "[0,16]") "}", "text"},
    };
    static const float data[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        elm_checkpoint *read = NULL;
        elm_error err = {0};
        const char *path = file_of(lies[i].header, strlen(lies[i].header), data, sizeof data);
        if (elm_safetensors_read(path, &read, &err) == 0)
            fail_msg("taken for sound: %s", lies[i].header);
        assert_null(read);
        if (strstr(err.text, lies[i].word) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", lies[i].header, err.text, lies[i].word);
        assert_non_null(strstr(err.text, "made.safetensors"));
        assert_int_equal(elm_alloc_live(), 0);
    }
}

static void refuses_lengths_that_lie(void **state)
{
    (void)state;
    static const char header[] = "{" TENSOR("a", "[4]", "[0,16]") "}";
    static const float data[4] = {1, 2, 3, 4};
    const uint64_t lengths[] = {
        0, 1, sizeof header, 1000, 100000001, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        elm_checkpoint *read = NULL;
        elm_error err = {0};
        assert_int_equal(
            elm_safetensors_read(file_of(header, lengths[i], data, sizeof data), &read, &err), -1);
        assert_int_equal(err.code, ELM_EXIT_FAILURE);
    }
    /* Every truncation. */
    const char *path = file_of(header, sizeof header - 1, data, sizeof data);
    for (int kept = 8 + (int)sizeof header - 1 + 15; kept >= 0; kept--) {
        elm_checkpoint *read = NULL;
        elm_error err = {0};
        assert_int_equal(truncate(path, kept), 0);
        assert_int_equal(elm_safetensors_read(path, &read, &err), -1);
    }
    elm_checkpoint *read = NULL;
    elm_error err = {0};
    assert_int_equal(elm_safetensors_read(scratch_path("missing.safetensors"), &read, &err), -1);
    assert_non_null(strstr(err.text, "missing.safetensors"));
    assert_int_equal(elm_safetensors_read("/", &read, &err), -1);
    assert_int_equal(elm_alloc_live(), 0);
}

static void knows_names(void **state)
{
    (void)state;
    assert_true(elm_safetensors_is_named("a/b.safetensors"));
    assert_false(elm_safetensors_is_named("a/b.h5"));
    assert_false(elm_safetensors_is_named(".safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_format),
        cmocka_unit_test(refuses_metadata_that_is_no_utf8),
        cmocka_unit_test(widens_halves),
        cmocka_unit_test(refuses_what_lies),
        cmocka_unit_test(refuses_lengths_that_lie),
        cmocka_unit_test(knows_names),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
