/* Times the discriminant analysis, then the spectra, of iNaturalist's size: 2048 dimensions,
 * 8,142 classes, as many images as the argument says (default 32,768). mpirun -np N lda_speed
 * [IMAGES] */
#include <stdio.h>
#include <stdlib.h>

#include "analysis/spectrum.h"
#include "base/process/clock.h"
#include "elmpi/memory.h"
#include "eval/classifiers/lda_fit.h"
#include "eval/forward_pass.h"
#include "golden/pseudo.h"

enum { WIDTH = 2048, CLASSES = 8142, BATCH = 64 };

static int run_all(elm_comm *comm, int64_t count, elm_error *err)
{
    elm_embedding_set e = {.width = WIDTH};
    int64_t *class_count = elm_alloc(CLASSES, sizeof *class_count, err);
    double *weights = elm_alloc((size_t)CLASSES * WIDTH, sizeof *weights, err),
           *bias = elm_alloc(CLASSES, sizeof *bias, err);
    const int64_t room = count / elm_comm_size(comm) + 2 * BATCH;
    e.embeddings = elm_alloc((size_t)room * WIDTH, sizeof *e.embeddings, err);
    e.labels = elm_alloc((size_t)room, sizeof *e.labels, err);
    int status = elm_comm_agree_all(
        comm, class_count && weights && bias && e.embeddings && e.labels ? 0 : -1, err);
    for (int64_t i = 0; status == 0 && i < count; i++) {
        class_count[i % CLASSES]++;
        if (i / BATCH % elm_comm_size(comm) != elm_comm_rank(comm))
            continue;
        pseudo_fill(e.embeddings + e.count * WIDTH, WIDTH, (uint32_t)i, 1, 0);
        e.labels[e.count++] = (int32_t)(i % CLASSES);
    }
    const elm_scatter_problem problem = {.embeddings = e.embeddings,
                                         .labels = e.labels,
                                         .local = e.count,
                                         .width = e.width,
                                         .count = count,
                                         .batch = BATCH,
                                         .classes = CLASSES,
                                         .class_count = class_count,
                                         .epsilon = 1e-4};
    const double begun = elm_clock_seconds();
    if (status == 0)
        status = elm_lda_fit_all(&problem, comm, weights, bias, err);
    if (status == 0 && elm_comm_rank(comm) == 0)
        printf("%d ranks: %lld images of %d dimensions, %d classes: %.1f s", elm_comm_size(comm),
               (long long)count, WIDTH, CLASSES, elm_clock_seconds() - begun);
    const double solved = elm_clock_seconds();
    elm_spectrum spectrum = {0};
    if (status == 0)
        status = elm_spectrum_find_all(&spectrum, &problem, comm, err);
    if (status == 0 && elm_comm_rank(comm) == 0)
        printf(", three spectra %.1f s\n", elm_clock_seconds() - solved);
    elm_spectrum_release(&spectrum);
    void *all[] = {class_count, weights, bias, e.embeddings, e.labels};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}

int main(int argc, char **argv)
{
    elm_comm *comm;
    elm_error err = {0};
    if (elm_comm_start_all(&comm, &argc, &argv, &err) != 0)
        return 1;
    const int status = run_all(comm, argc > 1 ? atoll(argv[1]) : 32768, &err);
    if (status != 0 && elm_comm_rank(comm) == 0)
        fprintf(stderr, "lda_speed: %s\n", err.text);
    elm_comm_finish_all(comm);
    return status != 0;
}
