/* Image digest: what stands for an encoded image in a store's index. */
#ifndef ELMPI_STORE_IMAGE_DIGEST_H
#define ELMPI_STORE_IMAGE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/** 63 bits of the SHA-256 of an image's file, never 0. */
int64_t elm_image_digest(const void *bytes, size_t size_bytes);

#endif
