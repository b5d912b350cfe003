#include "checkpoint/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elmpi/memory.h"

enum { READ_BYTES = 1 << 20, SHA256_BYTES = 32 };

static const char family[] = "ELMPI checkpoint ";
enum { BLOCK_VERSION = 1, NUMBER_MAX = 9 }; /* digits of a version's number */

static void format_block(int version, uint64_t length, const unsigned char *sha256, char *block)
{
    memset(block, 0, ELM_USER_BLOCK);
    int used = snprintf(block, ELM_USER_BLOCK, "%s%d\nlength %llu\nsha256 ", family, version,
                        (unsigned long long)length);
    for (int i = 0; i < SHA256_BYTES; i++)
        used += snprintf(block + used, (size_t)(ELM_USER_BLOCK - used), "%02x", sha256[i]);
    block[used] = '\n';
}

struct elm_digest {
    EVP_MD_CTX *context;
    uint64_t length;
};

elm_digest *elm_digest_begin(elm_error *err)
{
    elm_digest *digest = elm_alloc(1, sizeof *digest, err);
    if (!digest)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    if (digest->context && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL))
        return digest;
    elm_error_set(err, ELM_EXIT_FAILURE,
                  "SHA-256 is not available (libcrypto): check the OpenSSL installation");
    EVP_MD_CTX_free(digest->context);
    elm_free(digest);
    return NULL;
}

void elm_digest_add(elm_digest *digest, const void *bytes, size_t size_bytes)
{
    EVP_DigestUpdate(digest->context, bytes, size_bytes);
    digest->length += size_bytes;
}

void elm_digest_end(elm_digest *digest, char *block)
{
    unsigned char sha256[SHA256_BYTES];
    EVP_DigestFinal_ex(digest->context, sha256, NULL);
    format_block(BLOCK_VERSION, digest->length, sha256, block);
    EVP_MD_CTX_free(digest->context);
    elm_free(digest);
}

int elm_digest_block(const void *bytes, size_t size_bytes, char *block, elm_error *err)
{
    elm_digest *digest = elm_digest_begin(err);
    if (!digest)
        return -1;
    elm_digest_add(digest, bytes, size_bytes);
    elm_digest_end(digest, block);
    return 0;
}

/* Fills the buffer as far as the file goes. Returns the bytes read, -1 on failure. */
static ssize_t read_full(int fd, void *buffer, size_t size_bytes)
{
    size_t done = 0;
    while (done < size_bytes) {
        const ssize_t got = read(fd, (char *)buffer + done, size_bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (!got)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static int unreadable(const char *path, elm_error *err)
{
    return elm_error_set(
        err, ELM_EXIT_FAILURE, "cannot read the checkpoint (%s): %s: %s", path, strerror(errno),
        errno == ENOENT
            ? "check the path; that of an earlier stage (run.init) comes from that stage's job"
            : "see to it, then try again");
}

/* SHA-256 of the rest of the file; *length receives its bytes. */
static int digest_rest(int fd, const char *path, elm_watchdog *watch, unsigned char *sha256,
                       uint64_t *length, elm_error *err)
{
    unsigned char *buffer = elm_alloc(READ_BYTES, 1, err);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int status = -1;
    *length = 0;
    if (buffer && (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL)))
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "SHA-256 is not available (libcrypto): check the OpenSSL installation");
    else if (buffer) {
        ssize_t got;
        while ((got = read_full(fd, buffer, READ_BYTES)) > 0) {
            EVP_DigestUpdate(context, buffer, (size_t)got);
            elm_watchdog_heartbeat(watch);
            *length += (uint64_t)got;
        }
        status = got < 0 ? unreadable(path, err) : 0;
        EVP_DigestFinal_ex(context, sha256, NULL);
    }
    EVP_MD_CTX_free(context);
    elm_free(buffer);
    return status;
}

/* The number after the family's name, -1 where there is none. */
static int version_of(const char *block)
{
    const char *number = block + strlen(family);
    const size_t digits = strspn(number, "0123456789");
    return digits > 0 && digits <= NUMBER_MAX && number[digits] == '\n' && number[0] != '0'
               ? atoi(number)
               : -1;
}

/* What the block says against what the file is. Every version has a block of this form, so that
 * a whole file of another one can be told from a damaged one. */
static int compare(const char *path, const char *block, uint64_t length,
                   const unsigned char *sha256, bool *damaged, elm_error *err)
{
    char right[ELM_USER_BLOCK];
    const int version = version_of(block);
    format_block(version, length, sha256, right);
    *damaged = version < 0 || memcmp(block, right, ELM_USER_BLOCK) != 0;
    if (version != BLOCK_VERSION)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "not the checkpoint format of this elmpi, %d (%s): read it with the "
                             "version that wrote it",
                             BLOCK_VERSION, path);
    if (!*damaged)
        return 0;
    unsigned long long promised;
    char line_end;
    if (sscanf(strchr(block, '\n'), "\nlength %llu%c", &promised, &line_end) == 2 &&
        line_end == '\n' && promised != length)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "damaged checkpoint (%s): it holds %llu of %llu bytes; use an older checkpoint", path,
            (unsigned long long)length, promised);
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "damaged checkpoint (%s): its SHA-256 does not match; use an older checkpoint", path);
}

static int check_open(int fd, const char *path, elm_watchdog *watch, bool *damaged, elm_error *err)
{
    struct stat about;
    if (fstat(fd, &about))
        return unreadable(path, err);
    if (!S_ISREG(about.st_mode))
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "not a file (%s): give a checkpoint, such as runs/<name>/checkpoint.h5", path);
    char block[ELM_USER_BLOCK + 1] = "";
    const ssize_t got = read_full(fd, block, ELM_USER_BLOCK);
    if (got < 0)
        return unreadable(path, err);
    if (strncmp(block, family, strlen(family))) {
        *damaged = true;
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "no elmpi checkpoint (%s): give a file that elmpi-train wrote", path);
    }
    if (got < ELM_USER_BLOCK) {
        *damaged = true;
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "damaged checkpoint (%s): it ends after %lld bytes; use an older checkpoint", path,
            (long long)got);
    }
    unsigned char sha256[SHA256_BYTES];
    uint64_t length;
    return digest_rest(fd, path, watch, sha256, &length, err)
               ? -1
               : compare(path, block, length, sha256, damaged, err);
}

int elm_digest_check(const char *path, elm_watchdog *watch, bool *damaged, elm_error *err)
{
    *damaged = false;
    /* a named pipe must not stop us */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return unreadable(path, err);
    const int status = check_open(fd, path, watch, damaged, err);
    close(fd);
    return status;
}
