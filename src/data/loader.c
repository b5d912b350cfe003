#include "elmpi/loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "data/augment.h"
#include "elmpi/memory.h"
#include "elmpi/rng.h"

/* The caller holds one batch while the thread is up to two ahead. */
enum { SLOTS = 3 };

/** A batch and the memory behind it. */
typedef struct loader_slot {
    elm_batch batch;
    float *input;
    int32_t *labels;
    int64_t *members;
} loader_slot;

struct elm_loader {
    /* Set once, read by both threads. */
    const elm_dataset *dataset;
    elm_augment augment;
    uint64_t seed;
    int64_t batch, batches; /* of an epoch */
    int64_t row_values;     /* floats of one record */
    int rank, size;
    bool training;
    elm_data_options options; /* of training */

    /* The prefetching thread's own. */
    int64_t epoch, index; /* what it prepares next */
    int64_t *order;       /* [count], of order_epoch; training only */
    int64_t order_epoch;
    loader_slot slots[SLOTS];

    /* Shared, under the mutex: batches prepared, taken and given back since the beginning. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t prepared, taken, returned;
    bool ended, stopping;

    pthread_t thread;
    bool running;
    double waited_seconds; /* the caller's own */
};

int64_t elm_loader_batches(const elm_dataset *dataset, int64_t batch)
{
    return (dataset->count + batch - 1) / batch;
}

/* The epoch's place of the record at `position`. */
static int64_t member_at(elm_loader *loader, int64_t position)
{
    if (!loader->training)
        return position;
    if (loader->order_epoch != loader->epoch) {
        elm_sampler_order(&loader->options, loader->dataset, loader->seed, loader->epoch, loader->order);
        loader->order_epoch = loader->epoch;
    }
    return loader->order[position];
}

static void fill_record(const elm_loader *loader, int64_t member, int64_t position, float *out)
{
    const elm_dataset *dataset = loader->dataset;
    const size_t values = (size_t)loader->row_values;
    if (dataset->images == NULL) {
        memcpy(out, dataset->features + (size_t)member * values, values * sizeof *out);
        return;
    }
    elm_rng rng = elm_rng_stream(loader->seed, ELM_RNG_AUGMENT, (uint64_t)loader->epoch, (uint64_t)position);
    elm_augment_picture(&loader->augment, &rng, dataset->images + (size_t)member * values, out);
}

/* The batch (epoch, index): a function of the two, so that it does not matter when or where it is made. */
static void fill_slot(elm_loader *loader, loader_slot *slot)
{
    const int64_t start = loader->index * loader->batch, left = loader->dataset->count - start;
    const int64_t global = left < loader->batch ? left : loader->batch;
    const elm_share share = loader->training ? elm_share_of(global, loader->size, loader->rank) : (elm_share){global, 0, (int)global, 1};
    for (int64_t i = 0; i < global; i++) {
        slot->members[i] = member_at(loader, start + i);
        slot->labels[i] = loader->dataset->labels[slot->members[i]];
    }
    for (int i = 0; i < share.local; i++)
        fill_record(loader, slot->members[share.first + i], start + share.first + i, slot->input + i * loader->row_values);
    slot->batch = (elm_batch){
        .epoch = loader->epoch,
        .index = loader->index,
        .share = share,
        .input = slot->input,
        .labels = slot->labels + share.first,
        .global_labels = slot->labels,
        .members = slot->members,
    };
}

/* Moves on to this rank's next batch; false after the last one. */
static bool advance(elm_loader *loader)
{
    if (!loader->training) {
        loader->index += loader->size;
        return loader->index < loader->batches;
    }
    if (++loader->index == loader->batches) {
        loader->index = 0;
        loader->epoch++;
    }
    return true;
}

static void *prefetch(void *context)
{
    elm_loader *loader = context;
    bool more = loader->index < loader->batches;
    pthread_mutex_lock(&loader->mutex);
    while (more && !loader->stopping) {
        if (loader->prepared - loader->returned == SLOTS) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
            continue;
        }
        loader_slot *slot = &loader->slots[loader->prepared % SLOTS];
        pthread_mutex_unlock(&loader->mutex);
        fill_slot(loader, slot);
        more = advance(loader);
        pthread_mutex_lock(&loader->mutex);
        loader->prepared++;
        pthread_cond_broadcast(&loader->changed);
    }
    loader->ended = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

static int allocate_slots(elm_loader *loader, int64_t global, int64_t local, elm_error *err)
{
    for (int i = 0; i < SLOTS; i++) {
        loader_slot *slot = &loader->slots[i];
        slot->input = elm_alloc((size_t)local, (size_t)loader->row_values * sizeof *slot->input, err);
        slot->labels = elm_alloc((size_t)global, sizeof *slot->labels, err);
        slot->members = elm_alloc((size_t)global, sizeof *slot->members, err);
        if (slot->input == NULL || slot->labels == NULL || slot->members == NULL)
            return -1;
    }
    return 0;
}

/* Signals are the main thread's: a handler must not run on a thread that no one waits for. */
static int start_thread(elm_loader *loader, elm_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    loader->running = pthread_create(&loader->thread, NULL, prefetch, loader) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!loader->running)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot start the loader's thread (data): raise the limit of processes (ulimit -u)");
    return 0;
}

/* Takes over `loader`, which is destroyed after a failure. */
static int finish_creation(elm_loader **out, elm_loader *loader, int augment, elm_error *err)
{
    const elm_store_info *info = &loader->dataset->info;
    const int64_t count = loader->dataset->count, global = loader->batch < count ? loader->batch : count;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->changed, NULL);
    loader->batches = elm_loader_batches(loader->dataset, loader->batch);
    if (loader->training) { /* an index behind the last batch means the next epoch's first */
        loader->epoch += loader->index / loader->batches;
        loader->index %= loader->batches;
    }
    loader->row_values = info->channels > 0 ? (int64_t)info->channels * info->height * info->width : info->features;
    loader->order_epoch = -1;
    const int64_t local = loader->training ? elm_share_of(global, loader->size, loader->rank).local : global;
    if (elm_augment_init(&loader->augment, augment, info, err) != 0 || allocate_slots(loader, global, local, err) != 0)
        goto fail;
    if (loader->training && (loader->order = elm_alloc((size_t)count, sizeof *loader->order, err)) == NULL)
        goto fail;
    if (start_thread(loader, err) != 0)
        goto fail;
    *out = loader;
    return 0;
fail:
    elm_loader_destroy(loader);
    return -1;
}

int elm_loader_create_training(elm_loader **out, const elm_dataset *dataset, const elm_data_options *options, uint64_t seed, int64_t batch,
                               int rank, int size, int64_t epoch, int64_t index, elm_error *err)
{
    *out = NULL;
    elm_loader *loader = elm_alloc(1, sizeof *loader, err);
    if (loader == NULL)
        return -1;
    loader->dataset = dataset;
    loader->options = *options;
    loader->seed = seed;
    loader->batch = batch;
    loader->rank = rank;
    loader->size = size;
    loader->training = true;
    loader->epoch = epoch;
    loader->index = index;
    return finish_creation(out, loader, options->augment, err);
}

int elm_loader_create_evaluation(elm_loader **out, const elm_dataset *dataset, int64_t batch, int rank, int size, elm_error *err)
{
    *out = NULL;
    elm_loader *loader = elm_alloc(1, sizeof *loader, err);
    if (loader == NULL)
        return -1;
    loader->dataset = dataset;
    loader->batch = batch;
    loader->rank = rank;
    loader->size = size;
    loader->index = rank;
    return finish_creation(out, loader, ELM_AUGMENT_NONE, err);
}

void elm_loader_destroy(elm_loader *loader)
{
    if (loader == NULL)
        return;
    if (loader->running) {
        pthread_mutex_lock(&loader->mutex);
        loader->stopping = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->mutex);
        pthread_join(loader->thread, NULL);
    }
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    for (int i = 0; i < SLOTS; i++) {
        elm_free(loader->slots[i].input);
        elm_free(loader->slots[i].labels);
        elm_free(loader->slots[i].members);
    }
    elm_free(loader->order);
    elm_free(loader);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const elm_batch *elm_loader_next(elm_loader *loader)
{
    const elm_batch *batch = NULL;
    const double start = seconds_now();
    pthread_mutex_lock(&loader->mutex);
    if (loader->returned < loader->taken) { /* the caller is done with the batch before */
        loader->returned = loader->taken;
        pthread_cond_broadcast(&loader->changed);
    }
    while (loader->prepared == loader->taken && !loader->ended)
        pthread_cond_wait(&loader->changed, &loader->mutex);
    if (loader->prepared > loader->taken)
        batch = &loader->slots[loader->taken++ % SLOTS].batch;
    pthread_mutex_unlock(&loader->mutex);
    loader->waited_seconds += seconds_now() - start;
    return batch;
}

double elm_loader_waited(const elm_loader *loader)
{
    return loader->waited_seconds;
}
