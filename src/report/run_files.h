/* Run files: the contents of a run folder. */
#ifndef ELMPI_REPORT_RUN_FILES_H
#define ELMPI_REPORT_RUN_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/option.h"
#include "elmpi/status.h"

enum { ELM_REPORT_NAME = 256, ELM_REPORT_COLUMNS = 64, ELM_REPORT_GROUPS = 3 };

typedef struct elm_setting {
    char key[ELM_REPORT_NAME], value[ELM_TEXT_SIZE];
} elm_setting;

/** metrics.csv: a row an epoch; NaN where nothing was measured. */
typedef struct elm_epochs {
    int columns, rows;
    char name[ELM_REPORT_COLUMNS][ELM_REPORT_NAME];
    double *values; /* [rows][columns] */
} elm_epochs;

/** evaluation.json; images 0: there is none. Accuracies are fractions. */
typedef struct elm_evaluation_file {
    int64_t images;
    double balanced, accuracy, group[ELM_REPORT_GROUPS];
} elm_evaluation_file;

/** One split of analysis.h5. */
typedef struct elm_split_file {
    int64_t count;
    double *labels, *margin, *farthest;       /* [count] */
    double *class_images, *pull, *bound;      /* [classes] */
    double *shift_imbalance, *shift_accuracy; /* [shifts] */
    double *bin_confidence, *bin_accuracy, *bin_count;
    int shifts, bins, confusions;
    double *confusion; /* [confusions][3] label, predicted, count */
    double macro_f1, calibration_error, largest_norm, inter_intra, equal_norms, equal_angles,
        widest_angles, duality;
} elm_split_file;

/** analysis.h5; classes 0: there is none. */
typedef struct elm_analysis_file {
    int classes, width;
    double *train_count;            /* [classes] */
    char (*names)[ELM_REPORT_NAME]; /* [classes] */
    double *principal, *fisher;
    double collapse; /* NC1; NaN without spectra */
    elm_split_file train, test;
    char test_split[ELM_REPORT_NAME];
    int points;
    double *place, *point_label; /* t-SNE: [points][2], [points] */
} elm_analysis_file;

typedef struct elm_run_files {
    char name[ELM_REPORT_NAME];     /* that it is shown under */
    char job_name[ELM_REPORT_NAME]; /* run.name */
    char folder[4096];
    int settings;
    elm_setting *setting;
    elm_epochs epochs;
    elm_evaluation_file evaluation;
    elm_analysis_file analysis;
} elm_run_files;

/** Owns:   the caller calls elm_run_files_release, also after an error
 *  Errors: no run folder, files that are not what they should be */
int elm_run_files_read(elm_run_files *run, const char *folder, elm_error *err);
void elm_run_files_release(elm_run_files *run);

/** A setting's value, or NULL. */
const char *elm_run_setting(const elm_run_files *run, const char *key);
/** A column's place in the epochs, or -1. */
int elm_epochs_column(const elm_epochs *epochs, const char *name);
/** The last number of a column; NaN where there is none. */
double elm_epochs_last(const elm_epochs *epochs, const char *name);
extern const char *const elm_report_groups[ELM_REPORT_GROUPS];

#endif
