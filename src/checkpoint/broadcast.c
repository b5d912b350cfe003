/* A checkpoint from rank 0 to all. One walk over the struct serves measuring, packing and
 * unpacking, so that the three cannot drift apart. Only the small parts are packed; tensor data
 * goes straight from and into its own memory, since a second copy of it would be large. */
#include "checkpoint/broadcast.h"

#include <string.h>

#include "elmpi/memory.h"

typedef enum direction { MEASURE, PACK, UNPACK } direction;

typedef struct parcel {
    direction direction;
    unsigned char *bytes;
    size_t used, size;
    int status; /* -1: memory ran out or the parcel is too short; the walk goes on without effect */
    elm_error *err;
} parcel;

static void walk_bytes(parcel *p, void *data, size_t size_bytes)
{
    if (p->status != 0)
        return;
    if (p->direction != MEASURE) {
        if (size_bytes > p->size - p->used) {
            p->status =
                elm_error_set(p->err, ELM_EXIT_FAILURE,
                              "a checkpoint arrived incomplete (broadcast): report this as a bug");
            return;
        }
        if (p->direction == PACK)
            memcpy(p->bytes + p->used, data, size_bytes);
        else
            memcpy(data, p->bytes + p->used, size_bytes);
    }
    p->used += size_bytes;
}

/* An array whose elements the caller walks: the given one, or on UNPACK `count` zeroed elements.
 * NULL when rank 0 has none or memory ran out. */
static void *walk_array(parcel *p, const void *array, int64_t count, size_t size_bytes)
{
    bool present = array != NULL;
    walk_bytes(p, &present, sizeof present);
    if (p->direction != UNPACK)
        return (void *)array;
    if (!present || p->status != 0)
        return NULL;
    void *fresh = elm_alloc((size_t)count, size_bytes, p->err);
    if (fresh == NULL)
        p->status = -1;
    return fresh;
}

/* An array without pointers inside. */
static void *walk_flat_array(parcel *p, const void *array, int64_t count, size_t size_bytes)
{
    void *there = walk_array(p, array, count, size_bytes);
    if (there != NULL)
        walk_bytes(p, there, (size_t)count * size_bytes);
    return there;
}

static const char *walk_text(parcel *p, const char *text)
{
    int64_t size = text != NULL ? (int64_t)strlen(text) + 1 : 0;
    walk_bytes(p, &size, sizeof size);
    return walk_flat_array(p, text, size, 1);
}

static void walk_classes(parcel *p, elm_checkpoint *c)
{
    walk_bytes(p, &c->classes, sizeof c->classes);
    const char **names = walk_array(p, c->class_names, c->classes, sizeof *names);
    for (int i = 0; names != NULL && i < c->classes; i++)
        names[i] = walk_text(p, names[i]);
    c->class_names = names;
    c->class_count = walk_flat_array(p, c->class_count, c->classes, sizeof *c->class_count);
}

static void walk_tensors(parcel *p, elm_checkpoint *c)
{
    walk_bytes(p, &c->tensor_count, sizeof c->tensor_count);
    c->tensors = walk_array(p, c->tensors, c->tensor_count, sizeof *c->tensors);
    for (int i = 0; c->tensors != NULL && i < c->tensor_count; i++) {
        float *data = c->tensors[i].data;
        /* with rank 0's address, replaced in the next line */
        walk_bytes(p, &c->tensors[i], sizeof c->tensors[i]);
        c->tensors[i].data = walk_array(p, data, c->tensors[i].count, sizeof *data);
    }
}

static void walk_history(parcel *p, elm_checkpoint *c)
{
    walk_bytes(p, &c->history_count, sizeof c->history_count);
    c->history = walk_array(p, c->history, c->history_count, sizeof *c->history);
    for (int i = 0; c->history != NULL && i < c->history_count; i++) {
        elm_history_column *column = &c->history[i];
        walk_bytes(p, column->name, sizeof column->name);
        walk_bytes(p, &column->count, sizeof column->count);
        column->values = walk_flat_array(p, column->values, column->count, sizeof *column->values);
    }
}

static void walk(parcel *p, elm_checkpoint *c)
{
    c->job = walk_text(p, c->job);
    c->git = walk_text(p, c->git);
    c->made_with = walk_text(p, c->made_with);
    c->chosen_on = walk_text(p, c->chosen_on);
    walk_bytes(p, &c->epoch, sizeof c->epoch);
    walk_bytes(p, &c->step, sizeof c->step);
    walk_bytes(p, &c->seed, sizeof c->seed);
    walk_bytes(p, &c->ranks, sizeof c->ranks);
    walk_bytes(p, &c->tail, sizeof c->tail);
    walk_classes(p, c);
    walk_bytes(p, &c->input, sizeof c->input);
    walk_tensors(p, c);
    walk_history(p, c);
    walk_bytes(p, &c->progress_count, sizeof c->progress_count);
    c->progress = walk_flat_array(p, c->progress, c->progress_count, sizeof *c->progress);
}

/* elm_checkpoint_free must not look into arrays that were not made. */
static void forget_missing(elm_checkpoint *c)
{
    c->classes = c->class_names != NULL ? c->classes : 0;
    c->tensor_count = c->tensors != NULL ? c->tensor_count : 0;
    c->history_count = c->history != NULL ? c->history_count : 0;
}

/* Rank 0: everything but tensor data in one block. */
static int pack(elm_checkpoint *checkpoint, parcel *p, elm_error *err)
{
    parcel measure = {.direction = MEASURE, .err = err};
    if (checkpoint == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "no checkpoint to share with the other ranks: report this");
    walk(&measure, checkpoint);
    *p = (parcel){.direction = PACK, .size = measure.used, .err = err};
    p->bytes = elm_alloc(p->size, 1, err);
    if (p->bytes == NULL)
        return -1;
    walk(p, checkpoint);
    return p->status;
}

/* The others: the struct with room for tensor data. */
static int unpack(elm_checkpoint **checkpoint, parcel *p)
{
    *checkpoint = elm_alloc(1, sizeof **checkpoint, p->err);
    if (*checkpoint == NULL)
        return -1;
    walk(p, *checkpoint);
    if (p->status != 0)
        forget_missing(*checkpoint);
    return p->status;
}

int elm_checkpoint_broadcast_all(elm_comm *comm, elm_checkpoint **checkpoint, elm_error *err)
{
    const bool root = elm_comm_rank(comm) == 0;
    parcel p = {.direction = UNPACK, .err = err};
    uint64_t size = 0;
    if (!root)
        *checkpoint = NULL;
    if (elm_comm_agree_all(comm, root ? pack(*checkpoint, &p, err) : 0, err) != 0)
        goto fail;
    size = p.size;
    elm_comm_broadcast_all(comm, &size, sizeof size);
    if (!root) {
        p.size = size;
        p.bytes = elm_alloc(p.size, 1, err);
    }
    if (elm_comm_agree_all(comm, p.bytes == NULL ? -1 : 0, err) != 0 || p.bytes == NULL)
        goto fail;
    elm_comm_broadcast_all(comm, p.bytes, p.size);
    if (elm_comm_agree_all(comm, root ? 0 : unpack(checkpoint, &p), err) != 0 ||
        *checkpoint == NULL)
        goto fail;
    for (int i = 0; i < (*checkpoint)->tensor_count; i++)
        elm_comm_broadcast_all(comm, (*checkpoint)->tensors[i].data,
                               (size_t)(*checkpoint)->tensors[i].count * sizeof(float));
    elm_free(p.bytes);
    return 0;

fail:
    elm_free(p.bytes);
    if (!root) {
        elm_checkpoint_free(*checkpoint);
        *checkpoint = NULL;
    }
    return -1;
}

int elm_checkpoint_read_all(elm_comm *comm, const char *path, elm_checkpoint **checkpoint,
                            elm_error *err)
{
    *checkpoint = NULL;
    const int status = elm_comm_rank(comm) == 0 ? elm_checkpoint_read(path, checkpoint, err) : 0;
    if (elm_comm_agree_all(comm, status, err) == 0 &&
        elm_checkpoint_broadcast_all(comm, checkpoint, err) == 0)
        return 0;
    elm_checkpoint_free(*checkpoint);
    *checkpoint = NULL;
    return -1;
}
