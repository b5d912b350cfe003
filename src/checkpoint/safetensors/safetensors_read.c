/* Reading: the header is checked as a whole before the first tensor is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/safetensors/safetensors.h"
#include "checkpoint/safetensors/safetensors_header.h"
#include "elmpi/memory.h"

enum { LENGTH_BYTES = 8, HEADER_MAX = 100000000 /* the format's limit */ };

bool elm_safetensors_is_named(const char *path)
{
    static const char suffix[] = ".safetensors";
    const size_t length = strlen(path);
    return length >= sizeof suffix && strcasecmp(path + length - (sizeof suffix - 1), suffix) == 0;
}

int elm_safetensors_check_other(const char *path, elm_error *err)
{
    static const char *const suffixes[] = {".pth", ".pt", ".bin", ".ckpt", ".pkl"};
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const size_t end = strlen(suffixes[i]);
        if (length > end && strcasecmp(path + length - end, suffixes[i]) == 0)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "a PyTorch file, which may run any program when it is read (%s): "
                                 "elmpi reads safetensors; in Python: "
                                 "from safetensors.torch import save_file; "
                                 "save_file(torch.load(\"%.100s\", weights_only=True), "
                                 "\"model.safetensors\")",
                                 path, path);
    }
    return 0;
}

static int cannot_read(const char *path, const char *why, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "cannot read %s (%s): check the path and its permissions", path, why);
}

static int read_at(int fd, void *data, uint64_t size_bytes, uint64_t place, const char *path,
                   elm_error *err)
{
    for (char *at = data; size_bytes > 0;) {
        const ssize_t done = pread(fd, at, size_bytes, (off_t)place);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return cannot_read(path, done < 0 ? strerror(errno) : "it ends too early", err);
        at += done;
        place += (uint64_t)done;
        size_bytes -= (uint64_t)done;
    }
    return 0;
}

/* IEEE 754 binary16: 5 bits of exponent, 10 of fraction. */
static float from_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
                   fraction = half & 1023;
    uint32_t bits;
    if (exponent == 0) { /* 0 or subnormal: fraction times 2^-24, exact in float */
        const float value = (float)fraction * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The upper half of a float. */
static float from_bfloat(uint16_t upper)
{
    const uint32_t bits = (uint32_t)upper << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 2-byte numbers lie in the second half of the block that they fill as floats: going forwards,
 * none is overwritten before it is read. */
static void widen(float *values, int64_t count, elm_stored_type type)
{
    const char *narrow = (const char *)values + (size_t)count * 2;
    for (int64_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, narrow + 2 * i, sizeof bits);
        values[i] = type == ELM_STORED_F16 ? from_half(bits) : from_bfloat(bits);
    }
}

static bool is_counter(const elm_stored_tensor *stored)
{
    static const char suffix[] = ".num_batches_tracked";
    const size_t length = strlen(stored->name);
    return length >= sizeof suffix &&
           strcmp(stored->name + length - (sizeof suffix - 1), suffix) == 0;
}

static int take_tensor(int fd, const elm_stored_tensor *stored, uint64_t data_place,
                       elm_tensor *tensor, const char *path, elm_error *err)
{
    if (stored->type == ELM_STORED_OTHER)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "weights of type %s cannot be used (%s, tensor %s): save them as F32, F16 or BF16",
            stored->type_name, path, stored->name);
    if (stored->dimensions > ELM_RANK_MAX || snprintf(tensor->name, sizeof tensor->name, "model/%s",
                                                      stored->name) >= (int)sizeof tensor->name)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "no model of elmpi has such a weight (%s, tensor %s, %d dimensions): omit it", path,
            stored->name, stored->dimensions);
    tensor->dimensions = stored->dimensions;
    memcpy(tensor->shape, stored->shape, sizeof tensor->shape);
    tensor->count = stored->count;
    tensor->data = elm_alloc((size_t)stored->count, sizeof *tensor->data, err);
    if (tensor->data == NULL)
        return -1;
    const bool narrow = stored->type != ELM_STORED_F32;
    void *to = narrow ? (char *)tensor->data + (size_t)stored->count * 2 : (char *)tensor->data;
    if (read_at(fd, to, stored->end - stored->begin, data_place + stored->begin, path, err) != 0)
        return -1;
    if (narrow)
        widen(tensor->data, stored->count, stored->type);
    return 0;
}

static int take_tensors(int fd, const elm_stored_header *header, uint64_t data_place,
                        elm_checkpoint *made, const char *path, elm_error *err)
{
    made->tensors = elm_alloc((size_t)header->count, sizeof *made->tensors, err);
    if (made->tensors == NULL)
        return -1;
    for (int t = 0; t < header->count; t++)
        if (!is_counter(&header->tensors[t]) &&
            take_tensor(fd, &header->tensors[t], data_place, &made->tensors[made->tensor_count++],
                        path, err) != 0)
            return -1;
    return 0;
}

/* What wrappers of PyTorch's put before every name: DataParallel and DistributedDataParallel,
 * torch.compile. */
static void drop_wrapper(elm_checkpoint *made)
{
    static const char *const wrappers[] = {"model/module.", "model/_orig_mod."};
    for (size_t w = 0; w < sizeof wrappers / sizeof *wrappers;) {
        const size_t length = strlen(wrappers[w]), kept = strlen("model/");
        bool all = made->tensor_count > 0;
        for (int t = 0; t < made->tensor_count; t++)
            all &= strncmp(made->tensors[t].name, wrappers[w], length) == 0 &&
                   made->tensors[t].name[length] != 0;
        for (int t = 0; all && t < made->tensor_count; t++)
            memmove(made->tensors[t].name + kept, made->tensors[t].name + length,
                    strlen(made->tensors[t].name + length) + 1);
        w = all ? 0 : w + 1; /* one may be inside the other */
    }
}

static int read_file(int fd, const char *path, elm_checkpoint *made, elm_error *err)
{
    struct stat about;
    unsigned char code[LENGTH_BYTES];
    if (fstat(fd, &about) != 0)
        return cannot_read(path, strerror(errno), err);
    if (!S_ISREG(about.st_mode) || about.st_size < LENGTH_BYTES)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "not a sound safetensors file (%s): too short: download or export it again", path);
    if (read_at(fd, code, sizeof code, 0, path, err) != 0)
        return -1;
    uint64_t length = 0;
    for (int i = 0; i < LENGTH_BYTES; i++)
        length |= (uint64_t)code[i] << 8 * i;
    const uint64_t behind = (uint64_t)about.st_size - LENGTH_BYTES;
    if (length > HEADER_MAX || length > behind)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "not a sound safetensors file (%s): a header of %" PRIu64
                             " bytes: download or export it again",
                             path, length);
    unsigned char *text = elm_alloc(length, 1, err);
    elm_stored_header header = {0};
    int status = text == NULL ? -1 : read_at(fd, text, length, LENGTH_BYTES, path, err);
    if (status == 0)
        status = elm_stored_header_parse(&header, text, length, behind - length, path, err);
    if (status == 0)
        status = take_tensors(fd, &header, LENGTH_BYTES + length, made, path, err);
    if (status == 0)
        drop_wrapper(made);
    elm_stored_header_free(&header);
    elm_free(text);
    return status;
}

int elm_safetensors_read(const char *path, elm_checkpoint **checkpoint, elm_error *err)
{
    *checkpoint = NULL;
    /* a named pipe must not stop us */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return cannot_read(path, strerror(errno), err);
    elm_checkpoint *made = elm_alloc(1, sizeof *made, err);
    const int status = made == NULL ? -1 : read_file(fd, path, made, err);
    close(fd);
    if (status != 0) {
        elm_checkpoint_free(made);
        return -1;
    }
    *checkpoint = made;
    return 0;
}
