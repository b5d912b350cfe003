/* Hash: FNV-1a of bytes. Files, folders and random streams are named by it: it stays as it is. */
#ifndef ELMPI_BASE_HASH_H
#define ELMPI_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/** The hash of no bytes. */
#define ELM_HASH_32 UINT32_C(2166136261)
#define ELM_HASH_64 UINT64_C(14695981039346656037)

/** The hash of what has the hash `before`, and of these bytes behind it.
 *  Math:   for each byte b: h = (h xor b) prime mod 2^32 or 2^64 (Fowler, Noll, Vo) */
uint32_t elm_hash_32(uint32_t before, const void *bytes, size_t size_bytes);
uint64_t elm_hash_64(uint64_t before, const void *bytes, size_t size_bytes);

/** That of a text, without the zero byte at its end. */
uint32_t elm_hash_text_32(const char *text);
uint64_t elm_hash_text_64(const char *text);

#endif
