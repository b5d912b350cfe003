/* Peak: what the arithmetic units of this machine can do, measured, so that speed can be stated
 * as a share of it. */
#ifndef ELMPI_BASE_CPU_PEAK_H
#define ELMPI_BASE_CPU_PEAK_H

/** fp32 GFLOP/s of independent multiply-adds in registers on `threads` threads, best of several
 * runs that take about `seconds` in all: of the widest unit that pays (AVX-512, AVX2, SSE; NEON),
 * whatever ELMPI_ISA says.
 *  Ranks:  local; ranks that share a machine must measure at the same time */
double elm_peak_gflops(int threads, double seconds);

/** The same of bf16 multiplied and added into fp32 (AVX512-BF16, AMX); 0 where the CPU lacks it. */
double elm_peak_bf16_gflops(int threads, double seconds);

/** GB/s that `threads` threads read and write together in a pass of y = a x + b over arrays far
 * larger than the caches, best of several runs that take about `seconds` in all; 0 without the
 * memory for it (128 MiB).
 *  Ranks:  as above */
double elm_peak_gbytes_per_s(int threads, double seconds);

#endif
