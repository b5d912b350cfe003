/* Names of formats and layouts, as job files and messages have them. */
#include "elmpi/net.h"

const char *const elm_precision_names[] = {"auto", "fp32", "bf16"};
const char *const elm_layout_names[] = {"auto", "blocked", "nhwc", "nchw"};
