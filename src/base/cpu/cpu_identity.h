/* CPU identity: text by which two kinds of processor can be told apart. */
#ifndef ELMPI_BASE_CPU_CPU_IDENTITY_H
#define ELMPI_BASE_CPU_CPU_IDENTITY_H

#include <stddef.h>

/** Maker, family, model, name and stepping as far as the system says them, or "unknown". A name
 * alone is often the same for generations of CPUs, above all in virtual machines. */
void elm_cpu_identity(char *text, size_t size_bytes);

#endif
