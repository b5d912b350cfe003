#include "elmpi/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "data/shards.h"
#include "elmpi/memory.h"

enum { PATH_BYTES = 4096, PIECE_BYTES = 8 << 20, ENDS_BYTES = 4096 };

typedef struct staging {
    const char *folder;
    elm_stage_progress progress;
    void *context;
    int64_t done, total; /* bytes */
    double started, told;
    uint8_t *piece;
} staging;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int make_folder(const char *folder, elm_error *err)
{
    char part[PATH_BYTES];
    for (const char *end = folder; *end != '\0';) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        snprintf(part, sizeof part, "%.*s", (int)(end - folder), folder);
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "cannot make the folder for the shards (data.stage, %s): %s: name one on a disk of "
                                 "the node that can be written to",
                                 part, strerror(errno));
    }
    return 0;
}

static int place_in(const staging *s, const char *source, char path[PATH_BYTES], elm_error *err)
{
    const char *slash = strrchr(source, '/');
    if (snprintf(path, PATH_BYTES, "%s/%s", s->folder, slash != NULL ? slash + 1 : source) >= PATH_BYTES - 32)
        return elm_error_set(err, ELM_EXIT_USAGE, "path too long (data.stage, %.60s...): choose a shorter one", s->folder);
    return 0;
}

static bool same_bytes(int a, int b, off_t offset, size_t count)
{
    uint8_t left[ENDS_BYTES], right[ENDS_BYTES];
    return pread(a, left, count, offset) == (ssize_t)count && pread(b, right, count, offset) == (ssize_t)count &&
           memcmp(left, right, count) == 0;
}

/* Length and both ends: enough to tell shards apart, and quick. */
static bool is_there(int source, int64_t size_bytes, const char *path)
{
    struct stat about;
    const int copy = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const size_t count = size_bytes < ENDS_BYTES ? (size_t)size_bytes : ENDS_BYTES;
    const bool there = copy >= 0 && fstat(copy, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == size_bytes &&
                       same_bytes(source, copy, 0, count) && same_bytes(source, copy, (off_t)(size_bytes - (int64_t)count), count);
    if (copy >= 0)
        close(copy);
    return there;
}

static int check_room(const staging *s, elm_error *err)
{
    struct statvfs disk;
    if (s->total == 0 || statvfs(s->folder, &disk) != 0)
        return 0;
    const int64_t room = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return room >= s->total ? 0
                            : elm_error_set(err, ELM_EXIT_FAILURE,
                                            "no room for the shards (data.stage, %s): %lld MB are to be copied, %lld MB are free: name a "
                                            "larger disk, or leave data.stage empty",
                                            s->folder, (long long)(s->total / 1000000), (long long)(room / 1000000));
}

static int write_all(int descriptor, const uint8_t *bytes, size_t count)
{
    for (size_t done = 0; done < count;) {
        const ssize_t written = write(descriptor, bytes + done, count - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        done += (size_t)written;
    }
    return 0;
}

static void tell(staging *s, size_t count)
{
    const double now = seconds_now();
    s->done += (int64_t)count;
    if (s->progress == NULL || (now - s->told < 1 && s->done < s->total))
        return;
    s->told = now;
    s->progress(s->context, s->done, s->total, now - s->started);
}

static int copy_bytes(staging *s, int from, int64_t size_bytes, int to)
{
    for (int64_t at = 0; at < size_bytes;) {
        const size_t wanted = size_bytes - at < PIECE_BYTES ? (size_t)(size_bytes - at) : PIECE_BYTES;
        const ssize_t count = pread(from, s->piece, wanted, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count == 0)
            errno = EIO; /* it has become shorter */
        if (count <= 0 || write_all(to, s->piece, (size_t)count) != 0)
            return -1;
        at += count;
        tell(s, (size_t)count);
    }
    return 0;
}

/* Under a name of its own until it is whole: an interrupted copy, or another job's on the same node, is never taken for a shard. */
static int copy_shard(staging *s, const char *source, int from, int64_t size_bytes, const char *path, elm_error *err)
{
    char part[PATH_BYTES];
    snprintf(part, sizeof part, "%.4060s.%ld.part", path, (long)getpid());
    const int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool failed = to < 0 || copy_bytes(s, from, size_bytes, to) != 0;
    int reason = errno;
    if (to >= 0 && close(to) != 0 && !failed) {
        failed = true;
        reason = errno;
    }
    if (!failed && rename(part, path) != 0) {
        failed = true;
        reason = errno;
    }
    if (!failed)
        return 0;
    unlink(part);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "cannot copy a shard (data.stage, %s to %s): %s: check the disks, or leave data.stage empty", source, path,
                         strerror(reason));
}

/* Twice over the shards: what must be copied is known before the first byte is. */
static int stage_all(staging *s, const elm_shards *shards, const elm_store *store, elm_error *err)
{
    for (int copying = 0; copying < 2; copying++) {
        for (int i = 0; i < elm_store_shard_count(store); i++) {
            const char *source = elm_shards_path(shards, i);
            const int64_t size_bytes = elm_store_shard_at(store, i).size_bytes;
            char path[PATH_BYTES];
            if (place_in(s, source, path, err) != 0)
                return -1;
            const int from = elm_shards_descriptor(shards, i);
            if (is_there(from, size_bytes, path))
                continue;
            if (!copying)
                s->total += size_bytes;
            else if (copy_shard(s, source, from, size_bytes, path, err) != 0)
                return -1;
        }
        if (!copying && check_room(s, err) != 0)
            return -1;
    }
    return 0;
}

static int stage_store(const elm_data_options *options, const elm_store *store, elm_stage_progress progress, void *context, elm_error *err)
{
    elm_shards *shards = NULL;
    staging s = {.folder = options->stage, .progress = progress, .context = context, .started = seconds_now()};
    int status = make_folder(options->stage, err);
    if (status == 0)
        status = elm_shards_open(&shards, store, options->store, options->shards, err);
    if (status == 0)
        status = elm_shards_check_names(shards, err);
    if (status == 0 && (s.piece = elm_alloc(PIECE_BYTES, 1, err)) == NULL)
        status = -1;
    if (status == 0)
        status = stage_all(&s, shards, store, err);
    elm_free(s.piece);
    elm_shards_close(shards);
    return status;
}

int elm_stage_shards(const elm_data_options *options, elm_stage_progress progress, void *context, elm_error *err)
{
    elm_store *store = NULL;
    if (elm_store_open(&store, options->store, err) != 0)
        return -1;
    const int status = elm_store_shard_count(store) > 0 ? stage_store(options, store, progress, context, err) : 0;
    elm_store_close(store);
    return status;
}
