/* Bench: what elmpi-bench measures and has measured. */
#ifndef ELMPI_TOOLS_BENCH_H
#define ELMPI_TOOLS_BENCH_H

#include "comm/binding.h"
#include "command.h"
#include "elmpi/run.h"
#include "elmpi/trainer.h"
#include "step_profile.h"

typedef struct bench_settings {
    const char *model, *precision, *layout, *coverage, *trace;
    int64_t batch, steps, threads, classes;
    bool json, peak_only;
    elm_text_list overrides;
} bench_settings;

typedef struct bench {
    bench_settings set;
    elm_job_options options;
    elm_comm *comm;
    char binding[ELM_BINDING_TEXT]; /* which cores the ranks have */
    elm_trainer *trainer;
    elm_candidate chosen;
    double choice_seconds;
    elm_store_info data;
    int64_t *class_count;
    int32_t *labels;
    int32_t *set_labels; /* [images of the whole data set] class by class */
    int64_t *members;    /* [batch] */
    float *input;
    elm_batch batch;
    double *seconds; /* [steps] */
    double phases[ELM_PHASES];
    elm_timeline *timeline, *traced; /* of the step at work; of the last few */
    elm_profile profile;
    double trace_origin;
    elm_profile_peaks peaks; /* of all ranks, in the precision at work */
    double peak_fp32, peak_bf16;
} bench;

/** Prints what the timed steps took and reached, and with --json the same as one line.
 *  Ranks:  rank 0; sorts b->seconds */
void bench_report(bench *b);

#endif
