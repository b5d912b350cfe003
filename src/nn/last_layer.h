/* Last layer: the rows that make logits of embeddings. */
#ifndef ELMPI_NN_LAST_LAYER_H
#define ELMPI_NN_LAST_LAYER_H

#include "elmpi/net.h"

/** The network's tensor of that name, such as "fc.weight" [classes][width]; NULL where it has
 * none. Borrowed from the network. */
const elm_tensor *elm_last_layer(elm_net *net, const char *name);

#endif
