/* Analysis: what the ELM paper's figures and propositions say about a trained network, and its
 * embeddings for other programs. Both are HDF5 files that rank 0 writes. */
#ifndef ELMPI_ANALYSIS_H
#define ELMPI_ANALYSIS_H

#include <stdint.h>

#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/loss.h"
#include "elmpi/net.h"

/** Whom and what to look at. Borrowed. */
typedef struct elm_analysis_input {
    elm_net *net; /* with the checkpoint's weights */
    const elm_dataset *train, *test;
    const char *test_split; /* its name */
    const elm_loss_options *loss;
    const char *checkpoint, *name; /* path; the run's name */
    const char *weights;           /* which of the checkpoint's: "last" or "ema" */
    double epsilon;                /* shrinkage of the within-class covariance, as for lda */
    int tsne_classes;              /* of each group; 0: no t-SNE */
    elm_comm *comm;
} elm_analysis_input;

/** Writes statistics of both splits, spectra and a t-SNE plot to `path` (format in
 * docs/analysis.md).
 *  Ranks:  collective; predictions are the same for any number of ranks, real numbers to 1e-6
 *  Errors: what a pass over the data finds, memory, the file: agreed by all ranks; no partial
 *          file */
int elm_analysis_write_all(const elm_analysis_input *input, const char *path, elm_error *err);

/** Writes /train and /<test split>: embeddings [N][K], logits [N][L], labels [N], in the data set's
 * order, and the last layer.
 *  Ranks:  collective; each rank computes its batches, rank 0 holds one batch of each rank at a
 *          time
 *  Errors: as above */
int elm_embeddings_write_all(const elm_analysis_input *input, const char *path, elm_error *err);

#endif
