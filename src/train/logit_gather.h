/* Logit gather: the logits of all images for the classes that occur among them, for terms that
 * compare logits of different images. */
#ifndef ELMPI_TRAIN_LOGIT_GATHER_H
#define ELMPI_TRAIN_LOGIT_GATHER_H

#include "comm/class_gather.h"
#include "elmpi/loss.h"

typedef struct elm_logit_gather elm_logit_gather;

/** Shape:  at most max_global images at a time, of `classes` classes
 *  Ranks:  collective; arguments equal everywhere
 *  Owns:   all work space; the caller destroys */
int elm_logit_gather_create_all(elm_logit_gather **gather, elm_comm *comm, int64_t max_global,
                                int classes, elm_error *err);
void elm_logit_gather_destroy(elm_logit_gather *gather);

/** Posts the columns of the classes that occur. Allocates nothing.
 *  Shape:  labels [share.global]; logits [share.local][classes], copied before return
 *  Ranks:  collective */
void elm_logit_gather_post_all(elm_logit_gather *gather, const int32_t *labels, elm_partition share,
                               const float *logits);

/** Waits, and shows the batch what came: present, present_classes, remote_logits. */
void elm_logit_gather_wait_all(elm_logit_gather *gather, elm_loss_batch *batch);

#endif
