#include "checkpoint/safetensors/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_gen.h>

/* The header under way, and where the next tensor's bytes will be. */
typedef struct header {
    yajl_gen gen;
    uint64_t place;
    bool refused; /* a text was no UTF-8, or memory ran out */
} header;

static void put_text(header *h, const char *text)
{
    h->refused |=
        yajl_gen_string(h->gen, (const unsigned char *)text, strlen(text)) != yajl_gen_status_ok;
}

static void put_tensor(header *h, const char *name, const char *type, int dimensions,
                       const int64_t *shape, uint64_t size_bytes)
{
    put_text(h, name);
    yajl_gen_map_open(h->gen);
    put_text(h, "dtype");
    put_text(h, type);
    put_text(h, "shape");
    yajl_gen_array_open(h->gen);
    for (int d = 0; d < dimensions; d++)
        yajl_gen_integer(h->gen, shape[d]);
    yajl_gen_array_close(h->gen);
    put_text(h, "data_offsets");
    yajl_gen_array_open(h->gen);
    yajl_gen_integer(h->gen, (long long)h->place);
    h->place += size_bytes;
    yajl_gen_integer(h->gen, (long long)h->place);
    yajl_gen_array_close(h->gen);
    yajl_gen_map_close(h->gen);
}

/* The stem of <stem>.running_mean in `name`; 0 where the tensor is another. */
static int norm_stem(const elm_tensor *tensor)
{
    static const char suffix[] = ".running_mean";
    const size_t length = strlen(tensor->name);
    return length >= sizeof suffix &&
                   strcmp(tensor->name + length - (sizeof suffix - 1), suffix) == 0
               ? (int)(length - (sizeof suffix - 1))
               : 0;
}

/* Counters first: 8 bytes each, they leave the floats behind them aligned. */
static void put_header(header *h, const elm_tensor *tensors, int count,
                       const elm_metadata *metadata)
{
    yajl_gen_map_open(h->gen);
    put_text(h, "__metadata__");
    yajl_gen_map_open(h->gen);
    for (const elm_metadata *m = metadata; m->key != NULL; m++) {
        put_text(h, m->key);
        put_text(h, m->value);
    }
    yajl_gen_map_close(h->gen);
    for (int t = 0; t < count; t++) {
        const int stem = norm_stem(&tensors[t]);
        char name[ELM_NAME_SIZE + 32];
        snprintf(name, sizeof name, "%.*s.num_batches_tracked", stem, tensors[t].name);
        if (stem > 0)
            put_tensor(h, name, "I64", 0, NULL, sizeof(int64_t));
    }
    for (int t = 0; t < count; t++)
        put_tensor(h, tensors[t].name, "F32", tensors[t].dimensions, tensors[t].shape,
                   (uint64_t)tensors[t].count * sizeof(float));
    yajl_gen_map_close(h->gen);
}

/* Length, header, and spaces so that the tensors begin at a multiple of 8. */
static void add_header(elm_bytes *file, const unsigned char *text, size_t length)
{
    const size_t padded = (length + 7) / 8 * 8;
    unsigned char code[8];
    for (int i = 0; i < 8; i++)
        code[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    elm_bytes_add(file, code, sizeof code);
    elm_bytes_add(file, text, length);
    elm_bytes_add(file, "       ", padded - length);
}

int elm_safetensors_build(const elm_tensor *tensors, int count, int64_t batches,
                          const elm_metadata *metadata, elm_bytes *file, elm_error *err)
{
    header h = {.gen = yajl_gen_alloc(NULL)};
    const unsigned char *text = NULL;
    size_t length = 0;
    if (h.gen == NULL)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "out of memory (header of a safetensors file): use a machine with more");
    yajl_gen_config(h.gen, yajl_gen_validate_utf8, 1);
    put_header(&h, tensors, count, metadata);
    const bool complete =
        !h.refused && yajl_gen_get_buf(h.gen, &text, &length) == yajl_gen_status_ok;
    if (complete)
        add_header(file, text, length);
    yajl_gen_free(h.gen);
    if (!complete)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "a name of the model, the data set or its classes is no UTF-8 "
                             "(safetensors): rename it");
    for (int t = 0; t < count; t++)
        if (norm_stem(&tensors[t]) > 0)
            elm_bytes_add(file, &batches, sizeof batches);
    for (int t = 0; t < count; t++)
        elm_bytes_add(file, tensors[t].data, (size_t)tensors[t].count * sizeof(float));
    return file->failed
               ? elm_error_set(
                     err, ELM_EXIT_FAILURE,
                     "out of memory (weights of a safetensors file): use a machine with more")
               : 0;
}
