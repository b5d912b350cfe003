#define _GNU_SOURCE /* fopencookie */
#include "elmpi/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file/io.h"
#include "base/hash.h"
#include "base/process/process.h"
#include "elmpi/memory.h"

enum { LINKS_MAX = 40, SUFFIX_ROOM = 48, NAME_BYTES = 255 };

struct elm_output {
    char path[ELM_PATH_SIZE];   /* as the caller wrote it, for messages */
    char target[ELM_PATH_SIZE]; /* what is replaced, behind symbolic links */
    char part[ELM_PATH_SIZE];   /* what is written; empty: the path itself */
    int descriptor;
    FILE *stream; /* NULL until it is first used */
    bool failed;
    int cause; /* errno of the first failure, 0: not known */
};

static const struct {
    int cause;
    const char *reason, *advice;
} reasons[] = {
    {ENOSPC, "disk full (No space left on device)", "make room, or choose another place"},
    {EDQUOT, "disk quota reached", "make room, or choose another place"},
    {EFBIG, "file too large", "raise the limit (ulimit -f), or use another file system"},
    {EACCES, "no permission", "choose a folder that you may write to"},
    {EPERM, "no permission", "choose a folder that you may write to"},
    {EROFS, "read-only file system", "choose another folder"},
    {ENOENT, "No such file or directory", "make the folder, or choose another place"},
    {ENOTDIR, "part of the path is no folder", "choose another path"},
    {EISDIR, "it is a folder", "name a file in it"},
    {EPIPE, "its reader has gone (Broken pipe)", "let it read to the end, or write to a file"},
    {ENXIO, "no process reads it", "start its reader first, or write to a file"},
    {ELOOP, "its symbolic links go in a circle", "choose another path"},
    {ENAMETOOLONG, "the path is too long", "choose a shorter one"},
};

int elm_output_failed(const char *doing, const char *path, int cause, elm_error *err)
{
    const char *reason = cause ? strerror(cause) : "HDF5 failed",
               *advice = "check the path and the disk";
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].cause == cause) {
            reason = reasons[i].reason;
            advice = reasons[i].advice;
        }
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot %s (%s): %s: %s", doing, path, reason,
                         advice);
}

/* One of the names that stand for a descriptor of this process: its number, else -1. */
static int descriptor_named(const char *path)
{
    static const struct {
        const char *name;
        int descriptor;
    } names[] = {{"-", 1}, {"/dev/stdout", 1}, {"/dev/stderr", 2}};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(path, names[i].name))
            return names[i].descriptor;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (!strncmp(path, folders[i], strlen(folders[i]))) {
            char *end;
            const char *digits = path + strlen(folders[i]);
            const long number = strtol(digits, &end, 10);
            return end > digits && !*end && number >= 0 && number < 1 << 20 ? (int)number : -1;
        }
    return -1;
}

bool elm_output_is_stdout(const char *path)
{
    return path && descriptor_named(path) == 1;
}

/* Follows symbolic links to the name that a rename has to replace, which need not exist yet. 0,
 * or an errno. */
static int follow_links(char path[ELM_PATH_SIZE])
{
    for (int i = 0; i < LINKS_MAX; i++) {
        char link[ELM_PATH_SIZE], folder[ELM_PATH_SIZE];
        const ssize_t length = readlink(path, link, sizeof link - 1);
        if (length < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : errno; /* no link; nothing there */
        link[length] = 0;
        memcpy(folder, path, sizeof folder);
        const int needed =
            *link == '/' ? snprintf(path, ELM_PATH_SIZE, "%s", link)
                         : snprintf(path, ELM_PATH_SIZE, "%.2040s/%.2040s", dirname(folder), link);
        if (needed >= ELM_PATH_SIZE)
            return ENAMETOOLONG;
    }
    return ELOOP;
}

/* Another host's process may have the same number, and write to the same folder. */
static uint32_t host_hash(void)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    return elm_hash_text_32(host);
}

/* A name beside the target; that of a file with a name of the greatest length is cut. */
static int name_part(elm_output *output, int flags)
{
    char suffix[SUFFIX_ROOM], *slash = strrchr(output->target, '/');
    const char *base = slash ? slash + 1 : output->target;
    if (flags & ELM_OUTPUT_PART)
        snprintf(suffix, sizeof suffix, ".part");
    else
        snprintf(suffix, sizeof suffix, ".tmp-%08x-%ld", host_hash(), (long)getpid());
    const int folder = (int)(base - output->target), room = NAME_BYTES - (int)strlen(suffix);
    if (strlen(base) > NAME_BYTES)
        return ENAMETOOLONG;
    return snprintf(output->part, sizeof output->part, "%.*s%.*s%s", folder, output->target, room,
                    base, suffix) < ELM_PATH_SIZE
               ? 0
               : ENAMETOOLONG;
}

/* Never through a link or into a file that is already there: an older one of that name
 * goes first. */
static int open_part(elm_output *output, const struct stat *old)
{
    unlink(output->part);
    output->descriptor = open(output->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (output->descriptor < 0) {
        const int cause = errno;
        *output->part = 0;
        return cause;
    }
    elm_process_remove_at_end(output->part);
    if (!old)
        return 0;
    /* The owner first: a change of it takes the set-user-id bits. Only root can give files away. */
    if (fchown(output->descriptor, old->st_uid, old->st_gid))
        errno = 0;
    return fchmod(output->descriptor, old->st_mode & 07777) ? errno : 0;
}

static int open_output(elm_output *output, int flags, elm_error *err)
{
    const int named = descriptor_named(output->path);
    struct stat about;
    memcpy(output->target, output->path, sizeof output->target);
    const bool exists = named >= 0 || !stat(output->path, &about);
    const bool direct = named >= 0 || (exists && !S_ISREG(about.st_mode));
    if (exists && named < 0 && S_ISDIR(about.st_mode))
        return elm_output_failed("write", output->path, EISDIR, err);
    if (direct && flags & ELM_OUTPUT_SEEK)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "this output is written back and forth (%s): give the name of a "
                             "regular file, not a device or a pipe",
                             output->path);
    if (direct) {
        output->descriptor = named >= 0 ? fcntl(named, F_DUPFD_CLOEXEC, 0)
                                        : open(output->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
        return output->descriptor >= 0 ? 0 : elm_output_failed("write", output->path, errno, err);
    }
    int cause = follow_links(output->target);
    if (!cause)
        cause = name_part(output, flags);
    if (!cause)
        cause = open_part(output, exists ? &about : NULL);
    return cause ? elm_output_failed("write", output->path, cause, err) : 0;
}

static void release(elm_output *output)
{
    if (output->stream)
        fclose(output->stream); /* which may still write into the descriptor */
    if (output->descriptor >= 0)
        close(output->descriptor);
    if (*output->part) {
        unlink(output->part); /* gone already after a rename */
        elm_process_keep(output->part);
    }
    elm_free(output);
}

int elm_output_begin(elm_output **out, const char *path, int flags, elm_error *err)
{
    *out = NULL;
    if (!*path || strlen(path) >= ELM_PATH_SIZE)
        return elm_error_set(err, ELM_EXIT_USAGE, "no usable file name (\"%.200s\"): give %s one",
                             path, *path ? "a shorter" : "the output");
    elm_output *output = elm_alloc(1, sizeof *output, err);
    if (!output)
        return -1;
    output->descriptor = -1;
    snprintf(output->path, sizeof output->path, "%s", path);
    if (open_output(output, flags, err)) {
        release(output);
        return -1;
    }
    *out = output;
    return 0;
}

const char *elm_output_part(const elm_output *output)
{
    return output->part;
}

int elm_output_descriptor(const elm_output *output)
{
    return output->descriptor;
}

void elm_output_fail(elm_output *output, int cause)
{
    if (!output->failed)
        output->cause = cause;
    output->failed = true;
}

bool elm_output_has_failed(const elm_output *output)
{
    return output->failed;
}

int elm_output_write(elm_output *output, const void *bytes, size_t size_bytes)
{
    const int cause =
        output->failed ? output->cause : elm_io_write(output->descriptor, bytes, size_bytes);
    if (cause)
        elm_output_fail(output, cause);
    return cause;
}

/* A stream of stdio forgets why it failed, and whether it did once it works again: this one
 * remembers. */
static ssize_t stream_write(void *context, const char *bytes, size_t size_bytes)
{
    elm_output *output = context;
    if (!output->failed)
        elm_output_write(output, bytes, size_bytes);
    return output->failed ? 0 : (ssize_t)size_bytes;
}

FILE *elm_output_stream(elm_output *output)
{
    if (!output->stream)
        output->stream = fopencookie(output, "w", (cookie_io_functions_t){.write = stream_write});
    if (!output->stream)
        elm_output_fail(output, ENOMEM);
    return output->stream;
}

/* Onto the disk, or as far as a device or pipe takes it. 0, or an errno. */
static int complete(elm_output *output)
{
    if (output->stream) {
        const bool flushed = !fflush(output->stream);
        if (!flushed)
            elm_output_fail(output, errno);
    }
    if (output->failed)
        return output->cause;
    const bool regular = *output->part;
    int cause = regular && fsync(output->descriptor) ? errno : 0;
    if (output->stream) {
        fclose(output->stream);
        output->stream = NULL;
    }
    /* where some network file systems tell of a full disk */
    if (close(output->descriptor) && !cause)
        cause = errno;
    output->descriptor = -1;
    if (!cause && regular)
        cause = elm_io_rename(output->part, output->target);
    if (cause)
        elm_output_fail(output, cause);
    return cause;
}

int elm_output_commit(elm_output *output, elm_error *err)
{
    if (!output)
        return -1;
    complete(output);
    const int status =
        output->failed ? elm_output_failed("write", output->path, output->cause, err) : 0;
    release(output);
    return status;
}

void elm_output_abandon(elm_output *output)
{
    if (!output)
        return;
    elm_output_fail(output, 0); /* what the stream still holds is not written */
    release(output);
}

int elm_output_write_file(const char *path, const void *bytes, size_t size_bytes, elm_error *err)
{
    elm_output *output;
    if (elm_output_begin(&output, path, 0, err) || !output)
        return -1;
    elm_output_write(output, bytes, size_bytes);
    return elm_output_commit(output, err);
}
