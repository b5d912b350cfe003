/* Which rank owns which class of the memory bank. */
#include <stdlib.h>

#include "elmpi/memory.h"
#include "loss/embedding/memory_bank.h"

int64_t elm_memory_bank_class_slots(const elm_loss_options *options, int64_t count)
{
    return options->bank_per_class >= 0 && options->bank_per_class < count ? options->bank_per_class
                                                                           : count;
}

typedef struct class_load {
    int32_t label;
    double memory, messages, work;
} class_load;

static int by_work(const void *a, const void *b)
{
    const class_load *x = a, *y = b;
    if (x->messages != y->messages)
        return x->messages > y->messages ? -1 : 1;
    return x->label < y->label ? -1 : 1;
}

/* Each class's shares of the whole. */
static void weigh(const elm_loss_options *options, elm_class_counts counts, class_load *load)
{
    class_load sum = {0};
    for (int c = 0; c < counts.classes; c++) {
        const double count = (double)counts.count[c],
                     slots = (double)elm_memory_bank_class_slots(options, counts.count[c]);
        /* + 1: fresh partners cost something too */
        load[c] = (class_load){c, slots, count, count * (slots + 1)};
        sum.memory += load[c].memory;
        sum.messages += load[c].messages;
        sum.work += load[c].work;
    }
    for (int c = 0; c < counts.classes; c++) {
        load[c].memory /= sum.memory > 0 ? sum.memory : 1;
        load[c].messages /= sum.messages > 0 ? sum.messages : 1;
        load[c].work /= sum.work > 0 ? sum.work : 1;
    }
}

int elm_memory_bank_assign(const elm_loss_options *options, elm_class_counts counts, int size,
                           int32_t *owner, elm_error *err)
{
    class_load *load = elm_alloc((size_t)counts.classes, sizeof *load, err);
    double *held = load ? elm_alloc((size_t)size, sizeof *held, err) : NULL;
    if (!held) {
        elm_free(load);
        return -1;
    }
    weigh(options, counts, load);
    qsort(load, (size_t)counts.classes, sizeof *load, by_work);
    for (int c = 0; c < counts.classes; c++) {
        int least = 0;
        for (int r = 1; r < size; r++)
            if (held[r] < held[least])
                least = r;
        owner[load[c].label] = least;
        held[least] += load[c].memory + load[c].messages + load[c].work;
    }
    elm_free(held);
    elm_free(load);
    return 0;
}
