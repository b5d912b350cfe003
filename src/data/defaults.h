/* Defaults: those of data options that are needed as numbers and, in the option rows, as texts. */
#ifndef ELMPI_DATA_DEFAULTS_H
#define ELMPI_DATA_DEFAULTS_H

#define ELM_DATA_CROP 224
#define ELM_DATA_THREADS 2
#define ELM_DATA_UNREADABLE 0.01

#define ELM_NORMALIZE_CHOICES "store|half"

/** Places in ELM_NORMALIZE_CHOICES. */
enum { ELM_NORMALIZE_STORE, ELM_NORMALIZE_HALF };

#endif
