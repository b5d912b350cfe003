/* Trainer: a network, its losses, its optimizer and their communication, one step at a time.
 *
 * A batch (elm_batch, loader.h) is a global batch, or a part of it (optim.accumulate): the input
 * of this rank's share, the labels of all. The memory bank (loss.scope = bank) keeps of every
 * training image the embedding of the step that last had it, each class on one rank, its owner. */
#ifndef ELMPI_TRAINER_H
#define ELMPI_TRAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/checkpoint.h"
#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/loader.h"
#include "elmpi/loss.h"
#include "elmpi/net.h"
#include "elmpi/optim.h"

typedef struct elm_trainer elm_trainer;

/** Everything is borrowed for the trainer's life. */
typedef struct elm_trainer_spec {
    const elm_model_options *model;
    const elm_loss_options *loss;
    const elm_optim_options *optim;
    const elm_store_info *data; /* shape of the input, classes */
    elm_class_counts counts;    /* training images of each class */
    /* [counts.total] of the training set, indexed by elm_batch.members: only the memory bank
     * needs them, and others may leave them NULL */
    const int32_t *labels;
    const elm_comm_options *comm;
    const char *backend; /* auto | onednn | openblas */
    elm_precision precision;
    elm_layout layout;
    uint64_t seed;
    int min_images; /* most images a forward pass outside training will see; 0: none */
} elm_trainer_spec;

/** The last layer that model.head names, auto resolved to what the loss wants. Local. */
elm_net_head elm_trainer_head(const elm_model_options *model, const elm_loss_options *loss);

/** Where a step's time went, in seconds. */
typedef enum elm_phase {
    ELM_PHASE_INPUT,    /* waiting for the loader; the caller's to fill */
    ELM_PHASE_FORWARD,  /* network up to the embeddings */
    ELM_PHASE_CLASSIFY, /* FC layer */
    ELM_PHASE_LOSS,
    ELM_PHASE_GATHER, /* waiting for embeddings: the exposed part of the gather */
    ELM_PHASE_BACKWARD,
    ELM_PHASE_ALLREDUCE, /* waiting for gradients: the exposed part of the allreduce */
    ELM_PHASE_UPDATE,    /* finite check, agreement, SGD, repacking weights */
    ELM_PHASES,
} elm_phase;
extern const char *const elm_phase_names[ELM_PHASES];

/** Requests of single ranks that all must follow in the same step. */
typedef struct elm_step_requests {
    bool stop;       /* checkpoint and end */
    bool checkpoint; /* rank 0: checkpoint.every_minutes have passed */
    bool refuse;     /* this rank's batch cannot be used: no rank updates */
} elm_step_requests;

/** The figures of a step: doubles alone, so that they are summed over the ranks, and over an
 * epoch's steps, as an array. */
typedef struct elm_step_figures {
    double loss, logit_loss, embed_loss; /* means over the global batch; the others are sums */
    double correct;                      /* images, by the logits before the update */
    double unreadable;                   /* images that could not be read: their gradients are 0 */
    double anchors[3], with_positive[3]; /* head, torso, tail; 0 without an embedding term */
    double with_bank[3];                 /* anchors with a positive in the memory bank */
    double drift, spread;                /* of elm_loss_value; 0 without a bank */
    /* over the images, of the length of the gradient at their embedding: the embedding term's
     * alone, and that of all losses */
    double embed_gradient[3], gradient[3];
} elm_step_figures;
enum {
    ELM_STEP_LOSSES = 3, /* the first of them */
    ELM_STEP_FIGURES = sizeof(elm_step_figures) / sizeof(double)
};

/** What a step did, the same on all ranks but for `seconds`. */
typedef struct elm_step_report {
    int64_t images; /* of the global batch */
    bool banked;    /* there is a memory bank */
    elm_step_figures figures;
    /* false: loss or gradient is NaN or Inf on some rank and the step was discarded: weights,
     * momentum, running statistics and what losses learn are as they were before it */
    bool finite;
    double gradient_norm;       /* before clipping; 0 where optim.clip_norm is off */
    elm_step_requests requests; /* any rank's */
    double seconds[ELM_PHASES];
} elm_step_report;

enum { ELM_NONFINITE_SHOWN = 8 };

/** Which images may have caused values that are not finite. */
typedef enum elm_suspect_images {
    ELM_SUSPECT_NONFINITE, /* those whose own values are not finite */
    ELM_SUSPECT_INPUT,     /* those with input values beyond 1e6 */
    ELM_SUSPECT_LOGITS,    /* on each rank that with the largest logits */
} elm_suspect_images;

/** The first values that are not finite, in the order of the forward pass, gradients last. */
typedef struct elm_nonfinite_found {
    /* the same on all ranks: "embeddings", "the gradient of conv1.weight" */
    char what[192];
    bool is_input;                       /* the same on all ranks: nothing that training computed */
    elm_suspect_images suspects;         /* the same on all ranks */
    int64_t count;                       /* of them on this rank */
    int64_t member[ELM_NONFINITE_SHOWN]; /* the first, places in the data set */
    double largest_logit;                /* of that image */
} elm_nonfinite_found;

/** Ranks:  collective; the spec's contents equal everywhere
 *  Errors: local ones (memory, unknown names) are agreed by all ranks */
int elm_trainer_create_all(elm_trainer **trainer, const elm_trainer_spec *spec, elm_comm *comm,
                           elm_error *err);
void elm_trainer_destroy(elm_trainer *trainer);

/** One training step on this rank's share of the batch. Of a global batch in parts, gradients are
 * added up, and the call with the last part (batch->more is false) updates; only its report is
 * complete (docs/design.md, section 3). Allocates nothing.
 *  Ranks:  collective; lr, and which part of which global batch, equal everywhere; requests each
 *          rank's own
 *  Errors: none returned: report.finite is false where the step was discarded; elm_trainer_check
 *          has what went wrong on this rank */
elm_step_report elm_trainer_step_all(elm_trainer *trainer, const elm_batch *batch, double lr,
                                     elm_step_requests requests);

/** What was not finite in the step just reported as such. `part` is the batch, or its last part,
 * still unchanged.
 *  Ranks:  collective */
void elm_trainer_find_nonfinite_all(elm_trainer *trainer, const elm_batch *part,
                                    elm_nonfinite_found *broken);

/** Reports to the rank's watchdog that a phase begins; elm_trainer_step_all does so for all but the
 * input's. Local. */
void elm_trainer_enter(elm_trainer *trainer, elm_phase phase);
/** What went wrong on this rank in the last step, for which it refused to update. Local. */
int elm_trainer_check(const elm_trainer *trainer, elm_error *err);

/** Records each step's phases, layers and messages from now on; NULL: no more. Borrowed. Local. */
void elm_trainer_set_timeline(elm_trainer *trainer, elm_timeline *timeline);

elm_net *elm_trainer_net(elm_trainer *trainer);
elm_loss *elm_trainer_loss(elm_trainer *trainer);
/** The memory bank of this rank's classes with its messages, for the run's checkpoints
 * (src/train/bank_exchange.h); NULL without a memory bank. */
struct elm_bank_exchange *elm_trainer_bank(elm_trainer *trainer);

/** Names and views of all that a checkpoint must hold: weights, running statistics, momentum, what
 * the losses learn.
 *  Owns:   *tensors to be freed with elm_free; the data is the trainer's */
int elm_trainer_export(elm_trainer *trainer, elm_tensor **tensors, int *count, elm_error *err);
/** Takes over all of these.
 *  Ranks:  local; the checkpoint equal everywhere
 *  Errors: tensors that are missing, or of another shape */
int elm_trainer_import(elm_trainer *trainer, const elm_checkpoint *checkpoint, elm_error *err);

#endif
