/* How many images a second one thread of the loader makes ready for training: loader_speed
 * STORE IMAGES [CROP]. The last line is "images_per_cpu_second <number>". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "elmpi/loader.h"

static double seconds_of(clockid_t clock_id)
{
    struct timespec now;
    clock_gettime(clock_id, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    enum { BATCH = 32 };
    elm_error err = {0};
    elm_dataset *dataset = NULL;
    elm_loader *loader = NULL;
    elm_data_options options = {.crop = argc > 3 ? atoi(argv[3]) : 224,
                                .threads = 1,
                                .unreadable = 0,
                                .outside = ELM_OUTSIDE_ALLOW};
    if (argc < 3) {
        fprintf(stderr, "usage: loader_speed STORE IMAGES [CROP]\n");
        return 2;
    }
    snprintf(options.store, sizeof options.store, "%s", argv[1]);
    if (elm_dataset_load_job(&dataset, &options, "train", &err) != 0 ||
        elm_loader_create_training(&loader, dataset, &options, 1, BATCH, BATCH, 0, 1, 0, 0, &err) !=
            0) {
        fprintf(stderr, "loader_speed: error: %s\n", err.text);
        elm_dataset_destroy(dataset);
        return 1;
    }
    /* a first epoch: shards come into memory, buffers grow */
    for (int64_t done = 0; done < dataset->count; done += BATCH)
        elm_loader_next(loader);
    const double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    int64_t done = 0;
    double sum = 0;
    while (done < atoll(argv[2])) {
        const elm_batch *batch = elm_loader_next(loader);
        sum += batch->input[0];
        done += batch->share.local;
    }
    const double wall_seconds = seconds_of(CLOCK_MONOTONIC) - wall,
                 cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    const int status = elm_loader_check(loader, &err);
    elm_loader_destroy(loader);
    elm_dataset_destroy(dataset);
    printf("%lld images, %.3f s of wall time, %.3f s of processor time (%g)\n", (long long)done,
           wall_seconds, cpu_seconds, sum);
    printf("images_per_cpu_second %.1f\n", (double)done / cpu_seconds);
    return status == 0 ? 0 : 1;
}
