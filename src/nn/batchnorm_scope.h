/* BatchNorm scope: which images BatchNorm normalizes together. */
#ifndef ELMPI_NN_BATCHNORM_SCOPE_H
#define ELMPI_NN_BATCHNORM_SCOPE_H

#include "nn/layers/layer.h"

/** model.bn, parsed. */
typedef struct elm_norm_scope {
    enum { ELM_NORM_GLOBAL, ELM_NORM_RANK, ELM_NORM_GROUP } kind;
    int64_t group; /* images, for ELM_NORM_GROUP */
} elm_norm_scope;

int elm_norm_scope_parse(const char *text, elm_norm_scope *scope, elm_error *err);

/** Most segments a rank has in a batch, and most groups that span ranks. */
elm_capacity elm_norm_scope_capacity(elm_norm_scope scope, int max_images, int ranks);

/** Cuts this rank's share into segments. segments and shared_groups have the capacity above;
 * *shared_count is the same on all ranks. */
int elm_norm_scope_segments(elm_norm_scope scope, elm_partition share, elm_segment *segments,
                            int64_t *shared_groups, int *shared_count);

#endif
