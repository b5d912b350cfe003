#include "train/nonfinite_policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"

static const char skip[] = "skip:";
enum { SKIP_MAX = 1000000, TEXT_SIZE = 512, RANK_TEXT_SIZE = 400 };

/* Steps that may be left out in a row; -1: not a value of run.nonfinite. */
static int64_t steps_allowed(const char *value)
{
    if (!strcmp(value, "stop"))
        return 0;
    const size_t prefix = sizeof skip - 1;
    if (strncmp(value, skip, prefix) != 0)
        return -1;
    const char *digits = value + prefix;
    const size_t length = strlen(digits);
    if (length == 0 || length > 7 || strspn(digits, "0123456789") != length)
        return -1;
    const int64_t steps = strtoll(digits, NULL, 10);
    return steps >= 1 && steps <= SKIP_MAX ? steps : -1;
}

int elm_nonfinite_check(const char *value, elm_error *err)
{
    if (steps_allowed(value) >= 0)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "give stop, or skip:<n> with n from 1 to %d, such as skip:3", SKIP_MAX);
}

/* Adds to a text of `size` bytes, of which `used` are taken; what does not fit is left out. */
__attribute__((format(printf, 4, 5))) static void add(char *text, size_t size, size_t *used,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text + *used, size - *used, format, arguments);
    va_end(arguments);
    if (length > 0)
        *used = *used + (size_t)length < size ? *used + (size_t)length : size - 1;
}

/* " (a/image.jpg)" where the store has names. */
static void add_name(const elm_nonfinite *policy, elm_store *store, int64_t row, char *text,
                     size_t size, size_t *used)
{
    char name[160];
    const elm_encoded_images *encoded = policy->train->encoded;
    if (store && encoded &&
        !elm_store_image_name(store, encoded->split, row, name, sizeof name, NULL))
        add(text, size, used, " (%s)", name);
}

/* This rank's images: "rank 1: image 17, 19 of /train"; nothing where it has none. */
static void describe_images(const elm_nonfinite *policy, const elm_batch *batch,
                            const elm_nonfinite_found *broken, char *text, size_t size)
{
    size_t used = 0;
    elm_store *store = NULL;
    *text = 0;
    if (!broken->count)
        return;
    if (policy->train->encoded)
        elm_store_open(&store, policy->train->encoded->store, NULL);
    add(text, size, &used, "rank %d: ", elm_comm_rank(policy->comm));
    if (broken->suspects == ELM_SUSPECT_NONFINITE && broken->count > 2 && !batch->continues &&
        broken->count == batch->share.local)
        add(text, size, &used, "all of its %d, ", batch->share.local);
    add(text, size, &used, "image%s", broken->count > 1 ? "s" : "");
    for (int i = 0; i < broken->count && i < ELM_NONFINITE_SHOWN; i++) {
        const int64_t row = policy->train->rows[broken->member[i]];
        add(text, size, &used, "%s %lld", i ? "," : "", (long long)row);
        add_name(policy, store, row, text, size, &used);
    }
    if (broken->count > ELM_NONFINITE_SHOWN)
        add(text, size, &used, " and %lld more", (long long)broken->count - ELM_NONFINITE_SHOWN);
    if (broken->suspects == ELM_SUSPECT_LOGITS)
        add(text, size, &used, " (%.3g)", broken->largest_logit);
    elm_store_close(store);
}

/* The texts of all ranks, one after another, the same everywhere. */
static int join_all(const elm_nonfinite *policy, const char *mine, char *joined, size_t size,
                    elm_error *err)
{
    const int ranks = elm_comm_size(policy->comm);
    const bool first = elm_comm_rank(policy->comm) == 0;
    size_t *lengths = first ? elm_alloc((size_t)ranks, sizeof *lengths, err) : NULL, used = 0;
    void *texts = NULL;
    memset(joined, 0, size);
    int status = elm_comm_agree_all(policy->comm, first && !lengths ? -1 : 0, err);
    if (!status)
        status = elm_comm_gather_bytes_all(policy->comm, mine, strlen(mine), &texts, lengths, err);
    const char *at = texts;
    for (int r = 0; !status && first && lengths && r < ranks; at += lengths[r++])
        if (lengths[r] > 0)
            add(joined, size, &used, "%s%.*s", used ? "; " : "", (int)lengths[r], at);
    elm_comm_broadcast_all(policy->comm, joined, size);
    elm_free(texts);
    elm_free(lengths);
    return status;
}

/* "embeddings (images of /train: rank 0: image 17)". */
static int explain_all(elm_nonfinite *policy, const elm_batch *batch, elm_nonfinite_found *broken,
                       char *text, size_t size, elm_error *err)
{
    char mine[RANK_TEXT_SIZE], joined[TEXT_SIZE];
    elm_trainer_find_nonfinite_all(policy->trainer, batch, broken);
    describe_images(policy, batch, broken, mine, sizeof mine);
    if (join_all(policy, mine, joined, sizeof joined, err))
        return -1;
    static const char *const titles[] = {
        [ELM_SUSPECT_NONFINITE] = "rows of the store's training set",
        [ELM_SUSPECT_INPUT] = "input values beyond 1e6 in rows of the store's training set",
        [ELM_SUSPECT_LOGITS] = "the largest logits are those of rows of the store's training set",
    };
    if (*joined)
        snprintf(text, size, "%s (%s: %s)", broken->what, titles[broken->suspects], joined);
    else
        snprintf(text, size, "%s", broken->what);
    return 0;
}

/* Whether there is a checkpoint to go back to, which is read again before it is named. The
 * same on all ranks. */
static void describe_checkpoint_all(const elm_nonfinite *policy, char *text, size_t size)
{
    char name[64] = "";
    elm_checkpoint *last = NULL;
    memset(text, 0, size);
    if (policy->folder) {
        snprintf(text, size, "there is no checkpoint yet");
        if (elm_run_folder_newest(policy->folder, policy->log, &last, name, sizeof name, NULL))
            snprintf(text, size, "the last checkpoint cannot be read (%s)", name);
        else if (last && elm_tensors_not_finite(last->tensors, last->tensor_count))
            snprintf(text, size, "the last checkpoint has such values too (%s)", name);
        else if (last)
            snprintf(text, size, "the last checkpoint is intact (%s was read again)", name);
        elm_checkpoint_free(last);
    }
    elm_comm_broadcast_all(policy->comm, text, size);
}

int elm_nonfinite_all(elm_nonfinite *policy, const elm_batch *batch, elm_step_place at,
                      elm_error *err)
{
    static const char training[] =
        "lower optim.lr, lengthen optim.warmup_epochs, set optim.clip_norm or lower loss.lambda",
                      data[] = "mend or remove these images, or let run.nonfinite = skip:<n> pass "
                               "over them";
    char text[TEXT_SIZE + 250], checkpoint[160], in_a_row[60] = "";
    elm_nonfinite_found broken;
    const int64_t allowed = steps_allowed(policy->rule);
    const long long step = (long long)at.step + 1;
    if (explain_all(policy, batch, &broken, text, sizeof text, err))
        return -1;
    if (++policy->skipped <= allowed) {
        elm_log_warn(policy->log,
                     "step %lld is left out (%lld in a row, run.nonfinite = %.20s): loss or "
                     "gradient is not finite; first: %s",
                     step, (long long)policy->skipped, policy->rule, text);
        return 0;
    }
    describe_checkpoint_all(policy, checkpoint, sizeof checkpoint);
    if (allowed > 0)
        snprintf(in_a_row, sizeof in_a_row, ", %lld steps in a row", (long long)policy->skipped);
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "loss or gradient is not finite (step %lld, epoch %.2f, rate %g%s); first: %s: %s; %s",
        step, at.epoch, at.lr, in_a_row, text,
        broken.is_input || broken.suspects == ELM_SUSPECT_INPUT ? data : training, checkpoint);
}
