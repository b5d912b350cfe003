/* What elmpi-bench prints: a text for people, a line of JSON for programs. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/cpu/cpu.h"
#include "bench.h"

typedef struct figures {
    double median, images, gflops; /* seconds a step; a second */
    long rss;                      /* MiB */
    char cpu[ELM_CPU_NAME_SIZE], libraries[512], implementation[256];
    const char *isa, *layout, *backend;
} figures;

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static figures figures_of(bench *b)
{
    elm_net *net = elm_trainer_net(b->trainer);
    figures f = {.isa = elm_isa_names[elm_cpu_isa()],
                 .layout = elm_layout_names[b->chosen.layout],
                 .backend = elm_net_backend(net)};
    qsort(b->seconds, (size_t)b->set.steps, sizeof *b->seconds, by_size);
    f.median = b->seconds[b->set.steps / 2];
    f.images = (double)b->options.optim.batch / f.median;
    f.gflops = f.images * elm_net_training_flops(net) * 1e-9;
    /* A library that beats the meter shows that the meter does not know its unit: the peak is
     * what was reached at least. */
    const double reached = fmax(f.gflops, elm_profile_gflops(&b->profile, elm_comm_size(b->comm)));
    b->peaks.gflops = fmax(b->peaks.gflops, reached);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    f.rss = usage.ru_maxrss / 1024;
    elm_cpu_name(f.cpu);
    elm_net_describe(net, f.libraries, sizeof f.libraries);
    elm_net_implementation(net, f.implementation, sizeof f.implementation);
    return f;
}

static void print_text(const bench *b, const figures *f)
{
    printf("%s: kernels for %s, %s\n", f->cpu, f->isa, f->libraries);
    printf("%s, batch %lld, %s, %d ranks x %d threads, %s, %s (%s)\n", b->options.model.name,
           (long long)b->options.optim.batch, b->set.precision, elm_comm_size(b->comm),
           omp_get_max_threads(), f->backend, f->layout, f->implementation);
    printf("%s\n", b->binding);
    printf("%.1f images/s, %.1f GFLOP/s = %.1f%% of the measured FMA peak of %.1f GFLOP/s; median "
           "step %.1f ms of %lld; %ld MiB on rank 0\n",
           f->images, f->gflops, 100 * f->gflops / b->peaks.gflops, b->peaks.gflops,
           1e3 * f->median, (long long)b->set.steps, f->rss);
    for (int p = 0; p < ELM_PHASES; p++)
        printf("  %-23s %8.3f ms  %5.1f%%\n", elm_phase_names[p], 1e3 * b->phases[p],
               100 * b->phases[p] / f->median);
    printf("  of these, on rank 0 (memory moves at %.1f GB/s):\n", b->peaks.gbytes_per_s);
    elm_profile_print(&b->profile, f->median, elm_comm_size(b->comm), b->peaks);
}

static void print_json(const bench *b, const figures *f)
{
    printf("{\"model\": \"%s\", \"batch\": %lld, \"precision\": \"%s\", \"ranks\": %d, "
           "\"threads\": %d, \"backend\": \"%s\", \"steps\": %lld, ",
           b->options.model.name, (long long)b->options.optim.batch, b->set.precision,
           elm_comm_size(b->comm), omp_get_max_threads(), f->backend, (long long)b->set.steps);
    printf("\"images_per_s\": %.2f, \"gflops\": %.2f, \"fma_peak_gflops\": %.2f, "
           "\"peak_share\": %.4f, \"peak_rss_mib\": %ld, ",
           f->images, f->gflops, b->peaks.gflops, f->gflops / b->peaks.gflops, f->rss);
    printf("\"cpu\": \"%s\", \"isa\": \"%s\", \"libraries\": \"%s\", \"layout\": \"%s\", "
           "\"implementation\": \"%s\", \"choice_seconds\": %.3f, \"phases\": {",
           f->cpu, f->isa, f->libraries, f->layout, f->implementation, b->choice_seconds);
    for (int p = 0; p < ELM_PHASES; p++)
        printf("%s\"%s\": %.6f", p ? ", " : "", elm_phase_names[p], b->phases[p]);
    printf("}, \"layers\": {");
    elm_profile_print_json(&b->profile);
    printf("}}\n");
}

void bench_report(bench *b)
{
    const figures f = figures_of(b);
    print_text(b, &f);
    if (b->set.json)
        print_json(b, &f);
}
