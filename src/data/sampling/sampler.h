/* Sampler: which image stands where in an epoch. A new sampler is a row in sampler.c's table. */
#ifndef ELMPI_DATA_SAMPLING_SAMPLER_H
#define ELMPI_DATA_SAMPLING_SAMPLER_H

#include <stdint.h>

#include "base/rng.h"
#include "elmpi/dataset.h"

/** Least n of data.sampler = window:<n>, and how many blocks of consecutive images a window
 * mixes. */
enum { ELM_WINDOW_MIN = 64, ELM_WINDOW_BLOCKS = 16 };

/** Check of the option row data.sampler. An empty text is the default. */
int elm_sampler_check(const char *value, elm_error *err);

typedef struct elm_sampler elm_sampler;

/** Takes the memory that the epochs' orders need.
 *  Owns:   borrows dataset; the caller destroys
 *  Errors: ELM_EXIT_USAGE for options that no sampler understands, for progressive without
 *          options->run_epochs */
int elm_sampler_create(elm_sampler **sampler, const elm_dataset *dataset,
                       const elm_data_options *options, elm_error *err);
void elm_sampler_destroy(elm_sampler *sampler);

/** Fills order [dataset->count] as elm_sampler_order says. Allocates nothing; one thread at a
 * time. */
void elm_sampler_fill(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order);

#endif
