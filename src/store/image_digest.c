#include "store/image_digest.h"

#include <openssl/evp.h>
#include <string.h>

enum { SHA256_BYTES = 32 };

int64_t elm_image_digest(const void *bytes, size_t size_bytes)
{
    unsigned char sha256[SHA256_BYTES] = {0};
    int64_t digest;
    EVP_Digest(bytes, size_bytes, sha256, NULL, EVP_sha256(), NULL);
    memcpy(&digest, sha256, sizeof digest);
    digest &= INT64_MAX;
    return digest != 0 ? digest : 1;
}
