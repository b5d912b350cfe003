#include "positive_rate_table.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/process/clock.h"
#include "data/positive_rate.h"
#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "elmpi/net.h"

/* Floats of an embedding of the job's network. */
static int find_width(const elm_job_options *options, const elm_store_info *data, int *width,
                      elm_error *err)
{
    const elm_net_spec spec = {.model = &options->model,
                               .channels = data->channels,
                               .height = data->height,
                               .width = data->width,
                               .features = data->features,
                               .classes = data->classes,
                               .max_images = 1,
                               .ranks = 1,
                               .backend = options->run.backend};
    elm_net *net = NULL;
    if (elm_net_create(&net, &spec, err))
        return -1;
    *width = elm_net_width(net);
    elm_net_destroy(net);
    return 0;
}

static double share_of(const int64_t *part, const int64_t *whole, int first, int end)
{
    int64_t a = 0, b = 0;
    for (int g = first; g < end; g++) {
        a += part[g];
        b += whole[g];
    }
    return b ? 100.0 * (double)a / (double)b : 0;
}

static void print_row(const elm_positive_rate *c, int ranks, int width)
{
    const double mib = 4.0 * width / (1 << 20);
    const int64_t *const scopes[] = {c->global, c->rank};
    printf("%5d |", ranks);
    for (int s = 0; s < 2; s++) {
        printf(" %6.2f", share_of(scopes[s], c->anchors, 0, 3));
        for (int g = 0; g < 3; g++)
            printf(" %6.2f", share_of(scopes[s], c->anchors, g, g + 1));
        printf(" |");
    }
    printf(" %6.2f %6.2f\n", c->rows_slices * mib, ranks > 1 ? c->rows_all * mib : 0);
}

static int print_table(const elm_dataset *dataset, const int64_t *order, int64_t batch, int width,
                       elm_error *err)
{
    static const int ranks[] = {1, 4, 16, 64, 256, 1024};
    printf("\nBatch %lld, first epoch. Anchors with a positive, in %%, by loss.scope; "
           "embeddings of %d floats that a rank receives a "
           "step, in MiB.\n\n"
           "      | global                      | rank                        | class\n"
           "ranks |    all   head  torso   tail |    all   head  torso   tail | slices    all\n",
           (long long)batch, width);
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks && ranks[i] <= batch; i++) {
        elm_positive_rate coverage;
        if (elm_positive_rate_count(&coverage, dataset, order, batch, ranks[i], err))
            return -1;
        print_row(&coverage, ranks[i], width);
    }
    return 0;
}

static long resident_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

int elm_print_positive_rate(const elm_job_options *options, const char *store, elm_error *err)
{
    elm_data_options data = options->data;
    elm_dataset *dataset = NULL;
    int width = 0;
    snprintf(data.store, sizeof data.store, "%s", store);
    if (elm_store_check(data.store, err))
        return -1;
    const long before = resident_kib();
    const double begun = elm_clock_seconds();
    data.run_epochs = options->optim.epochs;
    if (elm_dataset_load_job(&dataset, &data, "train", err))
        return -1;
    int64_t *order = elm_alloc((size_t)dataset->count, sizeof *order, err);
    const double loaded = elm_clock_seconds();
    int status =
        order ? elm_sampler_order(&data, dataset, (uint64_t)options->run.seed, 0, order, err) : -1;
    if (!status) {
        printf("%lld training images of %d classes: index read in %.3f s, an epoch's order made in "
               "%.3f s, %.1f MiB\n",
               (long long)dataset->count, dataset->info.classes, loaded - begun,
               elm_clock_seconds() - loaded, (double)(resident_kib() - before) / 1024);
        status = find_width(options, &dataset->info, &width, err);
    }
    if (!status)
        status = print_table(dataset, order, options->optim.batch, width, err);
    elm_free(order);
    elm_dataset_destroy(dataset);
    return status;
}
