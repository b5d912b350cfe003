#include "base/file/bytes.h"

#include <stdint.h>
#include <string.h>

#include "elmpi/memory.h"

/* Room for `more` bytes behind the last. */
static bool reserve(elm_bytes *bytes, size_t more)
{
    if (bytes->failed || more <= bytes->capacity - bytes->size)
        return !bytes->failed;
    const size_t needed = bytes->size + more;
    size_t capacity = bytes->capacity > 0 ? bytes->capacity : 4096;
    while (capacity < needed && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    unsigned char *data = needed < more || capacity < needed ? NULL : elm_alloc(capacity, 1, NULL);
    if (data == NULL) {
        bytes->failed = true;
        return false;
    }
    if (bytes->size > 0)
        memcpy(data, bytes->data, bytes->size);
    elm_free(bytes->data);
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

void elm_bytes_add(elm_bytes *bytes, const void *data, size_t size_bytes)
{
    elm_bytes_insert(bytes, bytes->size, data, size_bytes);
}

void elm_bytes_insert(elm_bytes *bytes, size_t place, const void *data, size_t size_bytes)
{
    if (size_bytes == 0 || !reserve(bytes, size_bytes))
        return;
    unsigned char *at = bytes->data + place;
    memmove(at + size_bytes, at, bytes->size - place);
    if (data != NULL)
        memcpy(at, data, size_bytes);
    else
        memset(at, 0, size_bytes);
    bytes->size += size_bytes;
}

void elm_bytes_free(elm_bytes *bytes)
{
    elm_free(bytes->data);
    *bytes = (elm_bytes){0};
}
