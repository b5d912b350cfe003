/* Peak loops: endless chains of multiply-adds in registers, one loop for each kind of arithmetic
 * unit. */
#ifndef ELMPI_BASE_CPU_PEAK_LOOPS_H
#define ELMPI_BASE_CPU_PEAK_LOOPS_H

#include <stdbool.h>

typedef struct elm_peak_loop {
    const char *name;
    bool bf16;                /* products of bf16; else fp32 */
    bool (*available)(void);  /* whether CPU and operating system have the unit */
    void (*run)(long rounds); /* on the calling thread */
    double flops;             /* of a round */
} elm_peak_loop;

/** Ends with a row of zeros. Rows of units that this machine's kind lacks are left out. */
extern const elm_peak_loop elm_peak_loops[];

#endif
