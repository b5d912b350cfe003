#include "nn/last_layer.h"

#include <string.h>

const elm_tensor *elm_last_layer(elm_net *net, const char *name)
{
    const elm_net_parameters view = elm_net_view(net);
    for (int p = 0; p < view.count; p++)
        if (strcmp(view.tensors[p].name, name) == 0)
            return &view.tensors[p];
    return NULL;
}
