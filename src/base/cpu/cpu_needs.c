/* Nothing but data: this file is compiled as all others are, and is to run on CPUs that these
 * cannot run on. */
#include "base/cpu/cpu_features.h"

/* A macro that is defined expands to 1, one that is not to its name. */
#define TEXT(macro) #macro
#define NEEDS(identifier, name, leaf, sub, reg, bit, state, macro)                                 \
    | (sizeof TEXT(macro) == sizeof "1" ? ELM_CPU_BIT(identifier) : 0)

const uint64_t elm_cpu_needs = 0 ELM_CPU_FEATURES(NEEDS);
