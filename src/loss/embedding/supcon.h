/* The supervised contrastive term, which supcon and hybrid-sc share. */
#ifndef ELMPI_LOSS_EMBEDDING_SUPCON_H
#define ELMPI_LOSS_EMBEDDING_SUPCON_H

#include "loss/table.h"

/** The functions of a row whose term is supcon. */
int elm_supcon_create(void **state, const elm_loss_setup *setup, elm_error *err);
elm_loss_value elm_supcon_evaluate(void *state, const elm_loss_batch *batch, double weight);
void elm_supcon_destroy(void *state);

#endif
