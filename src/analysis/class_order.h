/* Class order: classes by how many images they have. */
#ifndef ELMPI_ANALYSIS_CLASS_ORDER_H
#define ELMPI_ANALYSIS_CLASS_ORDER_H

#include <stdint.h>

#include "elmpi/status.h"

/** Shape:  count, order [classes]: the classes, the one with the most images first, the lower
 *          number first among equals
 *  Errors: memory */
int elm_class_order(int *order, const int64_t *count, int classes, elm_error *err);

#endif
