#include "elmpi/run_folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/process/process.h"
#include "checkpoint/claim.h"
#include "checkpoint/digest.h"
#include "checkpoint/files.h"
#include "checkpoint/folder_list.h"
#include "checkpoint/format.h"
#include "elmpi/memory.h"

enum { FOLDER_SIZE = ELM_PATH_SIZE - 128, CLAIM_ATTEMPTS = 100, DAMAGED_MAX = 64 };

struct elm_run_folder {
    char path[FOLDER_SIZE];
    elm_claim claim;
    /* gets heartbeats while reading; NULL: none */
    elm_watchdog *watch;
    char claim_path[ELM_PATH_SIZE];            /* removed if a signal ends the start */
    bool made;                                 /* the folder was not there before */
    char damaged[DAMAGED_MAX][ELM_ENTRY_SIZE]; /* checkpoints that were passed over */
    int damaged_count;
};

static int refuse_live(const char *path, const elm_claim *owner, elm_error *err)
{
    if (!owner->complete)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "another run is taking the folder at this moment (%s/claim-%d): try "
                             "again, or use another "
                             "run.name",
                             path, owner->run);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "another run is at work in this folder: process %ld on %s (%s/claim-%d): "
                         "wait for it or end it, use another run.name or "
                         "--run-dir, or, if that process has ended, delete that file",
                         owner->pid, owner->host, path, owner->run);
}

static int refuse_live_owners(const char *path, const elm_folder_list *list, elm_watchdog *watch,
                              const elm_log *log, elm_error *err)
{
    const elm_claim mine = elm_claim_mine(0);
    for (int i = 0; i < list->claim_count; i++) {
        elm_claim theirs;
        if (!elm_claim_read(path, list->claims[i], &theirs) &&
            elm_claim_is_live(path, &theirs, &mine, watch, log))
            return refuse_live(path, &theirs, err);
    }
    return 0;
}

/* One attempt to claim the next number; *taken when another start was quicker. */
static int try_claim(elm_run_folder *folder, bool resume, bool *taken, const elm_log *log,
                     elm_error *err)
{
    elm_folder_list list;
    int status = elm_folder_list_read(folder->path, &list, err);
    if (!status)
        status = refuse_live_owners(folder->path, &list, folder->watch, log, err);
    if (!status && !resume && *list.trace)
        status = elm_error_set(err, ELM_EXIT_USAGE,
                               "the run folder holds an earlier run (%s/%s): continue it with "
                               "--resume, or use another run.name or --run-dir",
                               folder->path, list.trace);
    if (!status && elm_folder_list_highest(&list) >= ELM_RUN_MAX)
        status = elm_error_set(err, ELM_EXIT_USAGE,
                               "no number is left for another run (%s holds claim-%d or a "
                               "checkpoint of it): remove it if it is not needed, or "
                               "use another run.name or --run-dir",
                               folder->path, ELM_RUN_MAX);
    if (!status) {
        folder->claim = elm_claim_mine(elm_folder_list_highest(&list) + 1);
        status = elm_claim_create(folder->path, &folder->claim, taken, err);
    }
    elm_folder_list_free(&list);
    return status;
}

int elm_run_folder_open(elm_run_folder **folder, const char *path, bool resume, elm_error *err)
{
    return elm_run_folder_open_watched(folder, path, resume, NULL, NULL, err);
}

int elm_run_folder_open_watched(elm_run_folder **folder, const char *path, bool resume,
                                elm_watchdog *watch, const elm_log *log, elm_error *err)
{
    *folder = NULL;
    if (strlen(path) >= FOLDER_SIZE)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "the run folder's path is too long (%.200s...): use a shorter --run-dir", path);
    elm_run_folder *made = elm_alloc(1, sizeof *made, err);
    if (!made)
        return -1;
    made->made = access(path, F_OK) != 0;
    made->watch = watch;
    if (elm_folder_make(path, err)) {
        elm_free(made);
        return -1;
    }
    snprintf(made->path, sizeof made->path, "%s", path);
    bool taken = true;
    int status = 0;
    for (int i = 0; !status && taken && i < CLAIM_ATTEMPTS; i++)
        status = try_claim(made, resume, &taken, log, err);
    if (!status && taken)
        status =
            elm_error_set(err, ELM_EXIT_FAILURE,
                          "other runs keep claiming the folder (%s): use another run.name", path);
    if (status) {
        elm_free(made);
        return -1;
    }
    snprintf(made->claim_path, sizeof made->claim_path, "%s/claim-%d", path, made->claim.run);
    elm_process_remove_at_end(made->claim_path);
    elm_folder_clean(path);
    *folder = made;
    return 0;
}

void elm_run_folder_close(elm_run_folder *folder)
{
    if (!folder)
        return;
    elm_claim_end(folder->path, &folder->claim);
    elm_process_keep(folder->claim_path);
    elm_free(folder);
}

void elm_run_folder_abandon(elm_run_folder *folder)
{
    if (!folder)
        return;
    elm_claim_remove(folder->path, &folder->claim);
    elm_folder_clean(folder->path);
    if (folder->made)
        rmdir(folder->path); /* unless it is not empty */
    elm_process_keep(folder->claim_path);
    elm_free(folder);
}

int elm_run_folder_number(const elm_run_folder *folder)
{
    return folder->claim.run;
}

const char *elm_run_folder_path(const elm_run_folder *folder)
{
    return folder->path;
}

/* A run that was taken over must not write any more: it may be a process that its scheduler
 * believes dead. */
static int check_still_ours(const elm_run_folder *folder, elm_error *err)
{
    elm_folder_list list;
    int status = elm_folder_list_read(folder->path, &list, err);
    const int highest = status ? 0 : elm_folder_list_highest(&list);
    if (highest > folder->claim.run)
        status = elm_error_set(err, ELM_EXIT_FAILURE,
                               "run %d has taken the folder over from this run, %d (%s): nothing "
                               "was written; end this one",
                               highest, folder->claim.run, folder->path);
    elm_folder_list_free(&list);
    return status;
}

/* <kind>.h5 -> name, in one instant. */
static int point_to(const elm_run_folder *folder, const char *kind, const char *name,
                    elm_error *err)
{
    char link[ELM_PATH_SIZE], temporary[ELM_PATH_SIZE];
    snprintf(link, sizeof link, "%s/%.16s.h5", folder->path, kind);
    snprintf(temporary, sizeof temporary, "%s/%.16s.h5.tmp-%d", folder->path, kind, (int)getpid());
    unlink(temporary);
    if (symlink(name, temporary))
        return elm_file_failed("write", temporary, errno, err);
    if (elm_file_rename(temporary, link, err)) {
        unlink(temporary);
        return -1;
    }
    return 0;
}

static bool is_damaged(const elm_run_folder *folder, const char *name)
{
    for (int i = 0; i < folder->damaged_count; i++)
        if (!strcmp(folder->damaged[i], name))
            return true;
    return false;
}

/* A whole one has taken its place. */
static void forget_damaged(elm_run_folder *folder, const char *name)
{
    for (int i = 0; i < folder->damaged_count; i++)
        if (!strcmp(folder->damaged[i], name))
            *folder->damaged[i] = 0;
}

static void remember_damaged(elm_run_folder *folder, const char *name)
{
    if (folder->damaged_count < DAMAGED_MAX && !is_damaged(folder, name))
        snprintf(folder->damaged[folder->damaged_count++], ELM_ENTRY_SIZE, "%s", name);
}

/* What cannot be deleted costs space, not the run. Damaged ones do not count: they are not what
 * `keep` promises. */
static void delete_oldest(const elm_run_folder *folder, int64_t keep)
{
    elm_folder_list list;
    int64_t good = 0;
    if (!elm_folder_list_read(folder->path, &list, NULL))
        for (int i = 0; keep > 0 && i < list.checkpoint_count; i++) {
            if (good < keep) {
                good += !is_damaged(folder, list.checkpoints[i].name);
                continue;
            }
            char path[ELM_PATH_SIZE];
            snprintf(path, sizeof path, "%s/%s", folder->path, list.checkpoints[i].name);
            unlink(path);
        }
    elm_folder_list_free(&list);
}

int elm_run_folder_settle(elm_run_folder *folder, const char *name, int64_t keep, elm_error *err)
{
    char link[ELM_PATH_SIZE], target[ELM_PATH_SIZE];
    elm_process_keep(folder->claim_path);
    snprintf(link, sizeof link, "%s/checkpoint.h5", folder->path);
    const ssize_t length = readlink(link, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    if (!name)
        return length > 0 && (access(link, F_OK) || is_damaged(folder, target)) && unlink(link)
                   ? elm_file_failed("remove", link, errno, err)
                   : 0;
    if (strcmp(target, name) &&
        (check_still_ours(folder, err) || point_to(folder, "checkpoint", name, err)))
        return -1;
    delete_oldest(folder, keep);
    return 0;
}

/* <kind>-<run>-<step>.h5, and the link to it.
 * Shape:  name [ELM_ENTRY_SIZE] receives the file's name */
static int write_and_link(const elm_run_folder *folder, const char *kind,
                          const elm_checkpoint *checkpoint, char *name, elm_error *err)
{
    char path[ELM_PATH_SIZE];
    snprintf(name, ELM_ENTRY_SIZE, "%.16s-%d-%lld.h5", kind, folder->claim.run,
             (long long)checkpoint->step);
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    if (check_still_ours(folder, err) || elm_checkpoint_write(path, checkpoint, err))
        return -1;
    /* Once more: writing may have taken long. A checkpoint of a run that was taken over does no
     * harm, as its number is lower. */
    if (check_still_ours(folder, err) ||
        elm_watchdog_enter(checkpoint->watch, "checkpoint-link", err))
        return -1;
    return point_to(folder, kind, name, err);
}

int elm_run_folder_save(elm_run_folder *folder, const elm_checkpoint *checkpoint, int64_t keep,
                        elm_error *err)
{
    char name[ELM_ENTRY_SIZE];
    elm_checkpoint_entry best;
    if (write_and_link(folder, "checkpoint", checkpoint, name, err))
        return -1;
    forget_damaged(folder, name);
    delete_oldest(folder, keep);
    /* This checkpoint's history knows the best one: no other can be chosen from here on. */
    if (elm_folder_linked_best(folder->path, &best) && best.step <= checkpoint->step)
        elm_folder_delete_other_best(folder->path, &best);
    return 0;
}

int elm_run_folder_save_best(elm_run_folder *folder, const elm_checkpoint *checkpoint,
                             elm_error *err)
{
    char name[ELM_ENTRY_SIZE];
    return write_and_link(folder, "best", checkpoint, name, err);
}

int elm_run_folder_choose_best(elm_run_folder *folder, const char *checkpoint, int64_t step,
                               elm_error *err)
{
    elm_checkpoint_entry from, best, linked;
    if (!elm_checkpoint_entry_parse(checkpoint, &from) ||
        !elm_folder_find_best(folder->path, from.run, step, &best) ||
        (elm_folder_linked_best(folder->path, &linked) && !strcmp(linked.name, best.name)))
        return 0;
    return check_still_ours(folder, err) || point_to(folder, "best", best.name, err) ? -1 : 0;
}

int64_t elm_run_folder_best_step(const elm_run_folder *folder)
{
    elm_checkpoint_entry best;
    return elm_folder_linked_best(folder->path, &best) ? best.step : -1;
}

int elm_run_folder_write(elm_run_folder *folder, const char *name, elm_file_writer write,
                         const void *context, elm_error *err)
{
    char path[ELM_PATH_SIZE];
    elm_output *output;
    snprintf(path, sizeof path, "%s/%.64s", folder->path, name);
    if (check_still_ours(folder, err) || elm_output_begin(&output, path, 0, err))
        return -1;
    if (!write(output, context, err) && !check_still_ours(folder, err))
        return elm_output_commit(output, err);
    elm_output_abandon(output);
    return -1;
}

/* Reads one candidate. *checkpoint stays NULL when it is damaged. A file that is whole but
 * cannot be used is an error: passing over it would throw work away. */
static int read_candidate(const char *path, elm_watchdog *watch, const elm_log *log,
                          elm_checkpoint **checkpoint, elm_error *err)
{
    bool damaged;
    elm_error cause = {0};
    if (!elm_digest_check(path, watch, &damaged, &cause))
        return elm_checkpoint_read_checked(path, checkpoint, err);
    /* Of another version by its first line alone: that line is damaged. */
    if (!damaged && elm_checkpoint_inner_version(path) != ELM_CHECKPOINT_VERSION)
        return elm_error_set(err, cause.code, "%s", cause.text);
    if (log)
        elm_log_warn(log, "passed over: %s", cause.text);
    return 0;
}

int elm_run_folder_newest(elm_run_folder *folder, const elm_log *log, elm_checkpoint **checkpoint,
                          char *name, int capacity, elm_error *err)
{
    elm_folder_list list;
    *checkpoint = NULL;
    int status = elm_folder_list_read(folder->path, &list, err);
    for (int i = 0; !status && !*checkpoint && i < list.checkpoint_count; i++) {
        char path[ELM_PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", folder->path, list.checkpoints[i].name);
        snprintf(name, (size_t)capacity, "%s", list.checkpoints[i].name);
        status = read_candidate(path, folder->watch, log, checkpoint, err);
        if (!status && !*checkpoint)
            remember_damaged(folder, list.checkpoints[i].name);
    }
    elm_folder_list_free(&list);
    return status;
}
