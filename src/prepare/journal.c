#include "prepare/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file/io.h"
#include "base/hash.h"
#include "elmpi/memory.h"

/* The file: a title, the request, a line "begin", then batches of lines "shard ..." and "content
 * ...", each batch ended by "commit" and the checksum of its lines. Whatever follows the last
 * good commit does not count. */

enum { PATH_BYTES = 4096 };
static const char title[] = "elmpi-prepare journal 1\n", begin[] = "begin\n", mark[] = "commit ";

struct elm_journal {
    char path[PATH_BYTES];
    int descriptor;
    char *text; /* what was there, to the last good commit; ends with a zero byte */
    char *next; /* what elm_journal_read looks at next */
    size_t head_bytes;
    char *head;
    char *batch; /* of open_memstream */
    size_t batch_bytes;
    FILE *stream;
    bool empty; /* nothing committed */
};

static int write_failed(const elm_journal *journal, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "cannot write the journal (%s): %s: make room on that disk, then run the "
                         "same command again",
                         journal->path, strerror(errno));
}

static char *read_file(int descriptor, elm_error *err)
{
    struct stat about;
    if (fstat(descriptor, &about) != 0)
        about.st_size = 0;
    char *text = elm_alloc((size_t)about.st_size + 1, 1, err);
    size_t done = 0;
    for (ssize_t count = 1; text != NULL && done < (size_t)about.st_size && count > 0;
         done += count > 0 ? (size_t)count : 0)
        count = pread(descriptor, text + done, (size_t)about.st_size - done, (off_t)done);
    return text;
}

/* The end of the last good batch from `from` on. */
static char *last_commit(char *from)
{
    char *good = from, *batch = from;
    for (char *line = from, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (strncmp(line, mark, sizeof mark - 1) != 0)
            continue;
        if (strtoul(line + sizeof mark - 1, NULL, 16) !=
            elm_hash_32(ELM_HASH_32, batch, (size_t)(line - batch)))
            return good;
        good = batch = end + 1;
    }
    return good;
}

/* What has been written is on the disk. */
static int write_through(const elm_journal *journal, const char *bytes, size_t size_bytes,
                         elm_error *err)
{
    const int cause = elm_io_write(journal->descriptor, bytes, size_bytes);
    if (cause != 0)
        errno = cause;
    return cause == 0 && fsync(journal->descriptor) == 0 ? 0 : write_failed(journal, err);
}

int elm_journal_clear(elm_journal *journal, elm_error *err)
{
    if (journal->text != NULL)
        journal->text[0] = '\0';
    journal->next = journal->text;
    journal->empty = true;
    if (ftruncate(journal->descriptor, 0) != 0 || lseek(journal->descriptor, 0, SEEK_SET) < 0)
        return write_failed(journal, err);
    return write_through(journal, journal->head, journal->head_bytes, err);
}

/* "shard <index> <bytes> <copied> <path>" or "content <shard> <offset> <length> <width> <height>
 * <digest> <name>"; "picture", of earlier versions, lacks the digest. */
static bool parse_line(char *line, elm_journal_entry *entry)
{
    int text = -1, copied = 0;
    *entry = (elm_journal_entry){0};
    if (sscanf(line, "shard %d %" SCNd64 " %d %n", &entry->shard, &entry->shard_bytes, &copied,
               &text) == 3 &&
        text > 0) {
        entry->copied = copied != 0;
        entry->path = line + text;
        return true;
    }
    elm_store_place *place = &entry->place;
    if (sscanf(line,
               "content %" SCNd32 " %" SCNd64 " %" SCNu32 " %" SCNu16 " %" SCNu16 " %" SCNd64 " %n",
               &place->shard, &place->offset, &place->length, &place->width, &place->height,
               &place->digest, &text) == 6 &&
        text > 0) {
        entry->shard = place->shard;
        entry->name = line + text;
        return true;
    }
    if (sscanf(line, "picture %" SCNd32 " %" SCNd64 " %" SCNu32 " %" SCNu16 " %" SCNu16 " %n",
               &place->shard, &place->offset, &place->length, &place->width, &place->height,
               &text) == 5 &&
        text > 0) {
        entry->shard = place->shard;
        entry->name = line + text;
        return true;
    }
    return false;
}

bool elm_journal_read(elm_journal *journal, elm_journal_entry *entry)
{
    for (char *end; journal->next != NULL && (end = strchr(journal->next, '\n')) != NULL;) {
        char *line = journal->next;
        *end = '\0';
        journal->next = end + 1;
        if (parse_line(line, entry))
            return true;
    }
    return false;
}

/* Another request's journal: its shards go as well, or they would stay for ever. */
static int discard(elm_journal *journal, const char *folder, elm_error *err)
{
    elm_journal_entry entry;
    char path[2 * PATH_BYTES];
    char *start = strstr(journal->text, begin);
    journal->next = start != NULL ? start + sizeof begin - 1 : NULL;
    if (journal->next != NULL)
        *last_commit(journal->next) = '\0';
    while (elm_journal_read(journal, &entry))
        if (entry.name == NULL && entry.copied && strchr(entry.path, '/') == NULL) {
            snprintf(path, sizeof path, "%s/%s", folder, entry.path);
            unlink(path);
        }
    return elm_journal_clear(journal, err);
}

static int load(elm_journal *journal, const char *folder, bool force, elm_error *err)
{
    journal->text = read_file(journal->descriptor, err);
    if (journal->text == NULL)
        return -1;
    if (strncmp(journal->text, journal->head, journal->head_bytes) != 0) {
        const bool interrupted = strstr(journal->text, begin) != NULL &&
                                 last_commit(strstr(journal->text, begin) + sizeof begin - 1) !=
                                     strstr(journal->text, begin) + sizeof begin - 1;
        if (interrupted && !force)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "an interrupted preparation from other archives, lists or options "
                                 "lies there (%s): repeat that command to "
                                 "continue it, or discard it with --force",
                                 journal->path);
        return discard(journal, folder, err);
    }
    journal->next = journal->text + journal->head_bytes;
    char *end = last_commit(journal->next);
    *end = '\0';
    journal->empty = end == journal->next;
    const off_t length = end - journal->text;
    if (ftruncate(journal->descriptor, length) != 0 ||
        lseek(journal->descriptor, length, SEEK_SET) < 0)
        return write_failed(journal, err);
    return 0;
}

int elm_journal_open(elm_journal **out, const char *path, const char *request, const char *folder,
                     bool force, elm_error *err)
{
    *out = NULL;
    elm_journal *journal = elm_alloc(1, sizeof *journal, err);
    if (journal == NULL)
        return -1;
    snprintf(journal->path, sizeof journal->path, "%s", path);
    journal->head_bytes = strlen(title) + strlen(request) + strlen(begin);
    journal->head = elm_alloc(journal->head_bytes + 1, 1, err);
    journal->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    journal->stream = open_memstream(&journal->batch, &journal->batch_bytes);
    if (journal->head == NULL)
        goto fail;
    snprintf(journal->head, journal->head_bytes + 1, "%s%s%s", title, request, begin);
    journal->empty = true;
    if (journal->descriptor < 0 || journal->stream == NULL) {
        write_failed(journal, err);
        goto fail;
    }
    /* other failures: a file system without locks */
    if (flock(journal->descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "another elmpi-prepare is at work on this store (%s): wait for it, or choose "
                      "another --out",
                      journal->path);
        journal->empty = false;
        goto fail;
    }
    if (load(journal, folder, force, err) != 0) {
        journal->empty = false; /* whatever it is, it is not ours to remove */
        goto fail;
    }
    *out = journal;
    return 0;
fail:
    elm_journal_close(journal);
    return -1;
}

int elm_journal_add(elm_journal *journal, const elm_journal_entry *entry, elm_error *err)
{
    const elm_store_place *place = &entry->place;
    const int written = entry->name == NULL
                            ? fprintf(journal->stream, "shard %d %" PRId64 " %d %s\n", entry->shard,
                                      entry->shard_bytes, entry->copied, entry->path)
                            : fprintf(journal->stream,
                                      "content %" PRId32 " %" PRId64 " %" PRIu32 " %" PRIu16
                                      " %" PRIu16 " %" PRId64 " %s\n",
                                      place->shard, place->offset, place->length, place->width,
                                      place->height, place->digest, entry->name);
    return written > 0 ? 0 : write_failed(journal, err);
}

int elm_journal_commit(elm_journal *journal, elm_error *err)
{
    if (fflush(journal->stream) != 0)
        return write_failed(journal, err);
    if (journal->batch_bytes == 0)
        return 0;
    if (fprintf(journal->stream, "%s%08" PRIx32 "\n", mark,
                elm_hash_32(ELM_HASH_32, journal->batch, journal->batch_bytes)) < 0 ||
        fflush(journal->stream) != 0)
        return write_failed(journal, err);
    if (write_through(journal, journal->batch, journal->batch_bytes, err) != 0)
        return -1;
    journal->empty = false;
    return fseeko(journal->stream, 0, SEEK_SET) == 0 ? 0 : write_failed(journal, err);
}

static void release(elm_journal *journal, bool remove_file)
{
    if (remove_file && journal->descriptor >= 0)
        unlink(journal->path);
    if (journal->descriptor >= 0)
        close(journal->descriptor);
    if (journal->stream != NULL)
        fclose(journal->stream);
    free(journal->batch);
    elm_free(journal->text);
    elm_free(journal->head);
    elm_free(journal);
}

void elm_journal_close(elm_journal *journal)
{
    if (journal != NULL)
        release(journal, journal->empty);
}

void elm_journal_finish(elm_journal *journal)
{
    release(journal, true);
}
