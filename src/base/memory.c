#include "elmpi/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The counters are the one state that the whole program shares: tests read them. */
static atomic_int_fast64_t calls, live;

void *elm_alloc(size_t count, size_t size_bytes, elm_error *err)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size_bytes, &bytes) || bytes > SIZE_MAX - ELM_ALIGNMENT) {
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "%zu elements of %zu bytes overflow the address space (memory): check the "
                      "sizes asked for",
                      count, size_bytes);
        return NULL;
    }
    const size_t rounded =
        bytes ? (bytes + ELM_ALIGNMENT - 1) / ELM_ALIGNMENT * ELM_ALIGNMENT : ELM_ALIGNMENT;
    void *memory = aligned_alloc(ELM_ALIGNMENT, rounded);
    if (!memory) {
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "out of memory (%zu bytes asked for): use a smaller batch, more ranks on "
                      "more hosts, or a host with more memory",
                      bytes);
        return NULL;
    }
    memset(memory, 0, rounded);
    atomic_fetch_add(&calls, 1);
    atomic_fetch_add(&live, 1);
    return memory;
}

int elm_alloc_each(const elm_need *needs, int count, elm_error *err)
{
    for (int i = 0; i < count; i++) {
        void *memory = elm_alloc(needs[i].count, needs[i].size_bytes, err);
        if (!memory)
            return -1;
        memcpy(needs[i].pointer, &memory, sizeof memory);
    }
    return 0;
}

void elm_free(void *memory)
{
    if (!memory)
        return;
    atomic_fetch_sub(&live, 1);
    free(memory);
}

int64_t elm_alloc_calls(void)
{
    return atomic_load(&calls);
}

int64_t elm_alloc_live(void)
{
    return atomic_load(&live);
}
