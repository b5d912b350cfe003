/* A global batch cut into shares as ranks would see it: their own rows, all others as remote, in
 * the order that the gathers promise. */
#ifndef ELMPI_TESTS_WHOLE_BATCH_H
#define ELMPI_TESTS_WHOLE_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/loss.h"
#include "elmpi/partition.h"

typedef struct whole_batch {
    int64_t global;
    int width, classes;
    const int32_t *labels;
    const float *embeddings, *logits;
    elm_loss_time moment;
} whole_batch;

/* What one share sees, with memory of its own. */
typedef struct seen_batch {
    elm_loss_batch batch;
    int32_t *remote_labels, *present;
    int64_t *position;
    float *remote_embeddings, *remote_logits, *embeddings_gradient, *logits_gradient;
} seen_batch;

static inline void find_present(const whole_batch *w, seen_batch *s)
{
    for (int32_t c = 0; c < w->classes; c++) {
        bool occurs = false;
        for (int64_t i = 0; i < w->global; i++)
            occurs |= w->labels[i] == c;
        if (occurs)
            s->present[s->batch.present++] = c;
    }
}

static inline void add_remote(const whole_batch *w, seen_batch *s, int64_t i)
{
    const int r = s->batch.remote++;
    s->remote_labels[r] = w->labels[i];
    s->position[r] = i;
    memcpy(s->remote_embeddings + (size_t)r * (size_t)w->width,
           w->embeddings + (size_t)i * (size_t)w->width, (size_t)w->width * sizeof(float));
    for (int k = 0; k < s->batch.present; k++)
        s->remote_logits[(size_t)r * (size_t)s->batch.present + (size_t)k] =
            w->logits[i * w->classes + s->present[k]];
}

static inline seen_batch see(const whole_batch *w, elm_partition share)
{
    const size_t global = (size_t)w->global, width = (size_t)w->width, classes = (size_t)w->classes;
    seen_batch s = {
        .batch = {.global = w->global,
                  .images = w->global,
                  .first = (int)share.first,
                  .local = share.local,
                  .width = w->width,
                  .classes = w->classes,
                  .global_labels = w->labels,
                  .labels = w->labels + share.first,
                  .embeddings = w->embeddings + (size_t)share.first * width,
                  .logits = w->logits + (size_t)share.first * classes,
                  .moment = w->moment},
        .remote_labels = calloc(global + 1, sizeof(int32_t)),
        .present = calloc(classes + 1, sizeof(int32_t)),
        .position = calloc(global + 1, sizeof(int64_t)),
        .remote_embeddings = calloc(global * width + 1, sizeof(float)),
        .remote_logits = calloc(global * classes + 1, sizeof(float)),
        .embeddings_gradient = calloc(global * width + 1, sizeof(float)),
        .logits_gradient = calloc(global * classes + 1, sizeof(float)),
    };
    if (!s.remote_labels || !s.present || !s.position || !s.remote_embeddings || !s.remote_logits ||
        !s.embeddings_gradient || !s.logits_gradient)
        abort();
    find_present(w, &s);
    for (int64_t i = 0; i < w->global; i++)
        if (i < share.first || i >= share.first + share.local)
            add_remote(w, &s, i);
    s.batch.present_classes = s.present;
    s.batch.remote_labels = s.remote_labels;
    s.batch.remote_position = s.position;
    s.batch.remote_embeddings = s.remote_embeddings;
    s.batch.remote_logits = s.remote_logits;
    s.batch.embeddings_gradient = s.embeddings_gradient;
    s.batch.logits_gradient = s.logits_gradient;
    return s;
}

static inline void forget_seen(seen_batch *s)
{
    void *all[] = {s->remote_labels,     s->present,       s->position,
                   s->remote_embeddings, s->remote_logits, s->embeddings_gradient,
                   s->logits_gradient};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

#endif
