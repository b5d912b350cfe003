/* The optimizers' names, in the order of `optim.name`'s choices, and their rows. */
#ifndef ELMPI_OPTIM_OPTIMIZERS_H
#define ELMPI_OPTIM_OPTIMIZERS_H

#include "elmpi/optim.h"

#define ELM_OPTIMIZER_NAMES "sgd|adamw|lars"

extern const elm_optimizer elm_optimizer_sgd, elm_optimizer_adamw, elm_optimizer_lars;

#endif
