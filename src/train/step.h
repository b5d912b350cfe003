/* What a trainer consists of, for trainer.c (which builds it) and step.c (which uses it). */
#ifndef ELMPI_TRAIN_STEP_H
#define ELMPI_TRAIN_STEP_H

#include "comm/class_gather.h"
#include "comm/gradient_sum.h"
#include "elmpi/trainer.h"
#include "train/bank_exchange.h"
#include "train/logit_gather.h"
#include "train/weight_average.h"

/* Summed over all ranks before any rank updates: one small reduction. */
typedef struct elm_step_sums {
    elm_step_figures figures;
    double broken, stop, checkpoint, refuse; /* number of ranks: not finite, requests */
} elm_step_sums;

/* The parameters that learn: a run of the network's block. */
typedef struct elm_trainable {
    int64_t first, count; /* floats */
    float *weights, *gradients;
} elm_trainable;

/* The first values of the current global batch that are not finite, on this rank
 * (nonfinite_search.c). */
typedef struct elm_finding {
    int place; /* of the tensor, in the order of the search */
    int64_t count, member[ELM_NONFINITE_SHOWN];
    /* Where every image's own values are finite. */
    int64_t extreme_count, extreme[ELM_NONFINITE_SHOWN]; /* images with extreme input */
    bool has_largest;
    float largest; /* logit */
    int64_t largest_member;
} elm_finding;

struct elm_trainer {
    elm_comm *comm;
    elm_net *net;
    elm_loss *loss;
    elm_loss_needs needs; /* of its embedding term */
    elm_optim_options optim;
    uint64_t seed;
    elm_gradient_sum *gradient_sum;
    elm_class_gather *gather;
    elm_logit_gather *logit_gather; /* NULL: no term needs logits */
    elm_bank_exchange *bank;        /* NULL: no memory bank */
    int *group;                     /* [classes] head, torso, tail */
    elm_trainable learning;
    /* [learning.count] gradients of a global batch's earlier parts; NULL: batches are whole */
    float *accumulated;
    int64_t added;          /* from this parameter on they are in the gradient block */
    elm_step_report report; /* of the global batch so far */
    elm_step_sums sums;     /* of this rank, then of all */
    const elm_optimizer *optimizer;
    float *block[ELM_OPTIMIZER_BLOCKS]; /* [parameters] what it keeps beside them, or NULL */
    int64_t updates;                    /* done, as far as they are counted */
    float updates_saved;                /* the same for a checkpoint */
    elm_weight_average *average;        /* NULL: optim.ema = 0 */
    /* running statistics before the step, restored when it is discarded */
    float *kept_state;
    int64_t input_values;             /* of an image */
    const float *embeddings, *logits; /* of the current microbatch, on this rank */
    elm_finding found;
    /* first of the running statistics that the step's forward pass made not finite; -1: none */
    int nonfinite_state;
    elm_decay_range *decay; /* runs of learning parameters decayed alike */
    int decay_count;
    elm_timeline *timeline; /* NULL: not recorded */
    elm_error trouble;      /* of this rank in the current step; code 0: none */
    int64_t *starts;        /* of each learning parameter among them */
};

#endif
