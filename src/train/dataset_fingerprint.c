#include "train/dataset_fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/check_classes.h"
#include "data/content.h"

static const uint64_t exact_in_double = (UINT64_C(1) << 53) - 1;

/* Not against intent, only against mistakes: quick, and every bit of the input counts. */
static uint64_t mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return digest ^ digest >> 29;
}

static uint64_t mix_bytes(uint64_t digest, const void *bytes, size_t size_bytes)
{
    const unsigned char *from = bytes;
    uint64_t word;
    for (; size_bytes >= sizeof word; from += sizeof word, size_bytes -= sizeof word) {
        memcpy(&word, from, sizeof word);
        digest = mix(digest, word);
    }
    word = 0;
    memcpy(&word, from, size_bytes);
    return mix(digest, word ^ (uint64_t)size_bytes << 56);
}

/* Of an image in shards counts what it is, not where: a store that was prepared anew with other
 * shards is still the same data set. */
static uint64_t mix_encoded(uint64_t digest, const elm_encoded_images *encoded, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const elm_store_place *place = &encoded->places[i];
        digest = mix(digest,
                     (uint64_t)place->length << 32 | (uint64_t)place->width << 16 | place->height);
    }
    return digest;
}

static uint64_t digest_of(const elm_dataset *set)
{
    const elm_store_info *info = &set->info;
    const size_t count = (size_t)set->count,
                 values = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
    const int shape[] = {info->height, info->width, info->channels, info->features};
    uint64_t digest = mix_bytes((uint64_t)set->count, shape, sizeof shape);
    digest = mix_bytes(digest, info->mean, sizeof info->mean);
    digest = mix_bytes(digest, info->std, sizeof info->std);
    digest = mix_bytes(digest, set->labels, count * sizeof *set->labels);
    if (set->images)
        digest = mix_bytes(digest, set->images, count * values);
    if (set->features)
        digest = mix_bytes(digest, set->features,
                           count * (size_t)info->features * sizeof *set->features);
    if (set->encoded)
        digest = mix_encoded(digest, set->encoded, set->count);
    return digest & exact_in_double;
}

elm_dataset_fingerprint elm_dataset_fingerprint_of(const elm_dataset *train,
                                                   const elm_dataset *test)
{
    elm_dataset_fingerprint identity = {
        .classes = train->info.classes, .train_count = train->count, .train = digest_of(train)};
    snprintf(identity.dataset, sizeof identity.dataset, "%s", train->info.dataset);
    identity.content[0] = elm_content_of_digests(train) & exact_in_double;
    if (test) {
        identity.test_count = test->count;
        identity.test = digest_of(test);
        identity.content[1] = elm_content_of_digests(test) & exact_in_double;
    }
    return identity;
}

static void tick(void *watch)
{
    elm_watchdog_heartbeat(watch);
}

static int read_content(elm_dataset_fingerprint *identity, const elm_dataset *const *sets,
                        elm_comm *comm, elm_error *err)
{
    int status = 0;
    for (int i = 0; i < 2 && !status; i++) {
        if (!sets[i])
            continue;
        if (elm_comm_local_rank(comm) == 0)
            status = elm_content_sample(sets[i], &identity->sample[i], err);
        identity->sample[i] &= exact_in_double;
        if (!status)
            status = elm_content_verify(sets[i], elm_comm_rank(comm), elm_comm_size(comm), tick,
                                        elm_comm_watch(comm), err);
    }
    return status;
}

int elm_dataset_fingerprint_read_all(elm_dataset_fingerprint *identity, const elm_dataset *train,
                                     const elm_dataset *test, elm_comm *comm, elm_error *err)
{
    const elm_dataset *const sets[] = {train, test};
    return elm_comm_agree_all(comm, read_content(identity, sets, comm, err), err);
}

static bool differ(uint64_t a, uint64_t b)
{
    return a && b && a != b;
}

static int refuse_other(const char *store, const char *what, const char *here, const char *there,
                        elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "another data set than rank 0's (%s): %s: %s here, %s on rank 0: give "
                         "every host the same store (data.store)",
                         store, what, here, there);
}

static int compare(const elm_dataset_fingerprint *mine, const elm_dataset_fingerprint *first,
                   const char *store, elm_error *err)
{
    const struct {
        const char *what;
        int64_t here, there;
    } counts[] = {
        {"classes", mine->classes, first->classes},
        {"training images", mine->train_count, first->train_count},
        {"test images", mine->test_count, first->test_count},
    };
    if (strcmp(mine->dataset, first->dataset))
        return refuse_other(store, "its name", mine->dataset, first->dataset, err);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char here[32], there[32];
        snprintf(here, sizeof here, "%" PRId64, counts[i].here);
        snprintf(there, sizeof there, "%" PRId64, counts[i].there);
        if (counts[i].here != counts[i].there)
            return refuse_other(store, counts[i].what, here, there, err);
    }
    if (mine->train != first->train)
        return refuse_other(store, "labels or images of the training set", "some", "others", err);
    if (mine->test != first->test)
        return refuse_other(store, "labels or images of the test set", "some", "others", err);
    for (int i = 0; i < 2; i++)
        if (differ(mine->content[i], first->content[i]) ||
            differ(mine->sample[i], first->sample[i]))
            return refuse_other(store,
                                i ? "the images of the test set" : "the images of the training set",
                                "some", "others", err);
    return 0;
}

int elm_dataset_fingerprint_same_all(const elm_dataset_fingerprint *mine, const char *store,
                                     elm_comm *comm, elm_error *err)
{
    elm_dataset_fingerprint first = *mine;
    elm_comm_broadcast_all(comm, &first, sizeof first);
    return elm_comm_agree_all(comm, compare(mine, &first, store, err), err);
}

void elm_dataset_fingerprint_export(const elm_dataset_fingerprint *identity,
                                    elm_progress_value *values)
{
    values[0] = (elm_progress_value){"data_train", (double)identity->train};
    values[1] = (elm_progress_value){"data_test", (double)identity->test};
    values[2] = (elm_progress_value){"data_train_content", (double)identity->content[0]};
    values[3] = (elm_progress_value){"data_test_content", (double)identity->content[1]};
    values[4] = (elm_progress_value){"data_train_sample", (double)identity->sample[0]};
    values[5] = (elm_progress_value){"data_test_sample", (double)identity->sample[1]};
}

int elm_dataset_fingerprint_check(const elm_dataset_fingerprint *identity, const elm_dataset *train,
                                  const elm_checkpoint *checkpoint, const char *store,
                                  elm_error *err)
{
    const char *advice = "go back to the former store (data.store), or start anew with another "
                         "run.name or --run-dir";
    elm_progress_value now[ELM_DATASET_FINGERPRINT_VALUES];
    const elm_checkpoint_data data = {train->info.dataset, store, train->class_names,
                                      train->info.classes};
    if (elm_checkpoint_check_classes(checkpoint, &data, advice, err))
        return -1;
    for (int c = 0; c < checkpoint->classes; c++)
        if (checkpoint->class_count[c] != train->class_count[c])
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "another data set than the checkpoint's (%s): class %d (%s) has %" PRId64
                " training images, it had %" PRId64 ": %s",
                store, c, train->class_names[c], train->class_count[c], checkpoint->class_count[c],
                advice);
    elm_dataset_fingerprint_export(identity, now);
    /* the first checkpoints lack them; of content, 0 is unknown */
    for (int i = 0; i < ELM_DATASET_FINGERPRINT_VALUES; i++) {
        const double before = elm_checkpoint_progress(checkpoint, now[i].name, now[i].value);
        const bool compared = i < 2 || (before != 0 && now[i].value != 0);
        if (compared && before != now[i].value)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "another data set than the checkpoint's (%s): %s: %s", store,
                                 i % 2 ? "its test set is not the same"
                                       : "other labels or images in its training set",
                                 advice);
    }
    return 0;
}
