/* Forward pass: a data set passed through the network in fixed batches, for callers that need
 * embeddings and logits. */
#ifndef ELMPI_EVAL_FORWARD_PASS_H
#define ELMPI_EVAL_FORWARD_PASS_H

#include <signal.h>

#include "elmpi/classifier.h"
#include "elmpi/loader.h"

/** What the network says of a batch. Borrowed for the call. */
typedef struct elm_outputs {
    const elm_batch *batch;
    const float *embeddings; /* [share.local][width] */
    const float *logits;     /* [share.local][classes] */
    int width, classes;
} elm_outputs;

/** Does something with a batch's outputs; -1 ends the pass. */
typedef int (*elm_outputs_take)(void *context, const elm_outputs *outputs, elm_error *err);

/** Passes this rank's batches of the data set: b of elm_evaluation_batch images belongs to rank
 * b % size. Unreadable images are logged to `log`, and `take` looks for them with
 * elm_outputs_unreadable; without a log one is an error.
 *  Ranks:  local: forward passes outside training do not communicate, so a rank may end before the
 *          others; the caller agrees
 *  Errors: what `take` says, unreadable images without a log, another number of classes, logits or
 *          embeddings that are not finite; ELM_EXIT_STOPPED */
int elm_forward_pass(elm_net *net, const elm_dataset *dataset, const elm_comm *comm,
                     const volatile sig_atomic_t *stop, const elm_log *log, elm_outputs_take take,
                     void *context, elm_error *err);

/** Whether the batch's i-th image could not be read: what the network says of it means nothing. */
static inline bool elm_outputs_unreadable(const elm_outputs *outputs, int i)
{
    return outputs->batch->unreadable != NULL && outputs->batch->unreadable[i];
}

/** Scores [classes] of an image, the largest of which is its class, from its embedding [width] and
 * logits [classes]. */
typedef void (*elm_score)(const void *context, const float *embedding, const float *logits,
                          double *scores);

/** Counts the predictions over the data set, the same on all ranks.
 *  Ranks:  collective
 *  Owns:   the caller calls elm_recall_counts_release; empty after an error */
int elm_predictions_count_all(const elm_classifier_input *input, elm_score score,
                              const void *context, elm_recall_counts *tally, elm_error *err);

/** The largest of scores [classes], the first one on ties; -1 where one of them is NaN. */
int elm_argmax(const double *scores, int classes);

/** A data set's embeddings, this rank's share of them. */
typedef struct elm_embedding_set {
    int64_t count;
    int width;
    float *embeddings; /* [count][width] */
    int32_t *labels;   /* [count] */
    int64_t *members;  /* [count] places in the data set */
    bool *unreadable;  /* [count] images that could not be read */
} elm_embedding_set;

/** Room for this rank's share of a data set; elm_embedding_set_keep then adds batch after batch, in
 * a pass of the caller's.
 *  Owns:   the caller calls elm_embedding_set_release, also after an error */
int elm_embedding_set_create(elm_embedding_set *embedded, const elm_dataset *dataset,
                             const elm_comm *comm, int width, elm_error *err);
void elm_embedding_set_keep(elm_embedding_set *embedded, const elm_outputs *outputs);

/** log: as for elm_forward_pass.
 *  Ranks:  collective: errors agreed
 *  Owns:   the caller calls elm_embedding_set_release, also after an error */
int elm_embed_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, const elm_log *log,
                  elm_embedding_set *embedded, elm_error *err);
void elm_embedding_set_release(elm_embedding_set *embedded);

#endif
