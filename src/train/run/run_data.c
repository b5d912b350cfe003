/* A run's data: shards copied to the nodes, the data sets of training, hold-out and test, and what
 * identifies them. */
#include <stdio.h>
#include <string.h>

#include "data/stage.h"
#include "elmpi/memory.h"
#include "train/run/run.h"

/* Bytes copied by this node's first rank; only rank 0 logs them. */
static void say_staged(void *context, int64_t done, int64_t total, double seconds)
{
    const elm_run *run = context;
    const double rate = seconds > 0 ? (double)done / seconds : 0;
    elm_watchdog_heartbeat(elm_comm_watch(run->comm));
    if (run->request->progress && !run->log->quiet) {
        printf("\r\033[Kcopying shards to the node: %.1f of %.1f GB  %.0f MB/s  %.0f s left%s",
               1e-9 * (double)done, 1e-9 * (double)total, 1e-6 * rate,
               rate > 0 ? (double)(total - done) / rate : 0, done == total ? "\n" : "");
        fflush(stdout);
    } else if (done == total) {
        elm_log_info(run->log, "Shards copied to %s: %.1f GB in %.0f s.", run->options.data.stage,
                     1e-9 * (double)total, seconds);
    }
}

/* Shards to a disk of each node, once for all of its ranks. */
static int stage_all(elm_run *run, elm_error *err)
{
    elm_data_options *data = &run->options.data;
    if (data->stage[0] == '\0')
        return 0;
    const bool first = elm_comm_local_rank(run->comm) == 0;
    if (elm_comm_agree_all(run->comm, first ? elm_stage_shards(data, say_staged, run, err) : 0,
                           err))
        return -1;
    memcpy(data->shards, data->stage, sizeof data->shards);
    return 0;
}

/* A store from outside is read by a process of rank 0's first. */
static int check_store_all(elm_run *run, elm_error *err)
{
    const bool first = elm_comm_rank(run->comm) == 0;
    return elm_comm_agree_all(run->comm, first ? elm_store_check(run->options.data.store, err) : 0,
                              err);
}

static int load_data(elm_run *run, elm_error *err)
{
    run->options.data.run_epochs = run->options.optim.epochs;
    if (elm_dataset_load_job(&run->train, &run->options.data, "train", err))
        return -1;
    elm_store *store;
    if (elm_store_open(&store, run->options.data.store, err))
        return -1;
    run->test_split = elm_store_count(store, "test") > 0 ? "test" : "val";
    const bool has_test = elm_store_count(store, run->test_split) > 0;
    elm_store_close(store);
    if (elm_dataset_holds_out(&run->options.data) &&
        elm_dataset_load_job(&run->holdout, &run->options.data, "holdout", err))
        return -1;
    return has_test ? elm_dataset_load_job(&run->test, &run->options.data, run->test_split, err)
                    : 0;
}

static void say_content(const elm_run *run)
{
    if (run->train->encoded && !run->data.content[0])
        elm_log_info(run->log, "The store keeps no digests of its images: a sample of them is "
                               "compared when the run resumes (elmpi-prepare "
                               "--force makes a store that has them).");
    if (run->train->encoded && run->options.data.verify == ELM_VERIFY_ALL)
        elm_log_info(run->log,
                     "Comparing all images with the store's digests (data.verify = all).");
}

int elm_run_load_data_all(elm_run *run, elm_error *err)
{
    if (check_store_all(run, err) || stage_all(run, err) ||
        elm_comm_agree_all(run->comm, load_data(run, err), err))
        return -1;
    /* as in earlier checkpoints */
    const elm_dataset *const tested = strcmp(run->test_split, "test") ? NULL : run->test;
    run->data = elm_dataset_fingerprint_of(run->train, tested);
    say_content(run);
    return elm_dataset_fingerprint_read_all(&run->data, run->train, tested, run->comm, err) ||
                   elm_dataset_fingerprint_same_all(&run->data, run->options.data.store, run->comm,
                                                    err)
               ? -1
               : 0;
}
