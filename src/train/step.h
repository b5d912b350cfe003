/* What a trainer consists of, for trainer.c (which builds it) and step.c (which uses it). */
#ifndef ELMPI_TRAIN_STEP_H
#define ELMPI_TRAIN_STEP_H

#include "elmpi/class_gather.h"
#include "elmpi/gradient_sum.h"
#include "elmpi/trainer.h"
#include "train/logit_gather.h"

struct elm_trainer {
    elm_comm *comm;
    elm_net *net;
    elm_loss *loss;
    elm_optim_options optim;
    uint64_t seed;
    elm_gradient_sum *gradient_sum;
    elm_class_gather *gather;
    elm_logit_gather *logit_gather; /* NULL: no term wants logits */
    float *momentum;                /* [parameters] */
    elm_decay_range *decay;         /* runs of parameters decayed alike */
    int decay_count;
    int64_t *starts; /* of each parameter in the block */
};

#endif
