#include "elmpi/tensor.h"

#include <math.h>
#include <stddef.h>

const char *elm_tensors_not_finite(const elm_tensor *tensors, int count)
{
    for (int t = 0; t < count; t++)
        for (int64_t i = 0; i < tensors[t].count; i++)
            if (!isfinite(tensors[t].data[i]))
                return tensors[t].name;
    return NULL;
}
