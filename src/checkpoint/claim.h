/* Claim: one start of a run says that the run folder is its own. A file claim-<run> that only
 * one can create. */
#ifndef ELMPI_CHECKPOINT_CLAIM_H
#define ELMPI_CHECKPOINT_CLAIM_H

#include <stdbool.h>

#include "elmpi/log.h"
#include "elmpi/status.h"
#include "elmpi/watchdog.h"

enum { ELM_RUN_MAX = 999999999 }; /* greatest number of a run */

typedef struct elm_claim {
    int run;
    char host[256], boot[64]; /* boot: which start of that host's system */
    long pid;
    /* of the process, in the system's ticks: another process may get its pid later */
    unsigned long long start;
    char job[64]; /* SLURM_JOB_ID, or "-" */
    long restart; /* SLURM_RESTART_COUNT */
    bool ended;   /* its owner said so */
    /* false: being written at this moment, or its writer died in the middle */
    bool complete;
} elm_claim;

/** The claim that this process would make for that run number. */
elm_claim elm_claim_mine(int run);

/** Creates the claim's file. *taken: another process has that number.
 *  Errors: -1 for all but that */
int elm_claim_create(const char *folder, const elm_claim *claim, bool *taken, elm_error *err);

/** Reads claim-<run>. Returns -1 when there is none or it cannot be read. */
int elm_claim_read(const char *folder, int run, elm_claim *claim);

/** Whether the owner of a claim has to be taken for alive and entitled, as `mine` sees it. Where
 * that is another host's process, its run's heartbeats are listened to, which may take a minute
 * or two: `log` (or NULL) says so, and `watch` (or NULL) gets heartbeats. */
bool elm_claim_is_live(const char *folder, const elm_claim *theirs, const elm_claim *mine,
                       elm_watchdog *watch, const elm_log *log);

/** Removes it, as if it had never been. */
void elm_claim_remove(const char *folder, const elm_claim *claim);

/** Marks it as ended. */
void elm_claim_end(const char *folder, const elm_claim *claim);

#endif
