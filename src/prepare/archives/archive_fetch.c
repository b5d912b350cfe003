#include "prepare/archives/archive_fetch.h"

#include <string.h>

#include "elmpi/memory.h"
#include "prepare/archives/archive_entries.h"

enum { CHUNK_BYTES = 1 << 20 };

static elm_archive_file *find_file(elm_archive_file *files, int count, const char *base)
{
    for (int i = 0; i < count; i++)
        if (strcmp(files[i].base, base) == 0)
            return &files[i];
    return NULL;
}

static int check_entry(const char *name, const elm_archive_file *file,
                       const elm_archive_entry *entry, const char *advice, elm_error *err)
{
    if (file->bytes != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the archive holds %s twice (%s, the second is %s): %s", file->base,
                             name, entry->path, advice);
    if (entry->size_bytes < file->min_bytes || entry->size_bytes > file->max_bytes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "wrong size (%s, entry %s): %lld bytes instead of %s%lld: %s", name,
                             entry->path, (long long)entry->size_bytes,
                             file->min_bytes == file->max_bytes ? "" : "at most ",
                             (long long)file->max_bytes, advice);
    return 0;
}

static int fetch_entry(elm_archive *archive, elm_archive_file *file, const elm_archive_entry *entry,
                       elm_archive_progress progress, elm_error *err)
{
    file->size_bytes = entry->size_bytes;
    file->bytes = elm_alloc((size_t)file->size_bytes + 1, 1, err);
    if (file->bytes == NULL)
        return -1;
    for (int64_t done = 0; done < file->size_bytes;) {
        const int64_t left = file->size_bytes - done,
                      chunk = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        if (elm_archive_read(archive, file->bytes + done, (size_t)chunk, err) != 0)
            return -1;
        done += chunk;
        if (progress.report != NULL)
            progress.report(progress.context, entry->base, (double)done / (double)file->size_bytes);
    }
    return 0;
}

int elm_archive_fetch(const elm_archive_place *place, elm_archive_file *files, int count,
                      const char *advice, elm_archive_progress progress, elm_error *err)
{
    for (int i = 0; i < count; i++)
        files[i].bytes = NULL;
    elm_archive *archive = NULL;
    if (elm_archive_open(&archive, place, err) != 0 || archive == NULL)
        return -1;
    elm_archive_entry entry = {.path = "", .base = "", .offset = -1};
    int status;
    while ((status = elm_archive_next(archive, &entry, err)) == 1) {
        elm_archive_file *file = find_file(files, count, entry.base);
        if (file != NULL && (check_entry(place->name, file, &entry, advice, err) != 0 ||
                             fetch_entry(archive, file, &entry, progress, err) != 0)) {
            status = -1;
            break;
        }
    }
    elm_archive_close(archive);
    for (int i = 0; status == 0 && i < count; i++)
        if (files[i].bytes == NULL)
            status = elm_error_set(err, ELM_EXIT_FAILURE, "the archive lacks %s (%s): %s",
                                   files[i].base, place->name, advice);
    return status;
}

void elm_archive_free(elm_archive_file *files, int count)
{
    for (int i = 0; i < count; i++) {
        elm_free(files[i].bytes);
        files[i].bytes = NULL;
    }
}
