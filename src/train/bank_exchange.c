#include "train/bank_exchange.h"

#include <string.h>

#include "comm/root_transfer.h"
#include "elmpi/memory.h"
#include "elmpi/watchdog.h"

enum { PIECE_BYTES = 1 << 20 };

struct elm_bank_exchange {
    elm_comm *comm;
    elm_memory_bank *bank;
    elm_class_exchange *exchange;
    int64_t *begin;   /* [size + 1] each rank's share of the images at work */
    int64_t *members; /* [batch] of the rows kept since the global batch began */
    bool *mark;       /* [max_local] this rank's images that are to be stored */
    int64_t kept;     /* rows of earlier parts */

    /* Class means, for terms that want them. */
    int classes, width;
    int *place;      /* [classes] among those that occur, -1: does not */
    int64_t *images; /* [classes] whose embeddings are in a mean */
    double *means;   /* [classes that occur][width] */

    /* The records, as they go to rank 0 or come from it. */
    elm_memory_bank_layout layout;
    char *piece;
    int64_t piece_records; /* that it holds */
    int32_t label;         /* of the next piece */
    int64_t first;         /* its first record in the class */
};

void elm_bank_exchange_destroy(elm_bank_exchange *t)
{
    if (!t)
        return;
    elm_memory_bank_destroy(t->bank);
    elm_class_exchange_destroy(t->exchange);
    elm_free(t->begin);
    elm_free(t->members);
    elm_free(t->mark);
    elm_free(t->place);
    elm_free(t->images);
    elm_free(t->means);
    elm_free(t->piece);
    elm_free(t);
}

static int create_local(elm_bank_exchange *t, const elm_bank_exchange_spec *spec, elm_error *err)
{
    const elm_memory_bank_spec bank = {.options = spec->options,
                                       .counts = spec->counts,
                                       .labels = spec->labels,
                                       .width = spec->width,
                                       .rank = elm_comm_rank(t->comm),
                                       .size = elm_comm_size(t->comm)};
    if (!spec->labels)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the memory bank needs the training set's labels (loss.scope): "
                             "use scope global here");
    if (elm_memory_bank_create(&t->bank, &bank, err))
        return -1;
    t->layout = elm_memory_bank_layout_of(t->bank);
    t->piece_records =
        t->layout.record_bytes < PIECE_BYTES ? (int64_t)(PIECE_BYTES / t->layout.record_bytes) : 1;
    t->classes = spec->counts.classes;
    t->width = spec->width;
    const size_t classes = (size_t)spec->counts.classes,
                 occur = spec->part < spec->counts.classes ? (size_t)spec->part : classes;
    const elm_need needs[] = {
        {&t->place, spec->means ? classes : 0, sizeof *t->place},
        {&t->images, spec->means ? classes : 0, sizeof *t->images},
        {&t->means, spec->means ? occur * (size_t)spec->width : 0, sizeof *t->means},
        {&t->begin, (size_t)bank.size + 1, sizeof *t->begin},
        {&t->members, (size_t)spec->batch, sizeof *t->members},
        {&t->mark, (size_t)spec->max_local, sizeof *t->mark},
        {&t->piece, (size_t)t->piece_records, t->layout.record_bytes},
    };
    return elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
}

int elm_bank_exchange_create_all(elm_bank_exchange **out, elm_comm *comm,
                                 const elm_bank_exchange_spec *spec, elm_error *err)
{
    elm_bank_exchange *t = elm_alloc(1, sizeof *t, err);
    *out = NULL;
    if (t)
        t->comm = comm;
    /* where t is NULL on any rank the agreement is -1 on all */
    if (elm_comm_agree_all(comm, t ? create_local(t, spec, err) : -1, err) || !t)
        goto fail;
    const elm_class_exchange_spec exchange = {.owner = elm_memory_bank_owners(t->bank),
                                              .width = spec->width,
                                              .max_local = spec->max_local,
                                              .max_rows = spec->part,
                                              .max_kept = spec->batch};
    if (elm_class_exchange_create_all(&t->exchange, comm, &exchange, err))
        goto fail;
    *out = t;
    return 0;
fail:
    elm_bank_exchange_destroy(t);
    return -1;
}

elm_memory_bank *elm_bank_exchange_bank(elm_bank_exchange *t)
{
    return t->bank;
}

void elm_bank_exchange_post_all(elm_bank_exchange *t, const elm_batch *batch,
                                const float *embeddings)
{
    const int size = elm_comm_size(t->comm);
    for (int r = 0; r <= size; r++)
        t->begin[r] = elm_partition_begin(batch->share.global, size, r);
    if (!batch->continues)
        elm_class_exchange_forget(t->exchange);
    /* Neither the zeros nor the replacement of an image that could not be read are
     * stored as its entry: the replacement would be in the bank twice, a positive of itself. */
    for (int i = 0; i < batch->share.local; i++)
        t->mark[i] = !(batch->unreadable && batch->unreadable[i]) &&
                     !(batch->replaced && batch->replaced[i]);
    elm_class_exchange_post_all(t->exchange, batch->microbatch_labels, t->begin, embeddings,
                                t->mark);
}

void elm_bank_exchange_poll(elm_bank_exchange *t)
{
    elm_class_exchange_poll(t->exchange);
}

elm_loss_batch elm_bank_exchange_wait_all(elm_bank_exchange *t, const elm_batch *batch,
                                          const elm_loss_batch *seen)
{
    const elm_owned owned = elm_class_exchange_wait_all(t->exchange);
    elm_loss_batch mine = *seen;
    if (!batch->continues)
        t->kept = 0;
    int64_t *members = t->members + t->kept;
    for (int i = 0; i < owned.rows; i++)
        members[i] = batch->members[owned.position[i]];
    t->kept += owned.rows;
    mine.first = 0;
    mine.local = owned.rows;
    mine.labels = owned.labels;
    mine.embeddings = owned.embeddings;
    mine.embeddings_gradient = owned.gradient;
    mine.members = members;
    mine.bank = t->bank;
    return mine;
}

/* Numbers the classes that occur; returns how many. */
static int find_places(elm_bank_exchange *t, const elm_batch *batch)
{
    int occur = 0;
    for (int c = 0; c < t->classes; c++)
        t->place[c] = -1;
    for (int64_t i = 0; i < batch->share.global; i++)
        t->place[batch->microbatch_labels[i]] = 0;
    for (int c = 0; c < t->classes; c++)
        if (t->place[c] == 0)
            t->place[c] = occur++;
    return occur;
}

/* The sums of owned classes become means: the batch's rows are in them, the bank's follow. */
static void finish_means(elm_bank_exchange *t)
{
    const int32_t *owner = elm_memory_bank_owners(t->bank);
    const int rank = elm_comm_rank(t->comm);
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < t->classes; c++) {
        if (t->place[c] < 0 || owner[c] != rank)
            continue;
        double *mean = t->means + (size_t)t->place[c] * (size_t)t->width;
        const double share = 1 / (double)(t->images[c] + elm_memory_bank_add_up(t->bank, c, mean));
        for (int k = 0; k < t->width; k++)
            mean[k] *= share;
    }
}

const double *elm_bank_exchange_means_all(elm_bank_exchange *t, const elm_batch *batch,
                                          const elm_loss_batch *owned, int64_t with_bank[3])
{
    const int occur = find_places(t, batch);
    const size_t width = (size_t)t->width;
    elm_memory_bank_begin(t->bank, owned);
    elm_memory_bank_cover(t->bank, owned, with_bank);
    memset(t->means, 0, (size_t)occur * width * sizeof *t->means);
    memset(t->images, 0, (size_t)t->classes * sizeof *t->images);
    for (int i = 0; i < owned->local; i++) {
        const int32_t c = owned->labels[i];
        double *sum = t->means + (size_t)t->place[c] * width;
        t->images[c]++;
        for (size_t k = 0; k < width; k++)
            sum[k] += (double)owned->embeddings[(size_t)i * width + k];
    }
    finish_means(t);
    /* One rank has each mean, the others zeros: the sum rounds nothing. */
    elm_comm_sum_all(t->comm, t->means, (int64_t)occur * t->width);
    return t->means;
}

void elm_bank_exchange_return_all(elm_bank_exchange *t, const elm_loss_batch *seen)
{
    elm_class_exchange_return_all(t->exchange, seen->embeddings_gradient);
}

void elm_bank_exchange_store(elm_bank_exchange *t, const elm_batch *batch)
{
    const elm_owned all = elm_class_exchange_kept(t->exchange);
    elm_memory_bank_store(
        t->bank, &(elm_bank_update){all.rows, all.embeddings, t->members, all.mark, batch->passed});
}

/* One piece: records of one class. */
typedef struct piece {
    int32_t label;
    int owner;
    int64_t first, count; /* count 0: there are no more */
    size_t size_bytes;
} piece;

static piece take_piece(elm_bank_exchange *t)
{
    int64_t records;
    elm_watchdog_heartbeat(elm_comm_watch(t->comm)); /* gigabytes may pass */
    const int32_t label = elm_memory_bank_next_class(t->bank, t->label, &records);
    if (records == 0)
        return (piece){0};
    const int64_t left = records - t->first,
                  count = left < t->piece_records ? left : t->piece_records;
    const piece p = {label, elm_memory_bank_owners(t->bank)[label], t->first, count,
                     (size_t)count * t->layout.record_bytes};
    t->label = count == left ? label + 1 : label;
    t->first = count == left ? 0 : t->first + count;
    return p;
}

void elm_bank_exchange_rewind(elm_bank_exchange *t)
{
    t->label = 0;
    t->first = 0;
}

void elm_bank_exchange_next(elm_bank_exchange *t, const void **bytes, size_t *size_bytes)
{
    const piece p = take_piece(t);
    *bytes = t->piece;
    *size_bytes = p.size_bytes;
    if (p.count == 0)
        return;
    if (p.owner == 0)
        elm_memory_bank_export(t->bank, p.label, p.first, p.count, t->piece);
    else
        elm_comm_send_to_root(t->comm, p.owner, t->piece, p.size_bytes);
}

void elm_bank_exchange_send_rest(elm_bank_exchange *t)
{
    const int rank = elm_comm_rank(t->comm);
    for (piece p = take_piece(t); p.count > 0; p = take_piece(t))
        if (p.owner == rank) {
            elm_memory_bank_export(t->bank, p.label, p.first, p.count, t->piece);
            elm_comm_send_to_root(t->comm, p.owner, t->piece, p.size_bytes);
        }
}

int elm_bank_exchange_load_all(elm_bank_exchange *t, elm_piece_reader read, void *context,
                               elm_error *err)
{
    const int rank = elm_comm_rank(t->comm);
    int64_t offset = 0;
    int status = 0;
    elm_bank_exchange_rewind(t);
    for (piece p = take_piece(t); p.count > 0; p = take_piece(t)) {
        /* After a failure pieces still travel, as their owners wait for them; the load has
         * failed as a whole. */
        if (rank == 0 && !status)
            status = read(context, offset, t->piece, p.size_bytes, err);
        offset += (int64_t)p.size_bytes;
        if (rank == 0 || rank == p.owner)
            elm_comm_send_from_root(t->comm, p.owner, t->piece, p.size_bytes);
        if (rank == p.owner && !status)
            status = elm_memory_bank_import(t->bank, p.label, p.first, p.count, t->piece, err);
    }
    return elm_comm_agree_all(t->comm, status, err);
}
