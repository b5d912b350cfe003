/* Run folder: who may write into runs/<name>/, and which checkpoint is the newest good one
 * (docs/design.md, section 5). Used by rank 0 only. */
#ifndef ELMPI_RUN_FOLDER_H
#define ELMPI_RUN_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/checkpoint.h"
#include "elmpi/log.h"
#include "elmpi/option.h"
#include "elmpi/output.h"

/** checkpoint.best: what chooses the checkpoint that is kept beside the newest ones. */
typedef enum elm_best_checkpoint {
    ELM_BEST_NONE,
    ELM_BEST_HOLDOUT, /* balanced accuracy on the held-out images */
} elm_best_checkpoint;

/** [checkpoint] of a job file. */
typedef struct elm_checkpoint_options {
    double every_epochs;  /* 0: off */
    double every_minutes; /* 0: off */
    int64_t keep;         /* newest checkpoints to keep; 0: all */
    bool bank;            /* the memory bank goes with them */
    int best;             /* elm_best_checkpoint */
    double early_stop;    /* epochs without a better one; 0: no early stop */
} elm_checkpoint_options;
extern const elm_option elm_checkpoint_option_rows[];

typedef struct elm_run_folder elm_run_folder;

/** Takes the folder for this start of a run: makes it (parents too), refuses a non-empty one
 * without `resume`, refuses one with another live owner, and claims the next run number by creating
 * claim-<run> with O_CREAT|O_EXCL (host, pid, start time of the process, SLURM_JOB_ID and
 * SLURM_RESTART_COUNT inside). The same SLURM_JOB_ID with a higher restart count takes over; a dead
 * owner's claim is ignored; on another host an owner counts as live unless its job is ours, or its
 * heartbeats lie in the folder and change no more. Until elm_run_folder_settle the claim goes if a
 * signal ends the process.
 *  Owns:   the caller closes */
int elm_run_folder_open(elm_run_folder **folder, const char *path, bool resume, elm_error *err);
/** The same, telling the user and the watchdog what it waits for; both may be NULL. */
int elm_run_folder_open_watched(elm_run_folder **folder, const char *path, bool resume,
                                elm_watchdog *watch, const elm_log *log, elm_error *err);
/** The start has succeeded: the claim stays, checkpoint.h5 points to the checkpoint `name` that
 * the run goes on from, whatever a start that was killed has left there, and what exceeds `keep`
 * goes. `name` NULL: there is none, and a link that leads nowhere goes. */
int elm_run_folder_settle(elm_run_folder *folder, const char *name, int64_t keep, elm_error *err);
/** Marks the claim as ended and frees. Accepts NULL. */
void elm_run_folder_close(elm_run_folder *folder);
/** Takes the claim back and frees: for a start that failed before it wrote anything. A folder
 * that was made for it goes too. Accepts NULL. */
void elm_run_folder_abandon(elm_run_folder *folder);
int elm_run_folder_number(const elm_run_folder *folder);
const char *elm_run_folder_path(const elm_run_folder *folder);

/** Writes checkpoint-<run>-<step>.h5, points checkpoint.h5 to it (symbolic link, replaced by
 * rename), then deletes this folder's oldest beyond the newest `keep` (0: keep all); the newest
 * is never deleted. Best ones that best.h5 does not lead to go too, unless it leads to one of a
 * later step. Refuses when a higher run number has been claimed meanwhile. */
int elm_run_folder_save(elm_run_folder *folder, const elm_checkpoint *checkpoint, int64_t keep,
                        elm_error *err);

/** Writes best-<run>-<step>.h5 and points best.h5 to it. Those that were the best before stay until
 * elm_run_folder_save has written a checkpoint that is as new: a run that ends before goes on from
 * an older one, of which one of them is the best. Nothing resumes from it. Refuses as
 * elm_run_folder_save does. */
int elm_run_folder_save_best(elm_run_folder *folder, const elm_checkpoint *checkpoint,
                             elm_error *err);
/** For a run that goes on from the checkpoint of that name and whose best step is `step`: best.h5
 * leads to it, if it is there. Otherwise it stays as it is. */
int elm_run_folder_choose_best(elm_run_folder *folder, const char *checkpoint, int64_t step,
                               elm_error *err);
/** The step whose weights best.h5 leads to; -1: it leads to none. */
int64_t elm_run_folder_best_step(const elm_run_folder *folder);

/** Writes the whole content of a file of the folder. Returns 0, or -1 for a failure that is not
 * the output's own. */
typedef int (*elm_file_writer)(elm_output *output, const void *context, elm_error *err);

/** Puts a file (metrics.csv, evaluation.json, job.ini) into the folder in one instant.
 *  Errors: what `write` says; a higher run number has been claimed meanwhile: nothing changes */
int elm_run_folder_write(elm_run_folder *folder, const char *name, elm_file_writer write,
                         const void *context, elm_error *err);

/** Whether a newer checkpoint than the one at `path`, of that step, stands beside it and is
 * whole, as after a kill between a checkpoint and its link. name [capacity] receives its name.
 * False where `path` itself names one of a run's checkpoints by its number, or its best one. */
bool elm_run_folder_has_newer(const char *path, int64_t step, char *name, int capacity);

/** Reads the valid checkpoint with the highest (run, step); broken ones are passed over with a
 * warning that names them. *checkpoint is NULL if there is none.
 *  Shape:  name [capacity] receives the file's name */
int elm_run_folder_newest(elm_run_folder *folder, const elm_log *log, elm_checkpoint **checkpoint,
                          char *name, int capacity, elm_error *err);

#endif
