#include "elmpi/loader.h"

#include <signal.h>

#include "base/process/clock.h"
#include "data/loader_state.h"
#include "elmpi/memory.h"

int64_t elm_loader_batches(const elm_dataset *dataset, int64_t batch, bool drop_last)
{
    const int64_t whole = dataset->count / batch;
    return drop_last && whole > 0 ? whole : whole + (dataset->count % batch != 0);
}

/* The epoch's place of the record at `position`. */
static int64_t member_at(elm_loader *loader, int64_t position)
{
    if (!loader->training)
        return position;
    if (loader->order_epoch != loader->epoch) {
        elm_sampler_fill(loader->sampler, loader->seed, loader->epoch, loader->order);
        loader->order_epoch = loader->epoch;
    }
    return loader->order[position];
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Images of the global batch that is being laid out. */
static int64_t batch_images(const elm_loader *loader)
{
    return least(loader->batch, loader->dataset->count - loader->index * loader->batch);
}

/* Parts of a global batch: none larger than loader->part, and as even as can be, since what a
 * part's images see of each other (BatchNorm, pairs) should not depend on what is left over. */
static int parts_of(const elm_loader *loader, int64_t images)
{
    return (int)((images + loader->part - 1) / loader->part);
}

/* Draws the global batch's mixing, and takes down whom this rank's images are mixed with. */
static void lay_out_mixing(const elm_loader *loader, loader_slot *slot, int64_t first)
{
    const elm_store_info *info = &loader->dataset->info;
    elm_batch *batch = &slot->batch;
    slot->mixing = (elm_mixing){0};
    if (!loader->records.mixes)
        return;
    slot->mixing = elm_mixing_draw(loader->options, loader->seed, loader->epoch, loader->index,
                                   batch->images, info->height, info->width, slot->partner);
    if (!slot->mixing.mixes)
        return;
    for (int i = 0; i < batch->share.local; i++)
        slot->partner_labels[i] = slot->labels[slot->partner[first + batch->share.first + i]];
    batch->partner_labels = slot->partner_labels;
    batch->own_share = slot->mixing.share;
}

/* Who is in the part (epoch, index, turn): a function of the three, so that it does not matter
 * when or where it is made. */
static void lay_out(elm_loader *loader, loader_slot *slot)
{
    const int64_t start = loader->index * loader->batch, images = batch_images(loader);
    const int parts = parts_of(loader, images);
    const int64_t first = elm_partition_begin(images, parts, loader->turn),
                  global = elm_partition_begin(images, parts, loader->turn + 1) - first;
    const elm_partition share = loader->training
                                    ? elm_partition_of(global, loader->size, loader->rank)
                                    : (elm_partition){global, 0, (int)global, 1};
    for (int64_t i = 0; i < images; i++) {
        slot->members[i] = member_at(loader, start + i);
        slot->labels[i] = loader->dataset->labels[slot->members[i]];
    }
    slot->handed = slot->done = 0;
    slot->batch = (elm_batch){
        .epoch = loader->epoch,
        .index = loader->index,
        .position = start + first,
        .passed = (double)loader->epoch + (double)start / (double)loader->dataset->count,
        .continues = first > 0,
        .more = first + global < images,
        .share = share,
        .input = slot->input,
        .labels = slot->labels + first + share.first,
        .microbatch_labels = slot->labels + first,
        .members = slot->members + first,
        .unreadable = slot->unreadable,
        .replaced = slot->replaced,
        .images = images,
        .global_labels = slot->labels,
    };
    lay_out_mixing(loader, slot, first);
}

/* Moves on to this rank's next part; false after the last one. */
static bool advance(elm_loader *loader)
{
    if (!loader->training) {
        loader->index += loader->size;
        return loader->index < loader->batches;
    }
    if (++loader->turn < parts_of(loader, batch_images(loader)))
        return true;
    loader->turn = 0;
    if (++loader->index == loader->batches) {
        loader->index = 0;
        loader->epoch++;
    }
    return true;
}

/* Mixes the partner into this rank's image i, as it stands at its own place of the batch; false
 * where it cannot be read. */
static bool mix(elm_loader *loader, elm_sample_reader *reader, const loader_slot *slot, int i)
{
    const elm_batch *batch = &slot->batch;
    const elm_store_info *info = &loader->dataset->info;
    const int64_t begin = batch->index * loader->batch, /* of the global batch in the epoch */
        place = slot->partner[batch->position - begin + batch->share.first + i];
    const bool features = info->features > 0;
    if (elm_sample_load(&loader->records, reader, slot->members[place], batch->epoch, begin + place,
                        reader->partner) == ELM_RECORD_NOTHING)
        return false;
    elm_mixing_apply(&slot->mixing, features ? info->features : info->channels,
                     features ? 1 : info->height, features ? 1 : info->width,
                     slot->input + i * loader->records.values, reader->partner);
    return true;
}

static void fill(elm_loader *loader, elm_sample_reader *reader, loader_slot *slot, int first,
                 int count)
{
    const elm_partition share = slot->batch.share;
    for (int i = first; i < first + count; i++) {
        const elm_sample_content content = elm_sample_load(
            &loader->records, reader, slot->batch.members[share.first + i], slot->batch.epoch,
            slot->batch.position + share.first + i, slot->input + i * loader->records.values);
        slot->unreadable[i] = content == ELM_RECORD_NOTHING;
        slot->replaced[i] = content == ELM_RECORD_SUBSTITUTE;
        if (slot->mixing.mixes && !mix(loader, reader, slot, i))
            slot->unreadable[i] = true;
    }
}

/* The batch laid out last, if some of it is still to be handed out. */
static loader_slot *slot_with_work(elm_loader *loader)
{
    loader_slot *slot = &loader->slots[(loader->begun + LOADER_SLOTS - 1) % LOADER_SLOTS];
    return loader->begun > 0 && slot->handed < slot->batch.share.local ? slot : NULL;
}

/* Batches become ready in their order, whichever is filled first. */
static void note_prepared(elm_loader *loader)
{
    while (loader->prepared < loader->begun) {
        const loader_slot *slot = &loader->slots[loader->prepared % LOADER_SLOTS];
        if (slot->done < slot->batch.share.local)
            return;
        loader->prepared++;
        pthread_cond_broadcast(&loader->changed);
    }
}

/* Under the mutex, which is given up while records are filled. */
static void do_records(elm_loader *loader, elm_sample_reader *reader, loader_slot *slot)
{
    const int first = slot->handed, left = slot->batch.share.local - first,
              count = left < loader->grain ? left : loader->grain;
    slot->handed += count;
    pthread_mutex_unlock(&loader->mutex);
    fill(loader, reader, slot, first, count);
    pthread_mutex_lock(&loader->mutex);
    slot->done += count;
    note_prepared(loader);
}

/* Under the mutex, which is given up meanwhile: a new epoch's order takes a while. */
static void do_layout(elm_loader *loader)
{
    loader_slot *slot = &loader->slots[loader->begun % LOADER_SLOTS];
    loader->laying = true;
    pthread_mutex_unlock(&loader->mutex);
    lay_out(loader, slot);
    const bool more = advance(loader);
    pthread_mutex_lock(&loader->mutex);
    loader->laying = false;
    loader->ended = !more;
    loader->begun++;
    note_prepared(loader); /* a rank may have no record in it */
    pthread_cond_broadcast(&loader->changed);
}

static void *prefetch(void *context)
{
    loader_thread *self = context;
    elm_loader *loader = self->loader;
    pthread_mutex_lock(&loader->mutex);
    while (!loader->stopping) {
        loader_slot *slot = slot_with_work(loader);
        if (slot != NULL)
            do_records(loader, &self->reader, slot);
        else if (loader->ended)
            break;
        else if (!loader->laying && loader->begun - loader->returned < LOADER_SLOTS)
            do_layout(loader);
        else
            pthread_cond_wait(&loader->changed, &loader->mutex);
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

static int allocate_slots(elm_loader *loader, int64_t images, int64_t local, elm_error *err)
{
    for (int i = 0; i < LOADER_SLOTS; i++) {
        loader_slot *slot = &loader->slots[i];
        slot->input =
            elm_alloc((size_t)local, (size_t)loader->records.values * sizeof *slot->input, err);
        slot->labels = elm_alloc((size_t)images, sizeof *slot->labels, err);
        slot->members = elm_alloc((size_t)images, sizeof *slot->members, err);
        slot->unreadable = elm_alloc((size_t)local, sizeof *slot->unreadable, err);
        slot->replaced = elm_alloc((size_t)local, sizeof *slot->replaced, err);
        if (slot->input == NULL || slot->labels == NULL || slot->members == NULL ||
            slot->unreadable == NULL || slot->replaced == NULL)
            return -1;
        if (!loader->records.mixes)
            continue;
        slot->partner = elm_alloc((size_t)images, sizeof *slot->partner, err);
        slot->partner_labels = elm_alloc((size_t)local, sizeof *slot->partner_labels, err);
        if (slot->partner == NULL || slot->partner_labels == NULL)
            return -1;
    }
    return 0;
}

/* Signals are the main thread's: a handler must not run on a thread that no one waits for. */
static int start_threads(elm_loader *loader, elm_error *err)
{
    sigset_t all, before;
    const int count = loader->records.threads;
    loader->threads = elm_alloc((size_t)count, sizeof *loader->threads, err);
    if (loader->threads == NULL)
        return -1;
    for (; loader->running < count; loader->running++) {
        loader_thread *thread = &loader->threads[loader->running];
        thread->loader = loader;
        if (elm_sample_reader_init(&thread->reader, &loader->records, err) != 0)
            return -1;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        const bool started = pthread_create(&thread->thread, NULL, prefetch, thread) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!started) {
            elm_sample_reader_release(&thread->reader);
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "cannot start the loader's threads (data): raise the limit of "
                                 "processes (ulimit -u)");
        }
    }
    return 0;
}

/* Takes over `loader`, which is destroyed after a failure. */
static int finish_creation(elm_loader **out, elm_loader *loader, const char *augment,
                           elm_error *err)
{
    const int64_t count = loader->dataset->count, images = least(loader->batch, count),
                  part = least(loader->part, count);
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->changed, NULL);
    loader->batches = elm_loader_batches(loader->dataset, loader->batch, loader->drop_last);
    if (loader->training) { /* an index behind the last batch means the next epoch's first */
        loader->epoch += loader->index / loader->batches;
        loader->index %= loader->batches;
    }
    loader->order_epoch = -1;
    loader->ended = loader->index >= loader->batches;
    if (elm_samples_init(&loader->records, loader->dataset, augment, loader->training, loader->seed,
                         err) != 0)
        goto fail;
    if (loader->training && elm_mixing_check(loader->options, &loader->dataset->info, err) != 0)
        goto fail;
    loader->records.mixes = loader->training && loader->options->mix != ELM_MIX_NONE;
    const int64_t local =
        loader->training ? elm_partition_of(part, loader->size, loader->rank).local : part;
    loader->grain = loader->records.threads > 1 || loader->dataset->encoded != NULL ? 1 : (int)part;
    if (allocate_slots(loader, images, local, err) != 0)
        goto fail;
    if (loader->training &&
        (loader->order = elm_alloc((size_t)count, sizeof *loader->order, err)) == NULL)
        goto fail;
    if (start_threads(loader, err) != 0)
        goto fail;
    *out = loader;
    return 0;
fail:
    elm_loader_destroy(loader);
    return -1;
}

int elm_loader_create_training(elm_loader **out, const elm_dataset *dataset,
                               const elm_data_options *options, uint64_t seed, int64_t batch,
                               int64_t part, int rank, int size, int64_t epoch, int64_t index,
                               elm_error *err)
{
    *out = NULL;
    elm_loader *loader = elm_alloc(1, sizeof *loader, err);
    if (loader == NULL)
        return -1;
    loader->dataset = dataset;
    loader->seed = seed;
    loader->batch = batch;
    loader->part = part;
    loader->rank = rank;
    loader->size = size;
    loader->training = true;
    loader->drop_last = options->drop_last;
    loader->options = options;
    loader->epoch = epoch;
    loader->index = index;
    if (elm_sampler_create(&loader->sampler, dataset, options, err) != 0) {
        elm_free(loader); /* nothing else is there yet */
        return -1;
    }
    return finish_creation(out, loader, options->augment, err);
}

int elm_loader_create_evaluation(elm_loader **out, const elm_dataset *dataset, int64_t batch,
                                 int rank, int size, elm_error *err)
{
    *out = NULL;
    elm_loader *loader = elm_alloc(1, sizeof *loader, err);
    if (loader == NULL)
        return -1;
    loader->dataset = dataset;
    loader->batch = loader->part = batch;
    loader->rank = rank;
    loader->size = size;
    loader->index = rank;
    return finish_creation(out, loader, "none", err);
}

void elm_loader_destroy(elm_loader *loader)
{
    if (loader == NULL)
        return;
    pthread_mutex_lock(&loader->mutex);
    loader->stopping = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    for (int i = 0; i < loader->running; i++) {
        pthread_join(loader->threads[i].thread, NULL);
        elm_sample_reader_release(&loader->threads[i].reader);
    }
    elm_free(loader->threads);
    elm_samples_release(&loader->records);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    for (int i = 0; i < LOADER_SLOTS; i++) {
        elm_free(loader->slots[i].input);
        elm_free(loader->slots[i].labels);
        elm_free(loader->slots[i].members);
        elm_free(loader->slots[i].unreadable);
        elm_free(loader->slots[i].replaced);
        elm_free(loader->slots[i].partner);
        elm_free(loader->slots[i].partner_labels);
    }
    elm_free(loader->order);
    elm_sampler_destroy(loader->sampler);
    elm_free(loader);
}

const elm_batch *elm_loader_next(elm_loader *loader)
{
    const elm_batch *batch = NULL;
    const double start = elm_clock_seconds();
    pthread_mutex_lock(&loader->mutex);
    if (loader->returned < loader->taken) { /* the caller is done with the batch before */
        loader->returned = loader->taken;
        pthread_cond_broadcast(&loader->changed);
    }
    while (loader->prepared == loader->taken &&
           !(loader->ended && loader->prepared == loader->begun))
        pthread_cond_wait(&loader->changed, &loader->mutex);
    if (loader->prepared > loader->taken)
        batch = &loader->slots[loader->taken++ % LOADER_SLOTS].batch;
    pthread_mutex_unlock(&loader->mutex);
    loader->waited_seconds += elm_clock_seconds() - start;
    return batch;
}

double elm_loader_waited(const elm_loader *loader)
{
    return loader->waited_seconds;
}
