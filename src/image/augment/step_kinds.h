/* Step kinds: the table of augmentations, with parameters, help and source of each. */
#ifndef ELMPI_IMAGE_AUGMENT_STEP_KINDS_H
#define ELMPI_IMAGE_AUGMENT_STEP_KINDS_H

#include "base/rng.h"
#include "elmpi/status.h"
#include "image/augment/operations.h"

enum { ELM_STEP_PARAMETERS = 5 };

/** A parameter of a kind of step, given after a colon, in order or by name: "erasing:0.5" or
 * "erasing:probability=0.5". */
typedef struct elm_step_parameter {
    const char *name;     /* NULL: no further one */
    const char *choices;  /* "a|b|c": its value is a place among them; NULL: a number */
    double default_value; /* NAN: must be given */
    double min, max;
} elm_step_parameter;

struct elm_augment_step;

typedef struct elm_step_kind {
    const char *name;
    elm_step_parameter parameters[ELM_STEP_PARAMETERS];
    bool needs_color; /* three channels */
    bool last;        /* nothing may follow it */
    void (*apply)(const struct elm_augment_step *step, elm_canvas *canvas, elm_rng *rng);
    const char *help, *source;
} elm_step_kind;

/** Every kind of step, ended by a row without a name: help and documents are made from it. */
extern const elm_step_kind elm_step_kinds[];

/** The kind of that name.
 *  Errors: NULL, ELM_EXIT_USAGE with the nearest valid name */
const elm_step_kind *elm_step_kind_find(const char *name, elm_error *err);

#endif
