/* Safetensors. The header's length, which nothing but chance would get right, is brought within
 * the file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/safetensors/safetensors.h"
#include "elmpi/memory.h"
#include "input.h"

enum { LENGTH_BYTES = 8 };

static void mend_length(uint8_t *bytes, size_t size_bytes)
{
    uint64_t length = 0;
    if (size_bytes < LENGTH_BYTES)
        return;
    for (int i = 0; i < LENGTH_BYTES; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    /* A length that only the highest bytes make impossible stays: it must be refused. */
    if (length >> 32 == 0)
        length %= size_bytes - LENGTH_BYTES + 1;
    for (int i = 0; i < LENGTH_BYTES; i++)
        bytes[i] = (uint8_t)(length >> 8 * i);
}

static void check_tensors(const elm_checkpoint *read, size_t size_bytes)
{
    size_t count = 0;
    volatile float sum = 0;
    for (int t = 0; t < read->tensor_count; t++) {
        const elm_tensor *tensor = &read->tensors[t];
        int64_t product = 1;
        for (int i = 0; i < tensor->dimensions; i++)
            product *= tensor->shape[i];
        fuzz_demand(tensor->dimensions <= ELM_RANK_MAX && product == tensor->count && product >= 0,
                    "a shape that fits the count");
        for (int64_t i = 0; i < tensor->count; i++)
            sum = sum + tensor->data[i];
        count += (size_t)tensor->count;
    }
    fuzz_demand(2 * count <= size_bytes, "no more numbers than the file holds");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    uint8_t *copy = malloc(size_bytes + 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes, size_bytes);
    mend_length(copy, size_bytes);
    fuzz_file file = fuzz_file_make(copy, size_bytes);
    elm_checkpoint *read = NULL;
    elm_error err = {0};
    const int status = elm_safetensors_read(file.path, &read, &err);
    fuzz_check_status(status, &err);
    fuzz_demand((status == 0) == (read != NULL), "a result or an error");
    if (read != NULL)
        check_tensors(read, size_bytes);
    elm_checkpoint_free(read);
    fuzz_file_remove(&file);
    free(copy);
    fuzz_end(begun);
    return 0;
}
