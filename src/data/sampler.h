/* Sampler: which image stands where in an epoch. A new sampler is a row in sampler.c's table and a name here, in the same order. */
#ifndef ELMPI_DATA_SAMPLER_H
#define ELMPI_DATA_SAMPLER_H

#define ELM_ORDER_CHOICES "shuffle|sequential"
#define ELM_SAMPLER_CHOICES "instance"

/** Places in ELM_ORDER_CHOICES. */
enum { ELM_ORDER_SHUFFLE, ELM_ORDER_SEQUENTIAL };

#endif
