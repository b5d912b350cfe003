/* Split state: an analysis's data of one split while it is computed. */
#ifndef ELMPI_ANALYSIS_SPLIT_STATE_H
#define ELMPI_ANALYSIS_SPLIT_STATE_H

#include "analysis/image_statistics.h"
#include "analysis/rows_by_class.h"
#include "analysis/spectrum.h"
#include "elmpi/analysis.h"
#include "hdf5/table_file.h"

/* Of each class; the same on all ranks once shared. */
typedef struct elm_class_figures {
    double *memory;
    double *images, *trace, *distance, *pull, *bound; /* [classes] */
    double *means;                                    /* [classes][width] */
    /* max |Phi| over the split, by which figure 4 divides distances */
    double largest_norm;
} elm_class_figures;

/* Everything under way for one split. */
typedef struct elm_analysis_split {
    const elm_analysis_input *in;
    const char *name;
    const elm_dataset *dataset;
    const double *shift, *alpha; /* [classes] */
    elm_embedding_set embedded;
    elm_split_figures images;
    elm_class_rows rows;
    elm_class_figures classes;
} elm_analysis_split;

/** Writes all but /tsne. Local: rank 0's.
 *  Errors: memory; a single class */
int elm_analysis_put(elm_table_file *file, const elm_analysis_split *train,
                     const elm_analysis_split *test, const elm_spectrum *spectrum, elm_error *err);

/** Writes /tsne: a plot of some classes' neighborhoods. The ranks other than 0, which have no
 * file, only lend their images.
 *  Ranks:  collective
 *  Errors: memory: agreed by all ranks */
int elm_tsne_write_all(const elm_analysis_split *split, const elm_spectrum *spectrum,
                       elm_table_file *file, elm_error *err);

#endif
