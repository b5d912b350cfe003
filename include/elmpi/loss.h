/* Loss: the logit losses and embedding terms, pure mathematics on buffers (no communication).
 * One file a loss, one row in a table (src/loss/table.c); help, option checks, gradient tests
 * and documentation follow from the row.
 *
 * A row is one image's embedding. An anchor is a row that a term is evaluated for; its positives
 * are the other rows of its class. The memory bank (loss.scope = bank) keeps of every training
 * image the embedding of the step that last had it. Each class has one owner: the rank that keeps
 * the entries of its images and evaluates its anchors. */
#ifndef ELMPI_LOSS_H
#define ELMPI_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/option.h"
#include "elmpi/status.h"
#include "elmpi/tensor.h"

/** Which embeddings of other ranks a term needs. */
typedef enum elm_loss_reach {
    ELM_LOSS_LOCAL,      /* none */
    ELM_LOSS_SAME_CLASS, /* those of the classes that this rank holds */
    ELM_LOSS_EVERYTHING, /* all */
    /* all of the classes that this rank owns, and no others: its anchors are those rows, not its
     * own images */
    ELM_LOSS_OWNED,
} elm_loss_reach;

/** What an embedding term needs besides this rank's own rows. */
typedef struct elm_loss_needs {
    elm_loss_reach reach;
    /* the logits of all images of the classes that occur (remote_logits), with
     * ELM_LOSS_EVERYTHING */
    bool logits;
    bool means; /* the mean embedding of every class over the training set, before each epoch */
    /* the memory bank: this rank's entries (`bank` below, with ELM_LOSS_OWNED) or `class_means` */
    bool bank;
} elm_loss_needs;

/** The data set's statistics that the losses depend on. */
typedef struct elm_class_counts {
    int classes;
    const int64_t *count; /* [classes] training images; borrowed for the loss's life */
    int64_t total;        /* their sum */
} elm_class_counts;

/** Where in a run a step is; the same on all ranks. */
typedef struct elm_loss_time {
    uint64_t seed;
    int64_t epoch;    /* counted from 0 */
    int64_t position; /* place in the epoch's order of the first of the `images` below */
    double passed;    /* epochs done when the step begins, a real number */
    double length;    /* epochs of the whole run */
} elm_loss_time;

/** Input and output of the losses in a step. Rows are float32, contiguous. Gradients are added to,
 * not set; the loss and its gradient include 1/global (and lambda) already. `images` differs from
 * `global` only with optim.accumulate: then it is the number of images of the current part of the
 * global batch (the microbatch), to which local and remote rows belong. Local rows are those of
 * this rank's images; with ELM_LOSS_OWNED those of its classes' images, whichever rank has them,
 * and none is remote.
 *  Owns:   borrows everything for the call */
typedef struct elm_loss_batch {
    int64_t global; /* images of the global batch, B: what sums are divided by */
    int64_t images; /* of the microbatch, on all ranks */
    int first;      /* position among them of this rank's first */
    int local;      /* images of this rank; may be 0 */
    int remote;     /* rows from other ranks */
    int width;      /* of an embedding, K */
    int classes;    /* L */
    /* [global] of the whole global batch; may be NULL where neither weights nor a term read them */
    const int32_t *global_labels;
    const int32_t *labels; /* [local] */
    /* [local] other labels of images that are mixed of two (data.mix); NULL: images are whole. Over
     * the global batch they are its labels in another order */
    const int32_t *partner_labels;
    double own_share;             /* of `labels` in the logit loss where there are partner_labels */
    const float *embeddings;      /* [local][width] */
    const float *logits;          /* [local][classes] */
    const int32_t *remote_labels; /* [remote] */
    const int64_t *remote_position; /* [remote] place among `images`, ascending */
    const float *remote_embeddings; /* [remote][width] */
    /* only for terms that need logits: classes that occur among `images` */
    int present;
    const int32_t *present_classes; /* [present] ascending */
    const float *remote_logits;     /* [remote][present]: columns of present_classes */
    /* [local] places in the training set; only where there is a bank */
    const int64_t *members;
    /* [classes that occur among `images`, ascending][width] over all images of a class, as the
     * bank has them; only for terms that need them */
    const double *class_means;
    /* the entries of the classes that this rank owns (ELM_LOSS_OWNED), or NULL */
    struct elm_memory_bank *bank;
    float *embeddings_gradient; /* [local][width] */
    float *logits_gradient;     /* [local][classes] */
    elm_loss_time moment;

    /* Set by elm_loss_logits for the logit loss: a weighted mean over the global batch. */
    const double *class_weights; /* [classes], or NULL: all 1 */
    double divisor;              /* sum of the global batch's weights */
} elm_loss_batch;

/** Value of a term over this rank's images; the sum over the ranks is the batch's. */
typedef struct elm_loss_value {
    double loss;              /* this rank's part of the mean over the global batch */
    int64_t with_positive[3]; /* anchors with a positive: head, torso, tail */
    int64_t anchors[3];
    int64_t with_bank[3]; /* anchors with a positive in the bank */
    /* sums over the anchors that have an entry in the bank and other entries of their class beside
     * it: squared distance to their own, mean squared distance to the others */
    double drift, spread;
} elm_loss_value;

/** Whose images are an anchor's positives. */
typedef enum elm_loss_scope {
    ELM_SCOPE_GLOBAL, /* those of the global batch */
    ELM_SCOPE_RANK,   /* of this rank's share of it */
    ELM_SCOPE_BANK,   /* of the training set: the batch's, and the bank's for all others */
} elm_loss_scope;

/** [loss] of a job file. */
typedef struct elm_loss_options {
    char logit[ELM_TEXT_SIZE];
    char embed[ELM_TEXT_SIZE];
    double lambda;
    double logadj_tau;
    int weights; /* 0 auto, 1 none, 2 class-balanced, 3 drw, 4 frequency */
    double weights_beta, weights_epoch;
    int smoothing; /* 0 none, 1 uniform, 2 label-aware */
    double smoothing_share, smoothing_head, smoothing_tail;
    double ldam_margin, ldam_scale;
    int cb_focal_variant; /* 0 sigmoid, 1 softmax, 2 softmax-public */
    double cb_focal_gamma;
    int equalization_variant; /* 0 bernoulli, 1 margin */
    double equalization_gamma, equalization_lambda;
    char pull_alpha[ELM_TEXT_SIZE]; /* pi|sqrt-pi|n|sqrt-n|pi^<a>|n^<a> */
    double pull_scale;
    int scope; /* elm_loss_scope */
    bool pull_normalize;
    int bank_precision; /* 0 fp32, 1 bf16 */
    double bank_max_age, bank_start_epoch, bank_momentum;
    int64_t bank_per_class; /* -1: all */
    int bank_normalizer;    /* 0 sum, 1 mean */
    int dro_variant;        /* 0 paper, 1 public */
    int dro_centroids;      /* 0 running, 1 epoch */
    double dro_epsilon, dro_momentum;
    double center_rate;
    double supcon_temperature;
    double triplet_margin;
    int triplet_mining; /* 0 all, 1 hardest */
    double range_intra, range_inter, range_margin;
    double lda_ridge, lda_window;
} elm_loss_options;
extern const elm_option elm_loss_option_rows[];

/** The pull term's margins alpha_y as the options say (loss.pull.alpha, .scale).
 *  Shape:  alpha [counts.classes] is written
 *  Errors: ELM_EXIT_USAGE for an unknown rule */
int elm_loss_pull_margins(const elm_loss_options *options, elm_class_counts counts, double *alpha,
                          elm_error *err);

typedef struct elm_loss elm_loss;

/** Whether the options go together, as far as they alone tell.
 *  Errors: ELM_EXIT_USAGE: an unknown loss, or one without the smoothing that they ask for */
int elm_loss_check(const elm_loss_options *options, elm_error *err);

/** Builds the logit loss and the embedding term that the options name.
 *  Shape:  max_local images a rank, max_rows = max_local + remote rows at most
 *  Ranks:  local
 *  Owns:   all work space, so that evaluating allocates nothing
 *  Errors: unknown names and impossible values, with the valid ones */
int elm_loss_create(elm_loss **loss, const elm_loss_options *options, elm_class_counts counts,
                    int width, int max_local, int64_t max_rows, elm_error *err);
void elm_loss_destroy(elm_loss *loss);

/** All zero without a term or with lambda 0. */
elm_loss_needs elm_loss_needs_of(const elm_loss *loss);

/** Logit loss of the local images; adds to logits_gradient.
 *  Math:   of images mixed of two own_share times the loss with `labels` and the rest times that with
 *          partner_labels. Class weights are divided by the same sum in either, as the labels of
 *          the global batch are the same
 *  Ranks:  local: the sum of the values over the ranks is the global batch's */
elm_loss_value elm_loss_logits(elm_loss *loss, const elm_loss_batch *batch);

/** Embedding term of the local anchors, lambda included (ELM_LOSS_OWNED: of all anchors of the
 * owned classes); adds to embeddings_gradient. Rows of the same class must all be there, local
 * or remote.
 *  Ranks:  local: the sum of the values over the ranks is the global batch's */
elm_loss_value elm_loss_embeddings(elm_loss *loss, const elm_loss_batch *batch);

/** Whether the weights of logit loss and embedding term depend on how long the run is to be. */
bool elm_loss_depends_on_length(const elm_loss_options *options);

/** Hands over the class means that the embedding term needs before each epoch.
 *  Shape:  means [classes][width], copied.
 *  Ranks:  local; equal everywhere. */
void elm_loss_set_means(elm_loss *loss, const float *means);

/** What the logit loss requires of the last layer before training begins. */
typedef struct elm_loss_head {
    bool cosine;      /* normalized embeddings and class vectors, no bias: the logits are cosines */
    bool bias_is_set; /* the bias starts at `bias` instead of the network's own rule */
    double bias;
} elm_loss_head;
/** Ranks:  local. Depends on the options alone. Unknown names give an ordinary head:
 *          elm_loss_create refuses them. */
elm_loss_head elm_loss_head_of(const elm_loss_options *options, int classes);

/** To be called once a step's gradients are known to be finite and the weights are updated: updates
 * what the losses themselves learn (centers, margins).
 *  Ranks:  local: all ranks have the same rows, so all compute the same values */
void elm_loss_update(elm_loss *loss, double lr);

/** What a loss learns and a checkpoint must hold: tensors "loss/<name>", views of the loss's own
 * memory.
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
