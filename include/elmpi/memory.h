/* Memory: aligned, zeroed, counted. */
#ifndef ELMPI_MEMORY_H
#define ELMPI_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

enum { ELM_ALIGNMENT = 64 }; /* bytes: one cache line, one AVX-512 register */

/** Allocates count * size_bytes zeroed bytes, aligned to ELM_ALIGNMENT.
 *  Owns:   the caller, to be freed with elm_free
 *  Errors: NULL with `err` filled when the product overflows or memory is exhausted; count 0
 *          gives a valid pointer */
void *elm_alloc(size_t count, size_t size_bytes, elm_error *err);

/** One block among several: its pointer's place, and what it is to hold. */
typedef struct elm_need {
    void *pointer; /* address of the pointer that receives it */
    size_t count, size_bytes;
} elm_need;

/** elm_alloc for each need in turn.
 *  Errors: -1 at the first that fails; the pointers behind it stay as they were */
int elm_alloc_each(const elm_need *needs, int count, elm_error *err);

/** Frees what elm_alloc gave; accepts NULL. */
void elm_free(void *memory);

/** Calls of elm_alloc since the program began: a steady-state step must not move it. */
int64_t elm_alloc_calls(void);

/** Blocks allocated and not yet freed. */
int64_t elm_alloc_live(void);

#endif
