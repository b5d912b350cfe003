/* The memory bank beyond a step: into a checkpoint, out of one, and anew where a checkpoint has
 * none. */
#include <stdio.h>

#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "train/bank_exchange.h"
#include "train/run/run.h"

static void next_piece(void *context, const void **piece, size_t *size_bytes)
{
    elm_bank_exchange_next(context, piece, size_bytes);
}

elm_checkpoint_tail elm_run_bank_tail(const elm_run *run)
{
    elm_bank_exchange *traffic = elm_trainer_bank(run->trainer);
    if (!traffic || !run->options.checkpoint.bank)
        return (elm_checkpoint_tail){0};
    const elm_memory_bank_layout layout =
        elm_memory_bank_layout_of(elm_bank_exchange_bank(traffic));
    elm_bank_exchange_rewind(traffic);
    return (elm_checkpoint_tail){.records = layout.records,
                                 .record_bytes = layout.record_bytes,
                                 .next = next_piece,
                                 .context = traffic};
}

/* Also after a failure, wherever it was: the others send all they have. */
void elm_run_bank_finish_all(const elm_run *run)
{
    elm_bank_exchange *traffic = elm_trainer_bank(run->trainer);
    if (!traffic || !run->options.checkpoint.bank)
        return;
    if (elm_comm_rank(run->comm) > 0) {
        elm_bank_exchange_rewind(traffic);
        elm_bank_exchange_send_rest(traffic);
        return;
    }
    const void *piece;
    size_t size_bytes;
    do
        elm_bank_exchange_next(traffic, &piece, &size_bytes);
    while (size_bytes > 0);
}

/* Rank 0's file. */
typedef struct source {
    char path[4400];
    const elm_checkpoint_tail *tail;
} source;

static int read_piece(void *context, int64_t offset, void *piece, size_t size_bytes, elm_error *err)
{
    const source *from = context;
    return elm_checkpoint_read_tail(from->path, from->tail, offset, piece, size_bytes, err);
}

static int load_all(elm_run *run, elm_bank_exchange *traffic, const elm_checkpoint *checkpoint,
                    const char *name, elm_error *err)
{
    const elm_memory_bank_layout layout =
        elm_memory_bank_layout_of(elm_bank_exchange_bank(traffic));
    source from = {.tail = &checkpoint->tail};
    if (layout.records != checkpoint->tail.records ||
        layout.record_bytes != checkpoint->tail.record_bytes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the checkpoint's memory bank holds %lld records of %zu bytes, this "
                             "run's %lld of %zu (%s): resume with the data "
                             "and job it was written with",
                             (long long)checkpoint->tail.records, checkpoint->tail.record_bytes,
                             (long long)layout.records, layout.record_bytes, name);
    if (run->folder)
        snprintf(from.path, sizeof from.path, "%s/%s", elm_run_folder_path(run->folder), name);
    return elm_bank_exchange_load_all(traffic, read_piece, &from, err);
}

/* The pass that makes the bank anew: in each round every rank embeds the next batch of its own,
 * and the rows go to their owners. */
typedef struct pass {
    elm_run *run;
    elm_memory_bank *bank;
    elm_loader *loader;
    elm_class_exchange *exchange;
    int batch;        /* images of a rank in a round, but for the last */
    int64_t *begin;   /* [size + 1] */
    int64_t *members; /* [size * batch] */
    bool *mark;       /* [batch] images of this rank's batch that could be read */
    float *nothing;   /* [batch][width] */
} pass;

static void release_pass(pass *p)
{
    elm_loader_destroy(p->loader);
    elm_class_exchange_destroy(p->exchange);
    elm_free(p->begin);
    elm_free(p->members);
    elm_free(p->mark);
    elm_free(p->nothing);
}

static int prepare_local(pass *p, elm_error *err)
{
    const int size = elm_comm_size(p->run->comm),
              width = elm_net_width(elm_trainer_net(p->run->trainer));
    const elm_need needs[] = {
        {&p->begin, (size_t)size + 1, sizeof *p->begin},
        {&p->members, (size_t)size * (size_t)p->batch, sizeof *p->members},
        {&p->mark, (size_t)p->batch, sizeof *p->mark},
        {&p->nothing, (size_t)p->batch * (size_t)width, sizeof *p->nothing},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err))
        return -1;
    return elm_loader_create_evaluation(&p->loader, p->run->train, p->batch,
                                        elm_comm_rank(p->run->comm), size, err);
}

static int prepare_all(pass *p, elm_error *err)
{
    elm_comm *comm = p->run->comm;
    if (elm_comm_agree_all(comm, prepare_local(p, err), err))
        return -1;
    const int64_t rows = (int64_t)elm_comm_size(comm) * p->batch;
    const elm_class_exchange_spec exchange = {.owner = elm_memory_bank_owners(p->bank),
                                              .width =
                                                  elm_net_width(elm_trainer_net(p->run->trainer)),
                                              .max_local = p->batch,
                                              .max_rows = rows,
                                              .max_kept = rows};
    return elm_class_exchange_create_all(&p->exchange, comm, &exchange, err);
}

/* Images [first, ...) of the data set, a batch for each rank as far as they go. */
static void round_all(pass *p, int64_t first)
{
    const elm_dataset *train = p->run->train;
    elm_net *net = elm_trainer_net(p->run->trainer);
    elm_watchdog_heartbeat(elm_comm_watch(p->run->comm));
    for (int r = 0; r <= elm_comm_size(p->run->comm); r++) {
        const int64_t place = (int64_t)r * p->batch;
        p->begin[r] = first + place < train->count ? place : train->count - first;
    }
    /* Without a batch although there are images, this rank's loader has failed: it says so at
     * the end, the others are not to wait. */
    const elm_batch *batch = elm_loader_next(p->loader);
    const float *embeddings =
        batch ? elm_net_embed_all(net, batch->input, batch->share, false) : p->nothing;
    for (int i = 0; batch && i < batch->share.local; i++)
        p->mark[i] = !(batch->unreadable && batch->unreadable[i]);
    elm_class_exchange_forget(p->exchange);
    elm_class_exchange_post_all(p->exchange, train->labels + first, p->begin, embeddings, p->mark);
    const elm_owned owned = elm_class_exchange_wait_all(p->exchange);
    for (int i = 0; i < owned.rows; i++)
        p->members[i] = first + owned.position[i];
    const double passed = (double)p->run->step / (double)p->run->steps_per_epoch;
    elm_memory_bank_store(
        p->bank, &(elm_bank_update){owned.rows, owned.embeddings, p->members, owned.mark, passed});
}

/* Images that cannot be read get no entry, as in training, which also judges how many there
 * may be. */
static int rebuild_all(elm_run *run, elm_bank_exchange *traffic, elm_error *err)
{
    pass p = {.run = run,
              .bank = elm_bank_exchange_bank(traffic),
              .batch = elm_evaluation_batch(&run->train->info)};
    int status = prepare_all(&p, err);
    for (int64_t first = 0; !status && first < run->train->count;
         first += (int64_t)elm_comm_size(run->comm) * p.batch)
        round_all(&p, first);
    if (!status)
        status = elm_comm_agree_all(run->comm, elm_loader_check_shards(p.loader, err), err);
    release_pass(&p);
    return status;
}

int elm_run_restore_bank_all(elm_run *run, const elm_checkpoint *checkpoint, const char *name,
                             elm_error *err)
{
    elm_bank_exchange *traffic = elm_trainer_bank(run->trainer);
    if (!traffic || checkpoint->step == 0)
        return 0;
    if (checkpoint->tail.records > 0)
        return load_all(run, traffic, checkpoint, name, err);
    if (elm_memory_bank_layout_of(elm_bank_exchange_bank(traffic)).records == 0)
        return 0;
    elm_log_info(run->log, "The checkpoint holds no memory bank (checkpoint.bank): making it anew "
                           "by a pass over the training set.");
    return rebuild_all(run, traffic, err);
}
