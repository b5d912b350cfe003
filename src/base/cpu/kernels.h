/* Kernels: hot loops that are compiled once for each instruction set (base/cpu/cpu.h) and chosen
 * when the program runs.
 *
 * A kernel file is named after KERNELS in its folder's CMakeLists.txt. Its loops are static
 * functions, and it ends in the table of those that others may call:
 *
 * const elm_sgd_kernels ELM_KERNEL(elm_sgd_kernels_of) = {.plain = plain, .nesterov = nesterov};
 *
 * whose type and name its header states:
 *
 * ELM_KERNELS(elm_sgd_kernels, elm_sgd_kernels_of);
 *
 * so that elm_sgd_kernels_of()->plain(...) runs the loop of the chosen instruction set.
 * Everything else that a kernel file shows to other files must be an ELM_KERNEL too: the file is
 * linked once for each set. */
#ifndef ELMPI_BASE_CPU_KERNELS_H
#define ELMPI_BASE_CPU_KERNELS_H

#include "base/cpu/cpu.h"

/* CMakeLists.txt names the set that is being compiled, and says whether there are others than
 * the baseline. */
#ifndef ELM_KERNEL_SET
#define ELM_KERNEL_SET baseline
#endif

#define ELM_KERNEL_JOIN(name, set) name##_##set
#define ELM_KERNEL_OF(name, set) ELM_KERNEL_JOIN(name, set)

/** The name in the set that is being compiled. */
#define ELM_KERNEL(name) ELM_KERNEL_OF(name, ELM_KERNEL_SET)

/** How many sets there are: the first so many of elm_isa. */
#ifdef ELMPI_KERNEL_SETS
enum { ELM_KERNEL_SET_COUNT = ELM_ISAS };
#else
enum { ELM_KERNEL_SET_COUNT = 1 };
#endif

/** Declares a table of kernels in every set, and the function that returns the chosen set's. */
#ifdef ELMPI_KERNEL_SETS
#define ELM_KERNELS(type, name)                                                                    \
    extern const type name##_baseline, name##_avx2, name##_avx512, name##_avx512_bf16;             \
    static inline const type *name(void)                                                           \
    {                                                                                              \
        static const type *const sets[ELM_ISAS] = {&name##_baseline, &name##_avx2, &name##_avx512, \
                                                   &name##_avx512_bf16};                           \
        return sets[elm_cpu_isa()];                                                                \
    }                                                                                              \
    extern const type ELM_KERNEL(name) /* a semicolon follows */
#else
#define ELM_KERNELS(type, name)                                                                    \
    extern const type name##_baseline;                                                             \
    static inline const type *name(void)                                                           \
    {                                                                                              \
        return &name##_baseline;                                                                   \
    }                                                                                              \
    extern const type ELM_KERNEL(name) /* a semicolon follows */
#endif

#endif
