/* Class means: the mean embedding of every class over a whole data set. */
#ifndef ELMPI_EVAL_CLASS_MEANS_H
#define ELMPI_EVAL_CLASS_MEANS_H

#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/net.h"

/** Math:   images as in evaluation: without augmentation, normalized by running statistics; sums in
 *          double
 *  Shape:  *means [classes][width]; 0 for a class without images. The net is built for at least
 *          elm_evaluation_batch images
 *  Ranks:  collective; each rank embeds its share of fixed batches, all get the same means
 *  Owns:   *means to be freed with elm_free
 *  Errors: memory, an unreadable image, an embedding that is not finite: agreed by all ranks */
int elm_class_means_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, float **means,
                        elm_error *err);

#endif
