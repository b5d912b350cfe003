#include <stddef.h>

#include "elmpi/comm.h"

const elm_option elm_comm_option_rows[] = {
    {"comm.compress", ELM_OPTION_CHOICE, offsetof(elm_comm_options, compress), "none", 0, 0,
     "none|bf16", NULL, NULL,
     "format of gradients in messages: fp32 (none), or rounded to bf16, which halves the bytes; "
     "sums are fp32 in either"},
    {"comm.bucket_kib", ELM_OPTION_INT, offsetof(elm_comm_options, bucket_kib), "1024", 1, 1 << 20,
     NULL, NULL, NULL,
     "gradients are sent in messages of at least so many KiB while earlier layers still "
     "compute: smaller ones are sent earlier, larger ones use the network better"},
    {0},
};
