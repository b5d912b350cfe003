/* Peak: what the arithmetic units of this machine can do, measured, so that speed can be stated as a share of it. */
#ifndef ELMPI_PEAK_H
#define ELMPI_PEAK_H

/** fp32 GFLOP/s of independent fused multiply-adds in registers on `threads` threads, best of several runs that take about `seconds` in
 * all. Ranks:  local; ranks that share a machine must measure at the same time */
double elm_peak_gflops(int threads, double seconds);

#endif
