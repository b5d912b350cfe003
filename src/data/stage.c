#include "data/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file/io.h"
#include "base/process/clock.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "store/shards.h"

enum { PIECE_BYTES = 8 << 20, ENDS_BYTES = 4096 };

typedef struct staging {
    const char *folder;
    elm_stage_progress progress;
    void *context;
    int64_t done, total; /* bytes */
    double started, told;
    uint8_t *piece;
} staging;

/* Whoever owns the folder, or may write into it, could put other files in the place of the
 * copies. */
static int check_owner(const char *folder, elm_error *err)
{
    struct stat about;
    if (stat(folder, &about) != 0)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "cannot look at the folder for the shards (data.stage, %s): %s: name another one",
            folder, strerror(errno));
    const bool own = about.st_uid == geteuid() || about.st_uid == 0;
    const bool open_to_others =
        (about.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (about.st_mode & S_ISVTX) == 0;
    if (own && !open_to_others)
        return 0;
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "the folder for the shards %s, who could change them (data.stage, %s): "
                         "name one of your own, such as a new one "
                         "below $TMPDIR",
                         own ? "can be written to by other users" : "belongs to another user",
                         folder);
}

static int make_folder(const char *folder, elm_error *err)
{
    char failed[ELM_PATH_SIZE];
    const int cause = elm_io_make_folders(folder, failed);
    return cause == 0 ? 0
                      : elm_error_set(err, ELM_EXIT_FAILURE,
                                      "cannot make the folder for the shards (data.stage, %s): %s: "
                                      "name one on a disk of the node that can be "
                                      "written to",
                                      failed, strerror(cause));
}

static int place_in(const staging *s, const char *source, char path[ELM_PATH_SIZE], elm_error *err)
{
    const char *slash = strrchr(source, '/');
    if (snprintf(path, ELM_PATH_SIZE, "%s/%s", s->folder, slash != NULL ? slash + 1 : source) >=
        ELM_PATH_SIZE - 32)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "path too long (data.stage, %.60s...): choose a shorter one",
                             s->folder);
    return 0;
}

static bool same_bytes(int a, int b, off_t offset, size_t count)
{
    uint8_t left[ENDS_BYTES], right[ENDS_BYTES];
    return pread(a, left, count, offset) == (ssize_t)count &&
           pread(b, right, count, offset) == (ssize_t)count && memcmp(left, right, count) == 0;
}

/* Length and both ends: enough to tell shards apart, and quick. A file that somebody else put or
 * could change there is none of ours. */
static bool is_there(int source, int64_t size_bytes, const char *path)
{
    struct stat about;
    const int copy = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    const size_t count = size_bytes < ENDS_BYTES ? (size_t)size_bytes : ENDS_BYTES;
    const bool there = copy >= 0 && fstat(copy, &about) == 0 && S_ISREG(about.st_mode) &&
                       about.st_size == size_bytes && about.st_uid == geteuid() &&
                       (about.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
                       same_bytes(source, copy, 0, count) &&
                       same_bytes(source, copy, (off_t)(size_bytes - (int64_t)count), count);
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
                                            "no room for the shards (data.stage, %s): %lld MB are "
                                            "to be copied, %lld MB are free: name a "
                                            "larger disk, or leave data.stage empty",
                                            s->folder, (long long)(s->total / 1000000),
                                            (long long)(room / 1000000));
}

static void tell(staging *s, size_t count)
{
    const double now = elm_clock_seconds();
    s->done += (int64_t)count;
    if (s->progress == NULL || (now - s->told < 1 && s->done < s->total))
        return;
    s->told = now;
    s->progress(s->context, s->done, s->total, now - s->started);
}

/* 0, or the errno of what failed. */
static int copy_bytes(staging *s, int from, int64_t size_bytes, int to)
{
    for (int64_t at = 0; at < size_bytes;) {
        const size_t wanted =
            size_bytes - at < PIECE_BYTES ? (size_t)(size_bytes - at) : PIECE_BYTES;
        const ssize_t count = pread(from, s->piece, wanted, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? errno : EIO; /* it has become shorter */
        const int cause = elm_io_write(to, s->piece, (size_t)count);
        if (cause != 0)
            return cause;
        at += count;
        tell(s, (size_t)count);
    }
    return 0;
}

/* Users who cannot read the shard must not read the copy: where it cannot get the shard's group,
 * the group gets what all others have. */
static int keep_mode(int from, int to)
{
    struct stat about;
    if (fstat(from, &about) != 0)
        return errno;
    mode_t mode = about.st_mode & (S_IRUSR | S_IRGRP | S_IROTH);
    if (fchown(to, (uid_t)-1, about.st_gid) != 0 && (mode & S_IROTH) == 0)
        mode &= (mode_t)~S_IRGRP;
    return fchmod(to, mode | S_IRUSR | S_IWUSR) == 0 ? 0 : errno;
}

/* A new file, readable only for its owner yet; what an interrupted copy, or another user, left
 * under the name is not written into. */
static int create_part(const char *part)
{
    unlink(part);
    return open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
}

/* Under a name of its own until it is whole: an interrupted copy, or another job's on the same
 * node, is never taken for a shard. */
static int copy_shard(staging *s, const elm_shards *shards, int shard, int64_t size_bytes,
                      const char *path, elm_error *err)
{
    char part[ELM_PATH_SIZE];
    const int from = elm_shards_descriptor(shards, shard);
    snprintf(part, sizeof part, "%.4060s.%ld.part", path, (long)getpid());
    const int to = create_part(part);
    int cause = to < 0 ? errno : copy_bytes(s, from, size_bytes, to);
    if (cause == 0)
        cause = keep_mode(from, to);
    if (to >= 0 && close(to) != 0 && cause == 0)
        cause = errno;
    if (cause == 0 && rename(part, path) != 0)
        cause = errno;
    if (cause == 0)
        return 0;
    unlink(part);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "cannot copy a shard (data.stage, %s to %s): %s: check the disks and "
                         "whose file is there, or leave data.stage empty",
                         elm_shards_path(shards, shard), path, strerror(cause));
}

/* What must be copied is known before the first byte is. */
static int find_missing(staging *s, const elm_shards *shards, const elm_store *store, bool *missing,
                        elm_error *err)
{
    for (int i = 0; i < elm_store_shard_count(store); i++) {
        const int64_t size_bytes = elm_store_shard_at(store, i).size_bytes;
        char path[ELM_PATH_SIZE];
        if (place_in(s, elm_shards_path(shards, i), path, err) != 0)
            return -1;
        missing[i] = !is_there(elm_shards_descriptor(shards, i), size_bytes, path);
        s->total += missing[i] ? size_bytes : 0;
    }
    return check_room(s, err);
}

static int copy_missing(staging *s, const elm_shards *shards, const elm_store *store,
                        const bool *missing, elm_error *err)
{
    int status = 0;
    for (int i = 0; i < elm_store_shard_count(store) && status == 0; i++) {
        char path[ELM_PATH_SIZE];
        if (missing[i] && (status = place_in(s, elm_shards_path(shards, i), path, err)) == 0)
            status = copy_shard(s, shards, i, elm_store_shard_at(store, i).size_bytes, path, err);
    }
    return status;
}

static int stage_store(const elm_data_options *options, const elm_store *store,
                       elm_stage_progress progress, void *context, elm_error *err)
{
    elm_shards *shards = NULL;
    bool *missing = NULL;
    staging s = {.folder = options->stage,
                 .progress = progress,
                 .context = context,
                 .started = elm_clock_seconds()};
    const elm_need needs[] = {{&s.piece, PIECE_BYTES, 1},
                              {&missing, (size_t)elm_store_shard_count(store), sizeof *missing}};
    int status = make_folder(options->stage, err);
    if (status == 0)
        status = check_owner(options->stage, err);
    if (status == 0)
        status = elm_shards_open(&shards, store, options->store, options->shards,
                                 options->outside == ELM_OUTSIDE_ALLOW, err);
    if (status == 0)
        status = elm_shards_check_names(shards, err);
    if (status == 0)
        status = elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
    if (status == 0)
        status = find_missing(&s, shards, store, missing, err);
    if (status == 0)
        status = copy_missing(&s, shards, store, missing, err);
    elm_free(missing);
    elm_free(s.piece);
    elm_shards_close(shards);
    return status;
}

int elm_stage_shards(const elm_data_options *options, elm_stage_progress progress, void *context,
                     elm_error *err)
{
    elm_store *store = NULL;
    if (elm_store_open(&store, options->store, err) != 0)
        return -1;
    const int status =
        elm_store_shard_count(store) > 0 ? stage_store(options, store, progress, context, err) : 0;
    elm_store_close(store);
    return status;
}
