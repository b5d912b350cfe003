#include "prepare/index_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/rng.h"
#include "elmpi/memory.h"
#include "prepare/folders/classes.h"
#include "prepare/folders/folder_items.h"
#include "prepare/folders/folders.h"
#include "prepare/index_scan.h"
#include "prepare/index_write.h"
#include "prepare/lists/class_names.h"
#include "prepare/lists/lists.h"

enum { REQUEST_BYTES = 1 << 20 };

static int read_lists(elm_index_build *job, elm_error *err)
{
    char first[400];
    for (int split = 0; split < STORE_SPLITS; split++) {
        if (job->lists[split] == NULL)
            continue;
        const int64_t before = elm_manifest_count(job->catalog);
        if (elm_image_list_read(job->catalog, &job->class_names, job->lists[split], split,
                                job->report, err) != 0)
            return -1;
        const int64_t count = elm_manifest_count(job->catalog) - before;
        if (count == 0 && elm_rejects_count(job->report) > 0)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "no image in the list that can be used (%s), first \"%s\": mend the list",
                job->lists[split], elm_rejects_first(job->report, first, sizeof first));
        if (count == 0)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "an empty list (%s): give lines \"path label\", or omit it",
                                 job->lists[split]);
        elm_log_info(job->request->log, "%s: %lld images listed (%s)", store_split_names[split],
                     (long long)count, job->lists[split]);
    }
    const char *names = job->request->image_files.class_names;
    if (names != NULL &&
        elm_class_names_read(&job->class_names, job->catalog, names, &job->named, err) != 0)
        return -1;
    return elm_manifest_index(job->catalog, err);
}

static size_t append_file(char *text, size_t length, const char *what, const char *path)
{
    struct stat about = {0};
    char *full = realpath(path, NULL);
    stat(path, &about);
    /* Where it would not fit only the length is returned: the caller refuses it. */
    char *end = length < REQUEST_BYTES ? text + length : NULL;
    const int added =
        snprintf(end, end != NULL ? REQUEST_BYTES - length : 0, "%s %lld %lld.%09ld %s\n", what,
                 (long long)about.st_size, (long long)about.st_mtim.tv_sec,
                 (long)about.st_mtim.tv_nsec, full != NULL ? full : path);
    free(full);
    return length + (size_t)added;
}

/* All that decides what will be in the store; what only decides what is said about it (--strict)
 * is left out. */
static int describe_request(const elm_index_build *job, char *text, elm_error *err)
{
    const elm_prepare_request *request = job->request;
    const elm_prepare_image_files *files = &request->image_files;
    size_t length = (size_t)snprintf(
        text, REQUEST_BYTES,
        "source %s\noptions decode %d copy %d resize %lld quality %lld shard %lld\n",
        job->set->info.dataset, !files->no_decode, files->copy, (long long)files->resize,
        (long long)elm_index_build_quality(job), (long long)files->shard_bytes);
    /* not where it is as always: journals of old stay valid */
    if (job->layout.kind != ELM_LAYOUT_AUTO && files->layout != NULL)
        length +=
            (size_t)snprintf(text + length, REQUEST_BYTES - length, "layout %s\n", files->layout);
    for (int i = 0; i < request->archive_count; i++)
        length = append_file(text, length, "archive", request->archives[i]);
    for (int split = 0; split < STORE_SPLITS; split++)
        if (job->lists[split] != NULL)
            length = append_file(text, length, store_split_names[split], job->lists[split]);
    return length < REQUEST_BYTES ? 0
                                  : elm_error_set(err, ELM_EXIT_USAGE,
                                                  "paths of all archives and lists too long "
                                                  "(--archive): name a folder with the archives' "
                                                  "images instead, or shorten the paths");
}

/* A shard that an interrupted run left is there and whole. */
static bool shard_is_there(const elm_index_build *job, const elm_journal_entry *entry)
{
    char path[2 * IMAGE_PATH_BYTES];
    struct stat about;
    const char *folder = entry->path[0] == '/' ? "" : job->folder;
    snprintf(path, sizeof path, "%s%s%s", folder, entry->path[0] == '/' ? "" : "/", entry->path);
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == entry->shard_bytes;
}

static int take_entry(elm_index_build *job, const elm_journal_entry *entry, elm_error *err)
{
    int status = 0;
    if (entry->name == NULL) {
        const int shard = elm_index_build_shard(job, entry->path, err);
        if (shard < 0)
            return -1;
        job->shards[shard].size_bytes = entry->shard_bytes;
        job->shards[shard].known = true;
        return shard == entry->shard && shard_is_there(job, entry) ? 0 : 1;
    }
    elm_image_item *item = job->listed ? elm_manifest_exact(job->catalog, entry->name)
                                       : elm_image_folders_item(job, entry->name, &status, err);
    if (item == NULL)
        return status < 0 ? -1 : 1;
    item->place = entry->place;
    item->placed = item->earlier = true;
    return 0;
}

/* Shards may follow their images within a batch; now all must be there, and every image
 * within one. */
static bool places_hold(elm_index_build *job)
{
    for (int64_t i = 0; i < elm_manifest_count(job->catalog); i++) {
        const elm_image_item *item = elm_manifest_at(job->catalog, i);
        if (item->placed && (item->place.shard < 0 || item->place.shard >= job->shard_count ||
                             item->place.offset < 0 ||
                             item->place.offset > job->shards[item->place.shard].size_bytes -
                                                      (int64_t)item->place.length))
            return false;
    }
    return true;
}

static int forget_places(elm_index_build *job, elm_error *err)
{
    for (int64_t i = 0; i < elm_manifest_count(job->catalog); i++) {
        elm_image_item *item = elm_manifest_at(job->catalog, i);
        item->placed = item->earlier = false;
    }
    job->shard_count = 0;
    elm_log_info(job->request->log,
                 "what an interrupted preparation left is no longer whole: starting over");
    return elm_journal_clear(job->journal, err);
}

/* What an interrupted run has finished need not be done again. */
static int resume(elm_index_build *job, elm_error *err)
{
    char *text = elm_alloc(REQUEST_BYTES + 1, 1, err), path[IMAGE_PATH_BYTES + 16];
    if (text == NULL)
        return -1;
    int status = describe_request(job, text, err);
    job->request_hash = elm_hash_text_32(text);
    snprintf(path, sizeof path, "%s.journal", job->request->out);
    if (status == 0)
        status = elm_journal_open(&job->journal, path, text, job->folder, job->request->force, err);
    elm_free(text);
    int64_t done = 0;
    for (elm_journal_entry entry; status == 0 && elm_journal_read(job->journal, &entry);
         done += entry.name != NULL)
        status = take_entry(job, &entry, err);
    if (status < 0)
        return -1;
    if (status > 0 || !places_hold(job))
        return forget_places(job, err);
    if (done > 0)
        elm_log_info(job->request->log,
                     "continuing an interrupted preparation: %lld images are done",
                     (long long)done);
    return 0;
}

static int begin(elm_index_build *job, elm_error *err)
{
    const elm_prepare_request *request = job->request;
    const char *slash = strrchr(request->out, '/');
    const size_t length = strlen(request->out);
    if (length + 64 > IMAGE_PATH_BYTES)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "path too long (%.80s...): choose a shorter --out", request->out);
    snprintf(job->folder, sizeof job->folder, "%.*s",
             slash != NULL ? (int)(slash - request->out) : 1, slash != NULL ? request->out : ".");
    if (slash == request->out)
        snprintf(job->folder, sizeof job->folder, "/");
    snprintf(job->stem, sizeof job->stem, "%s", request->out);
    if (length > 3 && strcmp(job->stem + length - 3, ".h5") == 0)
        job->stem[length - 3] = '\0';
    snprintf(job->report_path, sizeof job->report_path, "%s-report.txt", job->stem);
    for (int split = 0; split < STORE_SPLITS; split++) {
        job->lists[split] = request->image_files.lists[split];
        job->listed |= job->lists[split] != NULL;
    }
    if (job->set->val_is_test && job->lists[2] == NULL) {
        job->lists[2] = job->lists[1];
        job->lists[1] = NULL;
    }
    if (elm_class_names_check_encoding(request->image_files.encoding, err) != 0)
        return -1;
    if (job->set->listed && (!job->listed || job->lists[0] == NULL))
        return elm_error_set(err, ELM_EXIT_USAGE, "no list of training images (--train-list): %s",
                             job->set->advice);
    if (!job->listed && request->image_files.class_names != NULL)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "names of classes without lists (--class-names): the folders name the classes");
    if (elm_manifest_create(&job->catalog, err) != 0 ||
        elm_manifest_create(&job->folders, err) != 0 || elm_rejects_create(&job->report, err) != 0)
        return -1;
    return job->listed ? read_lists(job, err) : elm_image_folders_decide(job, err);
}

static int report_missing(elm_index_build *job, int64_t *placed, elm_error *err)
{
    *placed = 0;
    for (int64_t i = 0; i < elm_manifest_count(job->catalog); i++) {
        const elm_image_item *item = elm_manifest_at(job->catalog, i);
        *placed += item->placed;
        if (!item->placed && !item->settled &&
            elm_rejects_add(job->report, ELM_REPORT_MISSING, item->name,
                            store_split_names[(int)item->split], err) != 0)
            return -1;
    }
    return 0;
}

static int finish(elm_index_build *job, elm_error *err)
{
    int64_t placed;
    int classes = 0;
    if (report_missing(job, &placed, err) != 0 ||
        (placed > 0 && elm_image_classes_settle(job, &classes, err) != 0) ||
        elm_rejects_write(job->report, job->report_path, err) != 0)
        return -1;
    if (placed == 0)
        elm_rejects_summarize(job->report, job->report_path, job->request->log);
    if (placed == 0)
        return elm_error_set(
            err, ELM_EXIT_FAILURE, "no image found (%s%s): %s", job->request->archives[0],
            job->request->archive_count > 1 ? " and others" : "",
            job->listed ? "the lists' paths must end as the archives' do, such as class/name.jpg"
                        : "give an archive or folder with a folder a class, or lists");
    if (job->request->image_files.strict && elm_rejects_count(job->report) > 0)
        return elm_rejects_refuse(job->report, job->report_path, err);
    elm_rejects_summarize(job->report, job->report_path, job->request->log);
    return elm_index_write(job, classes, err);
}

int elm_index_build_run(const elm_image_set *set, const elm_prepare_request *request,
                        elm_error *err)
{
    elm_index_build *job = elm_alloc(1, sizeof *job, err);
    if (job == NULL)
        return -1;
    job->set = set;
    job->request = request;
    int status = begin(job, err);
    if (status == 0)
        status = resume(job, err);
    if (status == 0)
        status = elm_index_scan(job, err);
    if (status == 0)
        status = finish(job, err);
    if (status == 0) {
        elm_journal_finish(job->journal);
        job->journal = NULL;
    }
    elm_index_scan_release(job);
    elm_journal_close(job->journal);
    elm_rejects_destroy(job->report);
    elm_class_names_free(&job->class_names);
    elm_manifest_destroy(job->folders);
    elm_manifest_destroy(job->catalog);
    elm_free(job->shards);
    elm_free(job);
    return status;
}
