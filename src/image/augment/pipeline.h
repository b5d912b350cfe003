/* Pipeline: augmentation as a job file writes it, "crop:4, flip, autoaugment:cifar10,
 * cutout:16": steps in their order, each a row of one table (step_kinds.c).
 * What a pipeline draws depends on the random stream alone. */
#ifndef ELMPI_IMAGE_AUGMENT_PIPELINE_H
#define ELMPI_IMAGE_AUGMENT_PIPELINE_H

#include "base/rng.h"
#include "elmpi/status.h"
#include "image/augment/step_kinds.h"

enum { ELM_PIPELINE_STEPS_MAX = 16 };

typedef struct elm_augment_step {
    const elm_step_kind *kind;
    double value[ELM_STEP_PARAMETERS];
} elm_augment_step;

typedef struct elm_pipeline {
    elm_augment_step steps[ELM_PIPELINE_STEPS_MAX];
    int count;
} elm_pipeline;

/** Reads a pipeline; "" and "none" have no steps.
 *  Errors: ELM_EXIT_USAGE with the nearest valid name, or the parameter and its range */
int elm_pipeline_parse(elm_pipeline *pipeline, const char *text, elm_error *err);

/** Whether images of that size can go through it.
 *  Errors: ELM_EXIT_USAGE for color steps on one channel, a crop or a hole larger than the image */
int elm_pipeline_check(const elm_pipeline *pipeline, elm_image_size size, elm_error *err);

/** Sends canvas->image through all steps; canvas->erased is set. Allocates nothing. */
void elm_pipeline_apply(const elm_pipeline *pipeline, elm_canvas *canvas, elm_rng *rng);

/** Whether step `place` is of that name. */
bool elm_pipeline_step_is(const elm_pipeline *pipeline, int place, const char *name);

#endif
