#include "checkpoint/safetensors/safetensors_header.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "elmpi/memory.h"

enum { TENSORS_MAX = 1 << 20, DEPTH_TOP = 1, DEPTH_TENSOR = 2 };

static const struct {
    const char *name;
    int bytes;
    elm_stored_type type;
} types[] = {
    {"F32", 4, ELM_STORED_F32},       {"F16", 2, ELM_STORED_F16},
    {"BF16", 2, ELM_STORED_BF16},     {"F64", 8, ELM_STORED_OTHER},
    {"I64", 8, ELM_STORED_OTHER},     {"I32", 4, ELM_STORED_OTHER},
    {"I16", 2, ELM_STORED_OTHER},     {"I8", 1, ELM_STORED_OTHER},
    {"U64", 8, ELM_STORED_OTHER},     {"U32", 4, ELM_STORED_OTHER},
    {"U16", 2, ELM_STORED_OTHER},     {"U8", 1, ELM_STORED_OTHER},
    {"BOOL", 1, ELM_STORED_OTHER},    {"F8_E4M3", 1, ELM_STORED_OTHER},
    {"F8_E5M2", 1, ELM_STORED_OTHER},
};
enum { TYPES = sizeof types / sizeof *types };

typedef enum field { FIELD_NONE, FIELD_TYPE, FIELD_SHAPE, FIELD_PLACE, FIELDS } field;
static const char *const field_names[FIELDS] = {
    [FIELD_TYPE] = "dtype", [FIELD_SHAPE] = "shape", [FIELD_PLACE] = "data_offsets"};

/* The parser's place in the header. */
typedef struct reader {
    elm_stored_header *header;
    const char *path;
    elm_error *err;
    elm_stored_tensor tensor; /* under way */
    int depth;
    bool in_metadata, had_metadata, in_list, finished;
    field field;
    bool seen[FIELDS];
    int places; /* of data_offsets */
} reader;

/* 0: yajl is to stop. */
static int refuse(const reader *r, const char *what)
{
    elm_error_set(r->err, ELM_EXIT_FAILURE,
                  "not a sound safetensors file (%s): %s%s%s: download or export it again", r->path,
                  what, *r->tensor.name ? ": tensor " : "", r->tensor.name);
    return 0;
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
    reader *r = context;
    if (r->depth == DEPTH_TOP) {
        r->in_metadata =
            length == strlen("__metadata__") && memcmp(text, "__metadata__", length) == 0;
        r->tensor = (elm_stored_tensor){.count = 1};
        memset(r->seen, 0, sizeof r->seen);
        r->places = 0;
        if (r->in_metadata && r->had_metadata)
            return refuse(r, "its metadata come twice");
        r->had_metadata |= r->in_metadata;
        if (length == 0 || length >= ELM_STORED_NAME || memchr(text, 0, length) != NULL)
            return refuse(r, "a name is empty or too long");
        if (!r->in_metadata)
            memcpy(r->tensor.name, text, length);
        return 1;
    }
    if (r->in_metadata)
        return 1;
    for (r->field = FIELD_TYPE; r->field < FIELDS; r->field++)
        if (length == strlen(field_names[r->field]) &&
            memcmp(text, field_names[r->field], length) == 0)
            break;
    if (r->field == FIELDS)
        return refuse(r, "an unknown entry");
    if (r->seen[r->field])
        return refuse(r, "an entry comes twice");
    r->seen[r->field] = true;
    return 1;
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
    reader *r = context;
    if (r->in_metadata && r->depth == DEPTH_TENSOR)
        return 1;
    if (r->depth != DEPTH_TENSOR || r->field != FIELD_TYPE || r->in_list)
        return refuse(r, "a text where none belongs");
    if (length >= sizeof r->tensor.type_name || memchr(text, 0, length) != NULL)
        return refuse(r, "an unknown dtype");
    memcpy(r->tensor.type_name, text, length);
    return 1;
}

static int on_integer(void *context, long long value)
{
    reader *r = context;
    elm_stored_tensor *tensor = &r->tensor;
    if (!r->in_list || value < 0)
        return refuse(r, "a number where none belongs, or below 0");
    if (r->field == FIELD_PLACE) {
        if (r->places == 2)
            return refuse(r, "data_offsets are not two numbers");
        *(r->places++ == 0 ? &tensor->begin : &tensor->end) = (uint64_t)value;
        return 1;
    }
    if (tensor->dimensions == ELM_STORED_DIMENSIONS)
        return refuse(r, "too many dimensions");
    tensor->shape[tensor->dimensions++] = value;
    return !__builtin_mul_overflow(tensor->count, (int64_t)value, &tensor->count)
               ? 1
               : refuse(r, "its shape is too large");
}

static int on_list(void *context)
{
    reader *r = context;
    if (r->in_list || r->in_metadata || r->depth != DEPTH_TENSOR ||
        (r->field != FIELD_SHAPE && r->field != FIELD_PLACE))
        return refuse(r, "a list where none belongs");
    r->in_list = true;
    return 1;
}

static int on_list_end(void *context)
{
    reader *r = context;
    r->in_list = false;
    r->field = FIELD_NONE;
    return 1;
}

static int on_map(void *context)
{
    reader *r = context;
    if (r->in_list || r->depth >= DEPTH_TENSOR || r->finished)
        return refuse(r, "an object where none belongs");
    r->depth++;
    r->field = FIELD_NONE;
    return 1;
}

/* Its type is known, and its bytes are as many as its shape needs. */
static int check_tensor(reader *r)
{
    elm_stored_tensor *tensor = &r->tensor;
    if (!r->seen[FIELD_TYPE] || !r->seen[FIELD_SHAPE] || r->places != 2)
        return refuse(r, "dtype, shape or data_offsets are missing");
    int type = 0;
    while (type < TYPES && strcmp(types[type].name, tensor->type_name) != 0)
        type++;
    if (type == TYPES)
        return refuse(r, "an unknown dtype");
    tensor->type = types[type].type;
    int64_t size_bytes;
    if (tensor->begin > tensor->end ||
        __builtin_mul_overflow(tensor->count, (int64_t)types[type].bytes, &size_bytes) ||
        tensor->end - tensor->begin != (uint64_t)size_bytes)
        return refuse(r, "shape and data_offsets disagree");
    return 1;
}

static int keep_tensor(reader *r)
{
    elm_stored_header *h = r->header;
    if (h->count == TENSORS_MAX)
        return refuse(r, "too many tensors");
    if (h->count == h->capacity) {
        const int capacity = h->capacity > 0 ? 2 * h->capacity : 256;
        elm_stored_tensor *larger = elm_alloc((size_t)capacity, sizeof *larger, r->err);
        if (larger == NULL)
            return 0;
        if (h->count > 0)
            memcpy(larger, h->tensors, (size_t)h->count * sizeof *larger);
        elm_free(h->tensors);
        h->tensors = larger;
        h->capacity = capacity;
    }
    h->tensors[h->count++] = r->tensor;
    return 1;
}

static int on_map_end(void *context)
{
    reader *r = context;
    r->finished |= r->depth == DEPTH_TOP;
    if (r->depth-- != DEPTH_TENSOR || r->in_metadata) {
        r->in_metadata = false;
        return 1;
    }
    return check_tensor(r) && keep_tensor(r);
}

static int on_null(void *context)
{
    return refuse(context, "null where a value belongs");
}

static int on_boolean(void *context, int value)
{
    (void)value;
    return refuse(context, "true or false where a value belongs");
}

static int on_double(void *context, double value)
{
    (void)value;
    return refuse(context, "a number that is no integer");
}

static int by_place(const void *a, const void *b)
{
    const elm_stored_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_names(reader *r)
{
    const elm_stored_header *h = r->header;
    const char **names = elm_alloc((size_t)h->count, sizeof *names, r->err);
    if (names == NULL)
        return 0;
    for (int t = 0; t < h->count; t++)
        names[t] = h->tensors[t].name;
    qsort(names, (size_t)h->count, sizeof *names, by_name);
    int sound = 1;
    for (int t = 1; sound && t < h->count; t++)
        if (strcmp(names[t - 1], names[t]) == 0) {
            snprintf(r->tensor.name, sizeof r->tensor.name, "%s", names[t]);
            sound = refuse(r, "a tensor comes twice");
        }
    elm_free(names);
    return sound;
}

static int check_places(reader *r, uint64_t data_bytes)
{
    elm_stored_header *h = r->header;
    if (h->count > 1)
        qsort(h->tensors, (size_t)h->count, sizeof *h->tensors, by_place);
    uint64_t covered = 0;
    for (int t = 0; t < h->count; t++) {
        r->tensor = h->tensors[t];
        if (r->tensor.begin != covered)
            return refuse(r, r->tensor.begin < covered ? "bytes that belong to two tensors"
                                                       : "bytes that belong to no tensor");
        covered = r->tensor.end;
        if (covered > data_bytes)
            return refuse(r, "the file ends before its tensors do");
    }
    r->tensor.name[0] = '\0';
    return covered == data_bytes ? 1 : refuse(r, "bytes behind the last tensor");
}

int elm_stored_header_parse(elm_stored_header *header, const unsigned char *text, size_t length,
                            uint64_t data_bytes, const char *path, elm_error *err)
{
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_integer = on_integer,
        .yajl_double = on_double,
        .yajl_string = on_string,
        .yajl_start_map = on_map,
        .yajl_map_key = on_key,
        .yajl_end_map = on_map_end,
        .yajl_start_array = on_list,
        .yajl_end_array = on_list_end,
    };
    *header = (elm_stored_header){0};
    reader r = {.header = header, .path = path, .err = err};
    yajl_handle parser = yajl_alloc(&callbacks, NULL, &r);
    if (parser == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "out of memory (%s): use a machine with more",
                             path);
    yajl_status status = yajl_parse(parser, text, length);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(parser);
    yajl_free(parser);
    if (status == yajl_status_error || (status == yajl_status_ok && !r.finished)) {
        r.tensor.name[0] = '\0';
        refuse(&r, "its header is no JSON object");
    }
    return status == yajl_status_ok && r.finished && check_names(&r) && check_places(&r, data_bytes)
               ? 0
               : -1;
}

void elm_stored_header_free(elm_stored_header *header)
{
    elm_free(header->tensors);
    *header = (elm_stored_header){0};
}
