#include "base/hash.h"

#include <string.h>

uint32_t elm_hash_32(uint32_t before, const void *bytes, size_t size_bytes)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size_bytes; i++)
        before = (before ^ byte[i]) * UINT32_C(16777619);
    return before;
}

uint64_t elm_hash_64(uint64_t before, const void *bytes, size_t size_bytes)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size_bytes; i++)
        before = (before ^ byte[i]) * UINT64_C(1099511628211);
    return before;
}

uint32_t elm_hash_text_32(const char *text)
{
    return elm_hash_32(ELM_HASH_32, text, strlen(text));
}

uint64_t elm_hash_text_64(const char *text)
{
    return elm_hash_64(ELM_HASH_64, text, strlen(text));
}
