/* The table of optimizers. */
#include "optim/optimizers.h"

#include <stddef.h>

static const elm_optimizer *const rows[] = {&elm_optimizer_sgd, &elm_optimizer_adamw,
                                            &elm_optimizer_lars};
enum { ROWS = sizeof rows / sizeof *rows };

const elm_optimizer *elm_optimizer_of(const elm_optim_options *options)
{
    return rows[options->optimizer];
}

const elm_optimizer *elm_optimizer_row(int i)
{
    return i >= 0 && i < ROWS ? rows[i] : NULL;
}
