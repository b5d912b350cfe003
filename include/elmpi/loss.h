/* Loss: the logit losses and embedding terms, pure mathematics on buffers (no communication). One file a loss, one row in a table
 * (src/loss/table.c); help, option checks, gradient tests and documentation follow from the row. */
#ifndef ELMPI_LOSS_H
#define ELMPI_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/option.h"
#include "elmpi/status.h"
#include "elmpi/tensor.h"

/** Which embeddings of other ranks a term wants to see. */
typedef enum elm_loss_reach {
    ELM_LOSS_LOCAL,      /* none */
    ELM_LOSS_SAME_CLASS, /* those of the classes that this rank holds */
    ELM_LOSS_EVERYTHING, /* all */
} elm_loss_reach;

/** The data set's statistics that the losses depend on. */
typedef struct elm_class_counts {
    int classes;
    const int64_t *count; /* [classes] training images; borrowed for the loss's life */
    int64_t total;        /* their sum */
} elm_class_counts;

/** What a step shows the losses. Rows are float32, contiguous.
 *  Gradients are added to, not set; the loss and its gradient carry 1/global (and lambda) already. */
typedef struct elm_loss_batch {
    int64_t global;                 /* images of the global batch, B */
    int local;                      /* images of this rank; may be 0 */
    int remote;                     /* rows from other ranks */
    int width;                      /* of an embedding, K */
    int classes;                    /* L */
    const int32_t *labels;          /* [local] */
    const float *embeddings;        /* [local][width] */
    const float *logits;            /* [local][classes] */
    const int32_t *remote_labels;   /* [remote] */
    const float *remote_embeddings; /* [remote][width] */
    float *embeddings_gradient;     /* [local][width] */
    float *logits_gradient;         /* [local][classes] */
} elm_loss_batch;

/** What a term says about this rank's images; summed over the ranks it is the batch's. */
typedef struct elm_loss_value {
    double loss;              /* this rank's part of the mean over the global batch */
    int64_t with_positive[3]; /* anchors that met a positive: head, torso, tail */
    int64_t anchors[3];
} elm_loss_value;

/** [loss] of a job file. */
typedef struct elm_loss_options {
    char logit[ELM_TEXT_SIZE];
    char embed[ELM_TEXT_SIZE];
    double lambda;
    double logadj_tau;
    char pull_alpha[ELM_TEXT_SIZE]; /* pi|sqrt-pi|n|sqrt-n|pi^<a>|n^<a> */
    double pull_scale;
    int pull_scope; /* 0 global, 1 rank */
    bool pull_normalize;
} elm_loss_options;
extern const elm_option elm_loss_option_rows[];

/** Head, torso or tail (0, 1, 2) of a class with `count` training images: head >= 100, torso [20, 100), tail < 20 (DESIGN 4). */
int elm_class_group(int64_t count);

typedef struct elm_loss elm_loss;

/** Builds the logit loss and the embedding term that the options name.
 *  Shape:  max_local images a rank, max_rows = max_local + remote rows at most
 *  Ranks:  local
 *  Owns:   all work space, so that evaluating allocates nothing
 *  Errors: unknown names and impossible values, with the valid ones */
int elm_loss_create(elm_loss **loss, const elm_loss_options *options, elm_class_counts counts, int width, int max_local, int64_t max_rows,
                    elm_error *err);
void elm_loss_destroy(elm_loss *loss);

/** What the embedding term wants gathered; ELM_LOSS_LOCAL without a term, with lambda 0 or with scope rank. */
elm_loss_reach elm_loss_wants(const elm_loss *loss);

/** Logit loss of the local images; adds to logits_gradient. */
elm_loss_value elm_loss_logits(elm_loss *loss, const elm_loss_batch *batch);

/** Embedding term of the local anchors, lambda included; adds to embeddings_gradient. Rows of the same class must all be there, local or
 * remote. */
elm_loss_value elm_loss_embeddings(elm_loss *loss, const elm_loss_batch *batch);

/** What a loss learns and a checkpoint must hold: tensors "loss/<name>", views of the loss's own memory.
 *  Shape:  returns how many there are; the first `capacity` of them are filled in */
int elm_loss_tensors(elm_loss *loss, elm_tensor *tensors, int capacity);

/** What help and documentation say about a loss. */
typedef struct elm_loss_about {
    const char *name, *formula, *source, *help;
} elm_loss_about;

/** The i-th logit loss, or embedding term; false after the last. */
bool elm_loss_about_logit(int i, elm_loss_about *about);
bool elm_loss_about_embed(int i, elm_loss_about *about);

#endif
