/* CPU: what this one can do, and for which instruction set elmpi's own kernels compute. */
#ifndef ELMPI_BASE_CPU_CPU_H
#define ELMPI_BASE_CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>

#include "elmpi/status.h"

/** Instruction sets that kernels are compiled for, the lowest first: a CPU that has one has
 * those before it. On other machines than x86 there is the baseline alone, which is what the
 * build was compiled for. */
typedef enum elm_isa {
    ELM_ISA_BASELINE,    /* x86-64-v2: SSE4.2 */
    ELM_ISA_AVX2,        /* x86-64-v3: AVX2, FMA, F16C, BMI */
    ELM_ISA_AVX512,      /* x86-64-v4: AVX-512 F, BW, CD, DQ, VL */
    ELM_ISA_AVX512_BF16, /* and AVX512-BF16 */
    ELM_ISAS,
} elm_isa;

/** Indexed by elm_isa. */
extern const char *const elm_isa_names[ELM_ISAS];

/** The best that CPU and operating system offer. */
elm_isa elm_cpu_best(void);

/** Chooses the instruction set for this process: the best one, or a lower one that the
 * environment's ELMPI_ISA names. Programs call it before they compute.
 *  Errors: ELM_EXIT_USAGE where ELMPI_ISA names none, or one that this CPU lacks */
int elm_cpu_choose(elm_error *err);

/** The chosen instruction set. Chooses where nobody has; then a wrong ELMPI_ISA ends the process
 * with its message. */
elm_isa elm_cpu_isa(void);

enum { ELM_CPU_NAME_SIZE = 64 };

/** What the CPU calls itself, e.g. "AMD EPYC 7543 32-Core Processor". */
const char *elm_cpu_name(char text[ELM_CPU_NAME_SIZE]);

/** Whether CPU and operating system offer AMX's tiles of bf16 (the peak meter counts them;
 * kernels are oneDNN's). */
bool elm_cpu_has_amx_bf16(void);

#endif
