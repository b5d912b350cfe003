/* A loss and a batch with room for its gradients, for the loss tests. */
#ifndef ELMPI_TESTS_LOSS_FIXTURE_H
#define ELMPI_TESTS_LOSS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "elmpi/job.h"
#include "elmpi/loss.h"
#include "golden/loss_golden.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

static inline elm_class_counts golden_class_counts(void)
{
    int64_t total = 0;
    for (int c = 0; c < GOLDEN_CLASSES; c++)
        total += golden_counts[c];
    return (elm_class_counts){GOLDEN_CLASSES, golden_counts, total};
}

/* All options at their declared defaults, but what these tests' reference values were made with.
 * Names may be wrong ones. */
static inline elm_loss_options options_of(const char *logit, const char *embed)
{
    elm_loss_options o;
    elm_job *job = NULL;
    elm_error err = {0};
    const elm_option_set set = {elm_loss_option_rows, &o};
    if (elm_job_parse(&job, "[loss]\n", "defaults", NULL, 0, &set, 1, &err))
        fail_msg("%s", err.text);
    elm_job_destroy(job);
    o.lambda = 1;
    snprintf(o.pull_alpha, sizeof o.pull_alpha, "sqrt-pi");
    snprintf(o.logit, sizeof o.logit, "%s", logit);
    snprintf(o.embed, sizeof o.embed, "%s", embed);
    return o;
}

/* A batch with room for its gradients. Rows beyond `local` are remote. */
typedef struct fixture {
    elm_loss *loss;
    elm_loss_batch batch;
    float *embeddings_gradient, *logits_gradient;
} fixture;

static inline fixture make(const elm_loss_options *options, elm_class_counts counts, int width,
                           int64_t global, int local, int remote)
{
    fixture f = {0};
    elm_error err = {0};
    if (elm_loss_create(&f.loss, options, counts, width, local, (int64_t)local + remote, &err))
        fail_msg("%s", err.text);
    f.embeddings_gradient = calloc((size_t)local * (size_t)width + 1, sizeof(float));
    f.logits_gradient = calloc((size_t)local * (size_t)counts.classes + 1, sizeof(float));
    assert_true(f.embeddings_gradient != NULL && f.logits_gradient != NULL);
    f.batch = (elm_loss_batch){.global = global,
                               .images = global,
                               .local = local,
                               .remote = remote,
                               .width = width,
                               .classes = counts.classes,
                               .embeddings_gradient = f.embeddings_gradient,
                               .logits_gradient = f.logits_gradient};
    return f;
}

static inline void release(fixture *f)
{
    elm_loss_destroy(f->loss);
    free(f->embeddings_gradient);
    free(f->logits_gradient);
}

/* One rank that holds `local` images of the one class there is, and sees `remote` more. */
static inline fixture make_one_class(const elm_loss_options *options, const float *embeddings,
                                     int width, int local, int remote)
{
    static const int64_t count = 50;
    static const int32_t labels[64];
    fixture f =
        make(options, (elm_class_counts){1, &count, 100}, width, local + remote, local, remote);
    assert_true(local + remote <= LENGTH(labels));
    f.batch.labels = f.batch.remote_labels = labels;
    f.batch.embeddings = embeddings;
    f.batch.remote_embeddings = embeddings + (size_t)local * (size_t)width;
    return f;
}

#endif
