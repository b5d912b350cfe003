/* The store itself is a table of slots, class by class; an image finds its slot through an index
 * over all training images (4 bytes an image on every rank: 1.7 MB for iNaturalist). A class
 * without a cap has a slot for each of its images, given out as they are first seen. */
#include "loss/embedding/memory_bank.h"

#include <math.h>
#include <string.h>

#include "base/long_tail.h"
#include "elmpi/memory.h"

struct elm_memory_bank {
    int width, classes;
    bool normalize, half;
    double max_age, start_epoch, momentum;
    int64_t images, slots;
    const int32_t *labels;
    int32_t *owner;   /* [classes] */
    int64_t *room;    /* [classes] slots of a class, whoever owns it */
    int64_t *first;   /* [classes] of this rank's slots */
    int64_t *filled;  /* [classes] slots given out; 0 for other ranks' classes */
    int *group;       /* [classes] head, torso, tail */
    int64_t *usable;  /* [classes] entries listed for the present batch */
    int32_t *list;    /* [slots] a class's usable entries, from first[class] on */
    int32_t *slot_of; /* [images] -1: none */
    int32_t *image;   /* [slots] */
    /* [slots] last turn in which the batch held its image, or in which it was written */
    int64_t *touched;
    double *when;   /* [slots] epochs done when it was written */
    double *scale;  /* [slots] */
    float *fp32;    /* [slots][width], or */
    elm_bf16 *bf16; /* the same */
    int64_t turn;   /* of elm_memory_bank_begin and elm_memory_bank_store */
    double now;     /* of the present batch */
    bool active;    /* the start epoch has come, and there is an age at which entries count */
};

enum { RECORD_HEAD = 16 };

void elm_memory_bank_destroy(elm_memory_bank *b)
{
    if (!b)
        return;
    void *all[] = {b->group,  b->owner, b->room,    b->first, b->filled,
                   b->usable, b->list,  b->slot_of, b->image, b->touched,
                   b->when,   b->scale, b->fp32,    b->bf16,  b};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static int allocate_classes(elm_memory_bank *b, const elm_memory_bank_spec *spec, elm_error *err)
{
    const size_t classes = (size_t)b->classes;
    const elm_need needs[] = {
        {&b->owner, classes, sizeof *b->owner},   {&b->room, classes, sizeof *b->room},
        {&b->first, classes, sizeof *b->first},   {&b->filled, classes, sizeof *b->filled},
        {&b->usable, classes, sizeof *b->usable}, {&b->group, classes, sizeof *b->group},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) ||
        elm_memory_bank_assign(spec->options, spec->counts, spec->size, b->owner, err))
        return -1;
    for (int c = 0; c < b->classes; c++) {
        b->room[c] = elm_memory_bank_class_slots(spec->options, spec->counts.count[c]);
        b->group[c] = elm_class_group(spec->counts.count[c]);
        b->first[c] = b->slots;
        b->slots += b->owner[c] == spec->rank ? b->room[c] : 0;
    }
    return 0;
}

static int allocate_slots(elm_memory_bank *b, elm_error *err)
{
    const size_t slots = (size_t)b->slots, values = slots * (size_t)b->width;
    const elm_need needs[] = {
        {&b->list, slots, sizeof *b->list},
        {&b->slot_of, (size_t)b->images, sizeof *b->slot_of},
        {&b->image, slots, sizeof *b->image},
        {&b->touched, slots, sizeof *b->touched},
        {&b->when, slots, sizeof *b->when},
        {&b->scale, slots, sizeof *b->scale},
        {&b->fp32, b->half ? 0 : values, sizeof *b->fp32},
        {&b->bf16, b->half ? values : 0, sizeof *b->bf16},
    };
    if (b->images > INT32_MAX)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "the memory bank counts images in 31 bits (loss.scope): use scope global");
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err))
        return -1;
    for (int64_t i = 0; i < b->images; i++)
        b->slot_of[i] = -1;
    for (int64_t s = 0; s < b->slots; s++)
        b->scale[s] = 1;
    return 0;
}

int elm_memory_bank_create(elm_memory_bank **bank, const elm_memory_bank_spec *spec, elm_error *err)
{
    const elm_loss_options *o = spec->options;
    elm_memory_bank *b = elm_alloc(1, sizeof *b, err);
    *bank = NULL;
    if (!b)
        return -1;
    *b = (elm_memory_bank){.width = spec->width,
                           .classes = spec->counts.classes,
                           .normalize = o->pull_normalize,
                           .half = o->bank_precision == 1,
                           .max_age = o->bank_max_age,
                           .start_epoch = o->bank_start_epoch,
                           .momentum = o->bank_momentum,
                           .images = spec->counts.total,
                           .labels = spec->labels};
    if (allocate_classes(b, spec, err) || allocate_slots(b, err)) {
        elm_memory_bank_destroy(b);
        return -1;
    }
    *bank = b;
    return 0;
}

const int32_t *elm_memory_bank_owners(const elm_memory_bank *bank)
{
    return bank->owner;
}

int64_t elm_memory_bank_slots(const elm_memory_bank *bank)
{
    return bank->slots;
}

size_t elm_memory_bank_bytes(const elm_memory_bank *b)
{
    const size_t value = b->half ? sizeof *b->bf16 : sizeof *b->fp32;
    const size_t slot = sizeof *b->list + sizeof *b->image + sizeof *b->touched + sizeof *b->when +
                        sizeof *b->scale;
    return (size_t)b->slots * (value * (size_t)b->width + slot) +
           (size_t)b->images * sizeof *b->slot_of;
}

/* An epoch's worth of rounding must not make an entry of exactly that age too old. */
static bool is_young(const elm_memory_bank *b, int64_t slot)
{
    return b->now - b->when[slot] <= b->max_age + 1e-9;
}

static void list_usable(elm_memory_bank *b, int32_t label)
{
    const int64_t first = b->first[label];
    for (int64_t s = first; b->active && s < first + b->filled[label]; s++)
        if (b->touched[s] != b->turn && is_young(b, s))
            b->list[first + b->usable[label]++] = (int32_t)s;
}

void elm_memory_bank_begin(elm_memory_bank *b, const elm_loss_batch *batch)
{
    b->turn++;
    b->now = batch->moment.passed;
    /* entries recreated on resuming have age 0 */
    b->active = b->now >= b->start_epoch - 1e-9 && b->max_age > 0;
    for (int i = 0; i < batch->local; i++) {
        b->usable[batch->labels[i]] = -1;
        if (b->slot_of[batch->members[i]] >= 0)
            b->touched[b->slot_of[batch->members[i]]] = b->turn;
    }
    for (int i = 0; i < batch->local; i++)
        if (b->usable[batch->labels[i]] < 0) {
            b->usable[batch->labels[i]] = 0;
            list_usable(b, batch->labels[i]);
        }
}

int64_t elm_memory_bank_usable(const elm_memory_bank *b, int32_t label, const int32_t **slot)
{
    *slot = b->list + b->first[label];
    return b->usable[label];
}

static void add_floats(const float *x, int width, double *sum)
{
#pragma omp simd
    for (int k = 0; k < width; k++)
        sum[k] += (double)x[k];
}

static void add_halves(const elm_bf16 *x, int width, double *sum)
{
#pragma omp simd
    for (int k = 0; k < width; k++)
        sum[k] += (double)elm_bf16_to_float(x[k]);
}

int64_t elm_memory_bank_add_up(const elm_memory_bank *b, int32_t label, double *sum)
{
    for (int64_t i = 0; i < b->usable[label]; i++) {
        const size_t at = (size_t)b->list[b->first[label] + i] * (size_t)b->width;
        if (b->half)
            add_halves(b->bf16 + at, b->width, sum);
        else
            add_floats(b->fp32 + at, b->width, sum);
    }
    return b->usable[label];
}

void elm_memory_bank_cover(const elm_memory_bank *b, const elm_loss_batch *batch,
                           int64_t with_bank[3])
{
    for (int i = 0; i < batch->local; i++)
        with_bank[b->group[batch->labels[i]]] += b->usable[batch->labels[i]] > 0;
}

int64_t elm_memory_bank_entry_of(const elm_memory_bank *b, int64_t member)
{
    const int32_t slot = b->slot_of[member];
    return slot >= 0 && is_young(b, slot) ? slot : -1;
}

elm_memory_bank_row elm_memory_bank_at(const elm_memory_bank *b, int64_t slot)
{
    const size_t at = (size_t)slot * (size_t)b->width;
    return (elm_memory_bank_row){b->half ? NULL : b->fp32 + at, b->half ? b->bf16 + at : NULL,
                                 b->scale[slot]};
}

/* Shorter vectors have no direction, as in pull.c. */
static const double length_min = 1e-12;

static double value_at(const elm_memory_bank *b, int64_t slot, int k)
{
    const size_t at = (size_t)slot * (size_t)b->width + (size_t)k;
    return b->half ? (double)elm_bf16_to_float(b->bf16[at]) : (double)b->fp32[at];
}

/* From the values as they are stored, so that what is read back from a checkpoint has the same
 * bits. */
static void find_scale(elm_memory_bank *b, int64_t slot)
{
    double sum = 0;
    for (int k = 0; b->normalize && k < b->width; k++)
        sum += value_at(b, slot, k) * value_at(b, slot, k);
    if (b->normalize)
        b->scale[slot] = sqrt(sum) <= length_min ? 0 : 1 / sqrt(sum);
}

/* `old`: the share of what is there. */
static void write_entry(elm_memory_bank *b, int64_t slot, const float *x, double old)
{
    const size_t at = (size_t)slot * (size_t)b->width;
    for (int k = 0; k < b->width; k++) {
        const double mixed =
            old > 0 ? old * value_at(b, slot, k) + (1 - old) * (double)x[k] : (double)x[k];
        if (b->half)
            b->bf16[at + (size_t)k] = elm_bf16_from_float((float)mixed);
        else
            b->fp32[at + (size_t)k] = (float)mixed;
    }
    find_scale(b, slot);
}

static void give_up(elm_memory_bank *b, int64_t slot)
{
    b->slot_of[b->image[slot]] = -1;
}

/* A slot for an image without one: a free one, else that of the oldest entry that was not
 * written in this turn; -1: all were. */
static int64_t find_slot(elm_memory_bank *b, int32_t label)
{
    const int64_t first = b->first[label];
    if (b->filled[label] < b->room[label])
        return first + b->filled[label]++;
    int64_t oldest = -1;
    for (int64_t s = first; s < first + b->filled[label]; s++)
        if (b->touched[s] != b->turn && (oldest < 0 || b->when[s] < b->when[oldest]))
            oldest = s;
    if (oldest >= 0)
        give_up(b, oldest);
    return oldest;
}

static void store_row(elm_memory_bank *b, const elm_bank_update *news, int64_t row)
{
    const int64_t member = news->members[row];
    int64_t slot = b->slot_of[member];
    const bool known = slot >= 0;
    if (known && b->touched[slot] == b->turn)
        return; /* a later place in the batch held the same image */
    if (!known)
        slot = find_slot(b, b->labels[member]);
    if (slot < 0)
        return;
    write_entry(b, slot, news->embeddings + (size_t)row * (size_t)b->width,
                known ? b->momentum : 0);
    b->slot_of[member] = (int32_t)slot;
    b->image[slot] = (int32_t)member;
    b->when[slot] = news->passed;
    b->touched[slot] = b->turn;
}

/* Backwards, so that what comes last stays. */
void elm_memory_bank_store(elm_memory_bank *b, const elm_bank_update *news)
{
    b->turn++;
    for (int64_t row = news->rows - 1; row >= 0; row--)
        if (!news->keep || news->keep[row])
            store_row(b, news, row);
}

static size_t record_bytes_of(const elm_memory_bank *b)
{
    return RECORD_HEAD + (size_t)b->width * (b->half ? sizeof *b->bf16 : sizeof *b->fp32);
}

elm_memory_bank_layout elm_memory_bank_layout_of(const elm_memory_bank *b)
{
    elm_memory_bank_layout layout = {0, record_bytes_of(b)};
    for (int c = 0; c < b->classes; c++)
        layout.records += b->room[c];
    return layout;
}

int32_t elm_memory_bank_next_class(const elm_memory_bank *b, int32_t label, int64_t *records)
{
    while (label < b->classes && b->room[label] == 0)
        label++;
    *records = label < b->classes ? b->room[label] : 0;
    return label;
}

static void *values_of(const elm_memory_bank *b, int64_t slot)
{
    const size_t at = (size_t)slot * (size_t)b->width;
    return b->half ? (void *)(b->bf16 + at) : (void *)(b->fp32 + at);
}

void elm_memory_bank_export(const elm_memory_bank *b, int32_t label, int64_t first, int64_t count,
                            void *records)
{
    const size_t bytes = record_bytes_of(b);
    for (int64_t i = 0; i < count; i++) {
        const int64_t slot = b->first[label] + first + i;
        const bool there = first + i < b->filled[label];
        const double when = there ? b->when[slot] : -1;
        const int64_t image = there ? b->image[slot] : -1;
        char *record = (char *)records + (size_t)i * bytes;
        memcpy(record, &when, sizeof when);
        memcpy(record + sizeof when, &image, sizeof image);
        memcpy(record + RECORD_HEAD, values_of(b, slot), bytes - RECORD_HEAD);
    }
}

int elm_memory_bank_import(elm_memory_bank *b, int32_t label, int64_t first, int64_t count,
                           const void *records, elm_error *err)
{
    const size_t bytes = record_bytes_of(b);
    for (int64_t i = 0; i < count; i++) {
        const char *record = (const char *)records + (size_t)i * bytes;
        const int64_t slot = b->first[label] + first + i;
        double when;
        int64_t image;
        memcpy(&when, record, sizeof when);
        memcpy(&image, record + sizeof when, sizeof image);
        if (when < 0)
            continue;
        /* Slots are given out in order, so entries of a class have no gaps. */
        if (!isfinite(when) || image < 0 || image >= b->images || b->labels[image] != label ||
            b->slot_of[image] >= 0 || b->filled[label] != first + i)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "the checkpoint's memory bank does not fit this data set (class "
                                 "%d): resume with the "
                                 "data and job it was written with",
                                 (int)label);
        memcpy(values_of(b, slot), record + RECORD_HEAD, bytes - RECORD_HEAD);
        b->filled[label]++;
        b->when[slot] = when;
        b->image[slot] = (int32_t)image;
        b->slot_of[image] = (int32_t)slot;
        find_scale(b, slot);
    }
    return 0;
}
