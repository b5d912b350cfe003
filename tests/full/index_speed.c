/* Seconds of processor time to read a store's index and put an epoch in order, the best of
 * three; for tests/full/test_index_speed.sh. Usage: index_speed STORE.h5 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "elmpi/loader.h"
#include "elmpi/memory.h"

int main(int argc, char **argv)
{
    elm_data_options options = {.crop = 224, .threads = 2};
    elm_error err = {0};
    double best = INFINITY;
    if (argc != 2) {
        fprintf(stderr, "index_speed: usage: index_speed STORE.h5\n");
        return 2;
    }
    snprintf(options.store, sizeof options.store, "%s", argv[1]);
    for (int i = 0; i < 3; i++) {
        elm_dataset *dataset = NULL;
        const clock_t begun = clock();
        if (elm_dataset_load_job(&dataset, &options, "train", &err) != 0) {
            fprintf(stderr, "index_speed: %s\n", err.text);
            return 1;
        }
        int64_t *order = elm_alloc((size_t)dataset->count, sizeof *order, &err);
        if (!order)
            return 1;
        elm_sampler_order(&options, dataset, 1, 0, order, NULL);
        best = fmin(best, (double)(clock() - begun) / CLOCKS_PER_SEC);
        elm_free(order);
        elm_dataset_destroy(dataset);
    }
    printf("%.6f\n", best);
    return 0;
}
