/* Run: one training run from its job to its last checkpoint. Joins data, nn, loss, optim, comm
 * and checkpoint. */
#ifndef ELMPI_RUN_H
#define ELMPI_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "elmpi/choice.h"
#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/log.h"
#include "elmpi/loss.h"
#include "elmpi/net.h"
#include "elmpi/optim.h"
#include "elmpi/option.h"
#include "elmpi/run_folder.h"
#include "elmpi/status.h"

/** [run] of a job file. */
typedef struct elm_run_options {
    char name[ELM_TEXT_SIZE];
    int64_t seed;
    int precision;                 /* elm_precision */
    char backend[ELM_TEXT_SIZE];   /* auto | onednn | openblas */
    int layout;                    /* elm_layout */
    int64_t threads;               /* a rank; 0: as many as its affinity mask allows */
    int binding;                   /* ELM_BINDING_AUTO, ELM_BINDING_LAUNCHER */
    double evaluate_every_epochs;  /* 0: only at the end */
    char init[ELM_TEXT_SIZE];      /* checkpoint to take the weights from; empty: none */
    bool new_classifier;           /* but not the last layer's */
    bool tensorboard;              /* event files */
    double stall_timeout;          /* seconds; 0: for ever */
    char nonfinite[ELM_TEXT_SIZE]; /* stop | skip:<n> */
} elm_run_options;
extern const elm_option elm_run_option_rows[];

/** A whole job file: every module's options. */
typedef struct elm_job_options {
    elm_run_options run;
    elm_data_options data;
    elm_model_options model;
    elm_loss_options loss;
    elm_optim_options optim;
    elm_checkpoint_options checkpoint;
    elm_comm_options comm;
} elm_job_options;

enum { ELM_JOB_SETS = 7 };

/** Whether all ranks compute bf16 in hardware.
 *  Ranks:  collective */
bool elm_run_has_bf16_all(elm_comm *comm);

/** Backend, layout and precision for a network, the same on all ranks: what the request fixes, and
 * else what is quickest (choice.h) by rank 0's cache or by a measurement on all ranks, of which the
 * slowest counts. Says so in one line unless there is nothing to choose. ELMPI_MEASURE=off in the
 * environment: the first in the order of preference, unmeasured.
 *  Ranks:  collective; request and spec (but for its reducer) must agree
 *  Errors: nothing fits the request, or not on all ranks; memory */
int elm_run_choose_all(elm_comm *comm, const elm_choice_request *request, const elm_net_spec *spec,
                       const elm_log *log, elm_candidate *chosen, elm_error *err);

/** The modules' rows with the places of their values in `options`, in the order of a job file's
 * sections; options NULL: rows alone, for help. */
void elm_job_option_sets(elm_job_options *options, elm_option_set sets[ELM_JOB_SETS]);

/** What the command line adds to the job file. Strings borrowed. */
typedef struct elm_run_request {
    const char *job_file;
    const char *const *overrides; /* --set */
    int override_count;
    const char *run_dir; /* NULL: runs/<run.name> */
    const char *init;    /* checkpoint to take the weights from, or NULL */
    bool resume;
    int64_t max_steps;   /* -1: the whole schedule; 0 writes the initial weights */
    bool progress;       /* stdout is a terminal */
    const char *version; /* of the program, for checkpoints */
    /* set by a signal handler when the run shall checkpoint and end; NULL: never */
    const volatile sig_atomic_t *stop;
} elm_run_request;

/** Trains. Rank 0 writes the run folder.
 *  Ranks:  collective; returns the same on all
 *  Errors: -1 with err->code ELM_EXIT_USAGE, ELM_EXIT_FAILURE or ELM_EXIT_STOPPED (checkpoint
 *          written, --resume continues) */
int elm_run_train_all(const elm_run_request *request, elm_comm *comm, elm_log *log, elm_error *err);

#endif
