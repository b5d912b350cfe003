#ifndef ELMPI_NN_INIT_H
#define ELMPI_NN_INIT_H

#include "nn/graph.h"

/** Fills a parameter with its first values, a pure function of (seed, name). */
void elm_init_parameter(elm_tensor *parameter, elm_init init, int64_t fan_in, uint64_t seed);

#endif
