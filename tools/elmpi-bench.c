/* elmpi-bench: how fast training steps are, against what the machine can do. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu/affinity.h"
#include "base/cpu/peak.h"
#include "base/process/clock.h"
#include "base/rng.h"
#include "bench.h"
#include "comm/binding.h"
#include "command.h"
#include "elmpi/job.h"
#include "elmpi/memory.h"
#include "elmpi/run.h"
#include "elmpi/run_folder.h"
#include "positive_rate_table.h"
#include "ranks.h"
#include "train/same_cpu.h"

static const char program[] = "elmpi-bench";
enum { WARM_UP = 3, TRACED = 3 /* steps */ };

/* What a family of models is fed with. */
static const struct workload {
    const char *prefix;
    elm_store_info data;
} workloads[] = {
    {"cifar-", {.classes = 100, .height = 32, .width = 32, .channels = 3}},
    {"resnet", {.classes = 1000, .height = 224, .width = 224, .channels = 3}},
    {"mlp:", {.classes = 2, .features = 2}},
};

static elm_command_result parse(int argc, char **argv, bool quiet, bench_settings *s,
                                elm_error *err)
{
    const elm_flag flags[] = {
        {"--model", ELM_FLAG_TEXT, &s->model, 0, 0, "NAME", "network (default cifar-resnet32)"},
        {"--batch", ELM_FLAG_INT, &s->batch, 1, 1 << 20, "B",
         "images of the global batch (default 128)"},
        {"--classes", ELM_FLAG_INT, &s->classes, 2, 1 << 20, "C",
         "classes (default 100 for CIFAR's networks, 1000 for ImageNet's)"},
        {"--precision", ELM_FLAG_TEXT, &s->precision, 0, 0, "P",
         "format of activations: fp32 (default), bf16 or auto"},
        {"--layout", ELM_FLAG_TEXT, &s->layout, 0, 0, "L",
         "order of activations in memory: blocked, nhwc, nchw or auto (default)"},
        {"--steps", ELM_FLAG_INT, &s->steps, 1, 1000000, "N",
         "timed steps, after 3 to warm up (default 20)"},
        {"--threads", ELM_FLAG_INT, &s->threads, 0, 1024, "T",
         "threads a rank (default: as for training)"},
        {"--set", ELM_FLAG_LIST, &s->overrides, 0, 0, "KEY=VALUE",
         "any option of a job file, e.g. --set loss.embed=pull"},
        {"--coverage", ELM_FLAG_TEXT, &s->coverage, 0, 0, "STORE",
         "only count how often the pull term finds a partner in this data set's batches, for 1 to "
         "1024 ranks, and what must travel for it "
         "with --model's embeddings"},
        {"--timeline", ELM_FLAG_TEXT, &s->trace, 0, 0, "FILE",
         "write the last 3 steps of all ranks, layer by layer, as a Chrome trace (open it in "
         "https://ui.perfetto.dev)"},
        {"--peak", ELM_FLAG_SWITCH, &s->peak_only, 0, 0, NULL, "only measure the FMA peak"},
        {"--json", ELM_FLAG_SWITCH, &s->json, 0, 0, NULL, "end with one line of JSON"},
        {0},
    };
    elm_command command = {
        .program = program,
        .version = ELMPI_VERSION,
        .usage = "[--model NAME] [--batch B] [--steps N] [--json]",
        .summary = "Times whole training steps (forward, losses, backward, allreduce, update) on "
                   "synthetic images and states them as a "
                   "share of the FMA peak "
                   "measured in the same run.",
        .flags = flags,
        .quiet = quiet,
    };
    return elm_command_parse(&command, argc, argv, err);
}

static int parse_job(bench *b, elm_error *err)
{
    elm_job_options *o = &b->options;
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(o, sets);
    char text[2048];
    snprintf(text, sizeof text,
             "[run]\nname = bench\nprecision = %s\nlayout = %s\nthreads = %lld\n[data]\nstore = "
             "none\n[model]\nname = %s\n[optim]\nbatch = "
             "%lld\nlr = 0.01\n",
             b->set.precision, b->set.layout, (long long)b->set.threads, b->set.model,
             (long long)b->set.batch);
    if (elm_net_check_name(b->set.model, err))
        return -1;
    elm_job *job = NULL;
    const int status = elm_job_parse(&job, text, "command line", b->set.overrides.item,
                                     b->set.overrides.count, sets, ELM_JOB_SETS, err);
    elm_job_destroy(job);
    elm_precision precision = (elm_precision)o->run.precision;
    if (!status && elm_net_resolve_precision(precision, o->run.backend, &precision, err))
        return -1;
    if (!status && o->optim.batch < elm_comm_size(b->comm))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "a batch of %lld images is smaller than the %d ranks (--batch): use "
                             "fewer ranks or a larger batch",
                             (long long)o->optim.batch, elm_comm_size(b->comm));
    return status;
}

static const elm_store_info *find_data(const char *model)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (!strncmp(model, workloads[i].prefix, strlen(workloads[i].prefix)))
            return &workloads[i].data;
    return &workloads[0].data;
}

/* Synthetic images, labels drawn from a long tail (imbalance 100) as in training. */
static int make_batch(bench *b, elm_error *err)
{
    const elm_store_info *d = &b->data;
    const elm_partition share =
        elm_partition_of(b->options.optim.batch, elm_comm_size(b->comm), elm_comm_rank(b->comm));
    const size_t size =
        d->features ? (size_t)d->features : (size_t)d->channels * d->height * d->width;
    b->class_count = elm_alloc((size_t)d->classes, sizeof *b->class_count, err);
    b->labels = b->class_count ? elm_alloc((size_t)share.global, sizeof *b->labels, err) : NULL;
    b->input = b->labels ? elm_alloc((size_t)share.local * size, sizeof *b->input, err) : NULL;
    b->seconds = b->input ? elm_alloc((size_t)b->set.steps, sizeof *b->seconds, err) : NULL;
    if (!b->seconds)
        return -1;
    int64_t total = 0;
    for (int c = 0; c < d->classes; c++)
        total += b->class_count[c] = (int64_t)(500 * pow(100, -(double)c / (d->classes - 1)));
    b->set_labels = elm_alloc((size_t)total, sizeof *b->set_labels, err);
    b->members = b->set_labels ? elm_alloc((size_t)share.global, sizeof *b->members, err) : NULL;
    if (!b->members)
        return -1;
    for (int64_t i = 0, c = 0, left = b->class_count[0]; i < total; i++, left--) {
        while (left == 0)
            left = b->class_count[++c];
        b->set_labels[i] = (int32_t)c;
    }
    elm_rng labels = elm_rng_stream(0, ELM_RNG_DATA, 0, 0),
            pixels = elm_rng_stream(0, ELM_RNG_DATA, 1, (uint64_t)share.first);
    for (int64_t i = 0; i < share.global; i++) {
        b->members[i] = elm_rng_below(&labels, (uint32_t)total);
        b->labels[i] = b->set_labels[b->members[i]];
    }
    for (size_t i = 0; i < (size_t)share.local * size; i++)
        b->input[i] = (float)elm_rng_normal(&pixels);
    b->batch = (elm_batch){.share = share,
                           .input = b->input,
                           .labels = b->labels + share.first,
                           .microbatch_labels = b->labels,
                           .members = b->members,
                           .images = share.global,
                           .global_labels = b->labels};
    return 0;
}

/* As training does. */
static int choose_all(bench *b, elm_error *err)
{
    const elm_run_options *o = &b->options.run;
    /* the largest */
    const elm_partition share =
        elm_partition_of(elm_optim_microbatch(&b->options.optim), elm_comm_size(b->comm), 0);
    const elm_choice_request request = {o->backend, (elm_layout)o->layout,
                                        (elm_precision)o->precision};
    const elm_net_spec spec = {.model = &b->options.model,
                               .channels = b->data.channels,
                               .height = b->data.height,
                               .width = b->data.width,
                               .features = b->data.features,
                               .classes = b->data.classes,
                               .max_images = share.local,
                               .max_batch = share.global,
                               .ranks = share.size};
    const elm_log log = {.program = program, .quiet = elm_comm_rank(b->comm) != 0};
    const double begin = elm_clock_seconds();
    if (elm_run_choose_all(b->comm, &request, &spec, &log, &b->chosen, err))
        return -1;
    b->choice_seconds = elm_clock_seconds() - begin;
    b->set.precision = elm_precision_names[b->chosen.precision];
    /* Some CPUs multiply bf16 more slowly than fp32, and a library is free to use either. */
    b->peaks.gflops =
        b->chosen.precision == ELM_PRECISION_BF16 ? fmax(b->peak_fp32, b->peak_bf16) : b->peak_fp32;
    return 0;
}

static int create_all(bench *b, elm_error *err)
{
    b->data = *find_data(b->options.model.name);
    if (b->set.classes)
        b->data.classes = (int)b->set.classes;
    if (elm_comm_agree_all(b->comm, make_batch(b, err), err))
        return -1;
    elm_class_counts counts = {b->data.classes, b->class_count, 0};
    for (int c = 0; c < counts.classes; c++)
        counts.total += b->class_count[c];
    if (choose_all(b, err))
        return -1;
    const elm_trainer_spec spec = {
        .model = &b->options.model,
        .loss = &b->options.loss,
        .optim = &b->options.optim,
        .comm = &b->options.comm,
        .data = &b->data,
        .counts = counts,
        .labels = b->set_labels,
        .backend = b->chosen.backend,
        .precision = b->chosen.precision,
        .layout = b->chosen.layout,
    };
    return elm_trainer_create_all(&b->trainer, &spec, b->comm, err);
}

static void measure_peak_all(bench *b)
{
    elm_comm_barrier_all(b->comm);
    const int threads = omp_get_max_threads();
    double peaks[3];
    peaks[0] = elm_peak_gflops(threads, 0.5);
    elm_comm_barrier_all(b->comm);
    peaks[1] = elm_peak_bf16_gflops(threads, 0.5);
    elm_comm_barrier_all(b->comm);
    peaks[2] = elm_peak_gbytes_per_s(threads, 0.2);
    elm_comm_sum_all(b->comm, peaks, 3);
    b->peaks = (elm_profile_peaks){peaks[0], peaks[2]};
    b->peak_fp32 = peaks[0];
    b->peak_bf16 = peaks[1];
}

/* Takes over what a timed step has recorded; the last few are kept for the trace too. */
static void record_step(bench *b, int64_t step)
{
    int count, dropped;
    const elm_event *events = elm_timeline_events(b->timeline, &count, &dropped);
    elm_profile_add(&b->profile, b->timeline);
    for (int e = 0; e < count && step >= b->set.steps - TRACED; e++)
        elm_timeline_add(b->traced, events[e]);
}

static int time_steps_all(bench *b, elm_error *err)
{
    if (elm_comm_agree_all(b->comm,
                           elm_timeline_create(&b->timeline, ELM_PROFILE_EVENTS, err) ||
                                   elm_timeline_create(&b->traced, TRACED * ELM_PROFILE_EVENTS, err)
                               ? -1
                               : 0,
                           err))
        return -1;
    elm_trainer_set_timeline(b->trainer, b->timeline);
    for (int64_t s = -WARM_UP; s < b->set.steps; s++) {
        elm_timeline_clear(b->timeline);
        elm_comm_barrier_all(b->comm);
        if (s == (b->set.steps > TRACED ? b->set.steps - TRACED : 0))
            b->trace_origin = elm_timeline_now(b->timeline);
        const double begun = elm_clock_seconds();
        /* A rate this small leaves the weights where they are: synthetic images have nothing to
         * teach. */
        const elm_step_report report =
            elm_trainer_step_all(b->trainer, &b->batch, 1e-6, (elm_step_requests){0});
        if (!report.finite)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "a step gave numbers that are not finite (%s): report this",
                                 b->options.model.name);
        double seconds = elm_clock_seconds() - begun;
        elm_comm_max_all(b->comm, &seconds, 1);
        if (s < 0)
            continue;
        b->seconds[s] = seconds;
        record_step(b, s);
        for (int p = 0; p < ELM_PHASES; p++)
            b->phases[p] += report.seconds[p] / (double)b->set.steps;
    }
    return 0;
}

static int run_all(bench *b, elm_error *err)
{
    if (elm_cpu_same_all(b->comm, err) || elm_comm_agree_all(b->comm, parse_job(b, err), err))
        return -1;
    if (b->set.coverage)
        return elm_comm_agree_all(b->comm,
                                  elm_comm_rank(b->comm) == 0
                                      ? elm_print_positive_rate(&b->options, b->set.coverage, err)
                                      : 0,
                                  err);
    elm_binding_apply_all(b->comm, b->options.run.binding, (int)b->set.threads, b->binding);
    measure_peak_all(b);
    const bool first = elm_comm_rank(b->comm) == 0;
    if (b->set.peak_only) {
        if (first)
            printf(b->set.json
                       ? "{\"fma_peak_gflops\": %.2f, \"bf16_peak_gflops\": %.2f, "
                         "\"memory_gbytes_per_s\": %.2f}\n"
                       : "FMA peak: fp32 %.1f GFLOP/s, bf16 %.1f GFLOP/s; memory %.1f GB/s\n",
                   b->peak_fp32, b->peak_bf16, b->peaks.gbytes_per_s);
        return 0;
    }
    if (create_all(b, err) || time_steps_all(b, err))
        return -1;
    if (first)
        bench_report(b);
    return b->set.trace
               ? elm_profile_write_trace_all(b->comm, b->traced, b->trace_origin, b->set.trace, err)
               : 0;
}

static int bench_all(bench *b, int argc, char **argv)
{
    elm_error err = {0};
    elm_log log = {.program = program};
    const bool first = elm_comm_rank(b->comm) == 0;
    int code = ELM_EXIT_SUCCESS;
    const elm_command_result result = parse(argc, argv, !first, &b->set, &err);
    if (result == ELM_COMMAND_ERROR || (result == ELM_COMMAND_RUN && run_all(b, &err)))
        code = err.code;
    if (code && first)
        elm_log_error(&log, "%s", err.text);
    elm_trainer_destroy(b->trainer);
    elm_timeline_destroy(b->timeline);
    elm_timeline_destroy(b->traced);
    void *all[] = {b->class_count, b->labels, b->set_labels, b->members, b->input, b->seconds};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return code;
}

int main(int argc, char **argv)
{
    bench b = {.set = {.model = "cifar-resnet32",
                       .precision = "fp32",
                       .layout = "auto",
                       .batch = 128,
                       .steps = 20}};
    elm_error err = {0};
    elm_program self;
    int code;
    elm_affinity_reload(argv);
    if (elm_program_begin(&self, program, &err) ||
        elm_ranks_join_all(&self, &b.comm, &argc, &argv, &err) ||
        elm_comm_agree_all(b.comm, elm_watchdog_enter(self.watch, "work", &err), &err)) {
        elm_log_error(&(elm_log){.program = program}, "%s", err.text);
        code = err.code;
    } else {
        code = bench_all(&b, argc, argv);
    }
    elm_ranks_leave_all(&self, b.comm);
    return elm_program_end(&self, code);
}
