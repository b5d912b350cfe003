#include "store/shards.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "store/format.h"

typedef struct open_shard {
    int descriptor;
    char path[STORE_PATH_BYTES];
} open_shard;

struct elm_shards {
    int count;
    open_shard list[];
};

/* Where a shard lies: in `folder`, or as the store says, seen from the store's own folder. */
static int place_shard(open_shard *shard, const char *told, const char *store_path,
                       const char *folder, elm_error *err)
{
    const char *slash = strrchr(told, '/'), *store_slash = strrchr(store_path, '/');
    int length;
    if (folder[0] != '\0')
        length = snprintf(shard->path, sizeof shard->path, "%s/%s", folder,
                          slash != NULL ? slash + 1 : told);
    else if (told[0] == '/' || store_slash == NULL)
        length = snprintf(shard->path, sizeof shard->path, "%s", told);
    else
        length = snprintf(shard->path, sizeof shard->path, "%.*s/%s",
                          (int)(store_slash - store_path), store_path, told);
    if (length >= (int)sizeof shard->path)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "path of a shard too long (%.80s...): move the store", shard->path);
    return 0;
}

/* The folder that shards lie in by right: with the links on the way resolved. NULL: there is none.
 *  Owns:   the caller (free). */
static char *home_of(const char *store_path, const char *folder)
{
    char path[STORE_PATH_BYTES];
    const char *slash = strrchr(store_path, '/');
    if (folder[0] != '\0')
        snprintf(path, sizeof path, "%s", folder);
    else
        snprintf(path, sizeof path, "%.*s",
                 slash == NULL         ? 1
                 : slash == store_path ? 1
                                       : (int)(slash - store_path),
                 slash == NULL ? "." : store_path);
    return realpath(path, NULL);
}

static bool is_below(const char *path, const char *home)
{
    const size_t length = strcmp(home, "/") == 0 ? 0 : strlen(home);
    return strncmp(path, home, length) == 0 && path[length] == '/';
}

/* A store from others could name any file of this machine, by its path or by a link. */
static int check_home(const open_shard *shard, const char *resolved, const char *home,
                      elm_error *err)
{
    if (home != NULL && is_below(resolved, home))
        return 0;
    const char *slash = strrchr(resolved, '/');
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "a shard lies outside of %s, which a store from others could do to read any file (%s): "
        "where the store is your own "
        "or trusted, say data.shards=%.*s (elmpi-evaluate: --shards) or data.outside=allow",
        home != NULL ? home : "the store's folder", shard->path, (int)(slash - resolved), resolved);
}

/* What was resolved is what is opened: it holds no link any more. */
static int open_at_home(open_shard *shard, const char *home, bool outside, elm_error *err)
{
    char *resolved = realpath(shard->path, NULL);
    if (resolved == NULL)
        return 0; /* the descriptor stays -1, errno says why */
    int status = outside ? 0 : check_home(shard, resolved, home, err);
    if (status == 0)
        /* a pipe in its place must not stop us */
        shard->descriptor = open(resolved, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    const int cause = errno;
    free(resolved);
    errno = cause;
    return status;
}

static int open_one(open_shard *shard, int64_t size_bytes, const char *home, bool outside,
                    elm_error *err)
{
    struct stat about;
    if (open_at_home(shard, home, outside, err) != 0)
        return -1;
    if (shard->descriptor < 0)
        return elm_error_set(
            err, ELM_EXIT_FAILURE, "cannot open a shard of the store (%s): %s: %s", shard->path,
            strerror(errno),
            errno == EMFILE
                ? "raise the limit of open files (ulimit -n)"
                : "put it back there, or name the folder of the shards with data.shards");
    if (fstat(shard->descriptor, &about) != 0 || !S_ISREG(about.st_mode) ||
        about.st_size != size_bytes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "not the shard that the store was made with (%s): it was a file of "
                             "%lld bytes: copy it again, or make the "
                             "store again with elmpi-prepare --force",
                             shard->path, (long long)size_bytes);
    return 0;
}

int elm_shards_open(elm_shards **out, const elm_store *store, const char *store_path,
                    const char *folder, bool outside, elm_error *err)
{
    char *home = home_of(store_path, folder);
    *out = NULL;
    const int count = elm_store_shard_count(store);
    elm_shards *shards = elm_alloc(sizeof *shards + (size_t)count * sizeof(open_shard), 1, err);
    if (shards == NULL)
        goto fail;
    for (int i = 0; i < count; i++)
        shards->list[i].descriptor = -1;
    shards->count = count;
    for (int i = 0; i < count; i++)
        if (place_shard(&shards->list[i], elm_store_shard_at(store, i).path, store_path, folder,
                        err) != 0)
            goto fail;
    if (folder[0] != '\0' && elm_shards_check_names(shards, err) != 0)
        goto fail;
    for (int i = 0; i < count; i++)
        if (open_one(&shards->list[i], elm_store_shard_at(store, i).size_bytes, home, outside,
                     err) != 0)
            goto fail;
    *out = shards;
    free(home);
    return 0;
fail:
    free(home);
    elm_shards_close(shards);
    return -1;
}

void elm_shards_close(elm_shards *shards)
{
    if (shards == NULL)
        return;
    for (int i = 0; i < shards->count; i++)
        if (shards->list[i].descriptor >= 0)
            close(shards->list[i].descriptor);
    elm_free(shards);
}

int elm_shards_read(const elm_shards *shards, const elm_store_place *place, uint8_t *bytes,
                    elm_error *err)
{
    for (size_t done = 0; done < place->length;) {
        const ssize_t count = pread(shards->list[place->shard].descriptor, bytes + done,
                                    place->length - done, (off_t)(place->offset + (int64_t)done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return elm_error_set(err, ELM_EXIT_FAILURE, "%s", strerror(errno));
        if (count == 0)
            return elm_error_set(err, ELM_EXIT_FAILURE, "the shard has become shorter");
        done += (size_t)count;
    }
    return 0;
}

int elm_shards_descriptor(const elm_shards *shards, int shard)
{
    return shards->list[shard].descriptor;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* In one folder, shards go by their base names: two of one name would be taken for each other. */
int elm_shards_check_names(const elm_shards *shards, elm_error *err)
{
    for (int i = 0; i < shards->count; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(base_name(shards->list[i].path), base_name(shards->list[k].path)) == 0)
                return elm_error_set(err, ELM_EXIT_FAILURE,
                                     "two shards of the store have one name (%s), so they cannot "
                                     "lie in one folder (data.shards, data.stage): "
                                     "leave these empty, or make the store again with "
                                     "elmpi-prepare --copy, whose shards have names of their "
                                     "own",
                                     base_name(shards->list[i].path));
    return 0;
}

const char *elm_shards_path(const elm_shards *shards, int shard)
{
    return shards->list[shard].path;
}
