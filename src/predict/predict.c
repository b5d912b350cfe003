/* Predictions leave in rounds: a few batches of every rank travel to rank 0, which writes them down
 * in the order of the list. A rank that fails says so before the round's exchange, and all end. */
#include "elmpi/predict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/process/clock.h"
#include "elmpi/memory.h"
#include "hdf5/table_file.h"
#include "predict/batch.h"
#include "predict/list_inputs.h"
#include "predict/predictions.h"

/* Batches of a rank in a round: enough that ranks seldom wait for each other, few enough that a
 * round's memory is small; less where that would be more bytes than rank 0 gathers at once. */
enum { ROUND_BATCHES = 4, GATHER_BYTES = 1 << 30 };

/* An image's row as it travels: why it cannot be read, or "", its classes, its embedding. */
typedef struct row_layout {
    size_t classes, embedding, bytes; /* places; of the whole */
} row_layout;

typedef struct prediction_run {
    const elm_predict_request *request;
    elm_image_list list;
    elm_image_batches *batches;
    row_layout row;
    int width, classes;
    int round_batches; /* of a rank in a round */
    int64_t batches_total, rounds;
    double *scores;                    /* [classes] */
    char (*reasons)[ELM_REASON_BYTES]; /* [batch] */
    char *block;                       /* [round_batches * batch] rows */
    size_t *sizes;                     /* [ranks] */
    /* Rank 0's. */
    elm_output *output;
    elm_prediction_file file;
    elm_table_file *table;
    float *embeddings; /* [batch][width] */
    int64_t *best;     /* [batch] */
    char first[1200];  /* unreadable image and reason */
    elm_predict_summary summary;
} prediction_run;

static int images_of(const prediction_run *run, int64_t batch)
{
    const int64_t left = run->list.count - batch * run->request->batch;
    return (int)(left <= 0 ? 0 : left < run->request->batch ? left : run->request->batch);
}

static const char *name_of(const prediction_run *run, int64_t image)
{
    return run->list.texts + run->list.images[image].name;
}

/* One of this rank's batches, as rows. */
static int compute_batch(prediction_run *run, int64_t batch, char *rows, elm_error *err)
{
    const elm_predict_request *r = run->request;
    const int count = images_of(run, batch);
    const int64_t first = batch * r->batch;
    const elm_partition share = elm_partition_of(count, 1, 0);
    const float *input = elm_image_batches_read(run->batches, first, count, run->reasons, err);
    if (input == NULL)
        return -1;
    const float *embeddings = elm_net_embed_all(r->net, input, share, false),
                *logits = elm_net_classify(r->net);
    for (int i = 0; i < count; i++, rows += run->row.bytes) {
        memcpy(rows, run->reasons[i], ELM_REASON_BYTES);
        if (rows[0] != '\0')
            continue;
        if (elm_classes_rank(logits + (size_t)i * (size_t)run->classes, r->shift, run->classes,
                             run->scores, (elm_ranked_class *)(rows + run->row.classes),
                             r->top) != 0)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "the network's output is not finite (%s): its weights are broken, "
                                 "take an earlier checkpoint",
                                 name_of(run, first + i));
        if (r->embeddings != NULL)
            memcpy(rows + run->row.embedding, embeddings + (size_t)i * (size_t)run->width,
                   (size_t)run->width * sizeof *embeddings);
    }
    elm_watchdog_heartbeat(elm_comm_watch(r->comm));
    return 0;
}

/* The b-th batch of a round that falls to a rank. */
static int64_t batch_at(const prediction_run *run, int64_t round, int b, int rank)
{
    return (round * run->round_batches + b) * elm_comm_size(run->request->comm) + rank;
}

static int compute_round(prediction_run *run, int64_t round, size_t *size_bytes, elm_error *err)
{
    *size_bytes = 0;
    if (run->output != NULL && elm_output_has_failed(run->output))
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot write the predictions (%s)",
                             run->request->out); /* the reason comes with the commit */
    for (int b = 0; b < run->round_batches; b++) {
        const int64_t batch = batch_at(run, round, b, elm_comm_rank(run->request->comm));
        if (images_of(run, batch) == 0)
            break;
        if (compute_batch(run, batch, run->block + *size_bytes, err) != 0)
            return -1;
        *size_bytes += (size_t)images_of(run, batch) * run->row.bytes;
    }
    return 0;
}

static void report_unreadable(prediction_run *run, int64_t image, const char *reason)
{
    if (run->summary.unreadable++ == 0)
        snprintf(run->first, sizeof run->first, "%s: %s", name_of(run, image), reason);
    elm_log_warn(run->request->log, "cannot read the image (%s): %s", name_of(run, image), reason);
}

static int write_batch(prediction_run *run, int64_t batch, const char *rows, elm_error *err)
{
    const int count = images_of(run, batch);
    const int64_t first = batch * run->request->batch;
    for (int i = 0; i < count; i++, rows += run->row.bytes) {
        const elm_ranked_class *ranked = (const elm_ranked_class *)(rows + run->row.classes);
        const bool readable = rows[0] == '\0';
        run->best[i] = readable ? ranked[0].index : -1;
        for (int k = 0; run->table != NULL && k < run->width; k++)
            run->embeddings[i * run->width + k] =
                readable ? ((const float *)(rows + run->row.embedding))[k] : NAN;
        run->summary.images += readable;
        if (!readable)
            report_unreadable(run, first + i, rows);
        else if (elm_predictions_put(&run->file, name_of(run, first + i), ranked, err) != 0)
            return -1;
    }
    if (run->table != NULL) {
        elm_table_file_rows(run->table, "/pictures/embeddings", first, count, run->embeddings);
        elm_table_file_rows(run->table, "/pictures/class", first, count, run->best);
    }
    return 0;
}

/* What has come in a round: each rank's batches one after the other. */
static int write_round(prediction_run *run, int64_t round, const char *gathered, elm_error *err)
{
    const int ranks = elm_comm_size(run->request->comm);
    int64_t done = 0;
    for (int b = 0; b < run->round_batches; b++) {
        const char *at = gathered;
        for (int rank = 0; rank < ranks; at += run->sizes[rank++]) {
            const int64_t batch = batch_at(run, round, b, rank);
            const size_t before = (size_t)b * (size_t)run->request->batch * run->row.bytes;
            if (images_of(run, batch) > 0 && write_batch(run, batch, at + before, err) != 0)
                return -1;
            done = batch * run->request->batch + images_of(run, batch);
        }
    }
    elm_ticker_advance(elm_comm_ticker(run->request->comm),
                       done < run->list.count ? done : run->list.count);
    return 0;
}

static int rounds_all(prediction_run *run, elm_error *err)
{
    elm_comm *comm = run->request->comm;
    int status = 0;
    elm_ticker_begin(elm_comm_ticker(comm), "images classified", run->list.count);
    for (int64_t round = 0; status == 0 && round < run->rounds; round++) {
        void *gathered = NULL;
        size_t size_bytes;
        status = elm_comm_agree_all(comm, compute_round(run, round, &size_bytes, err), err);
        if (status == 0)
            status =
                elm_comm_gather_bytes_all(comm, run->block, size_bytes, &gathered, run->sizes, err);
        int written = 0;
        if (status == 0 && gathered != NULL)
            written = write_round(run, round, gathered, err);
        elm_free(gathered);
        if (status == 0)
            status = elm_comm_agree_all(comm, written, err);
    }
    elm_ticker_end(elm_comm_ticker(comm));
    return status;
}

static int open_table(prediction_run *run, elm_error *err)
{
    const elm_predict_request *r = run->request;
    const int64_t count = run->list.count;
    if (r->embeddings == NULL)
        return 0;
    const char **names = elm_alloc((size_t)count, sizeof *names, err);
    if (names == NULL ||
        elm_table_file_create(&run->table, r->embeddings, "elmpi-pictures", err) != 0) {
        elm_free(names);
        return -1;
    }
    for (int64_t i = 0; i < count; i++)
        names[i] = name_of(run, i);
    elm_table_file_text(run->table, "/", "weights", r->weights != NULL ? r->weights : "last");
    elm_table_file_texts(run->table, "/pictures/path", names, count);
    elm_free(names);
    elm_table_file_open_rows(run->table, "/pictures/embeddings", ELM_TABLE_FLOAT, count,
                             run->width);
    elm_table_file_open_rows(run->table, "/pictures/class", ELM_TABLE_INT64, count, 0);
    if (r->checkpoint->class_names != NULL)
        elm_table_file_texts(run->table, "/classes/name", r->checkpoint->class_names,
                             r->checkpoint->classes);
    return 0;
}

/* Rank 0's files. */
static int open_outputs(prediction_run *run, elm_error *err)
{
    const elm_predict_request *r = run->request;
    const elm_need needs[] = {
        {&run->embeddings, (size_t)r->batch * (size_t)run->width, sizeof *run->embeddings},
        {&run->best, (size_t)r->batch, sizeof *run->best},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) != 0 ||
        open_table(run, err) != 0 || elm_output_begin(&run->output, r->out, 0, err) != 0)
        return -1;
    run->file = (elm_prediction_file){.output = run->output,
                                      .class_names = r->checkpoint->class_names,
                                      .top = r->top,
                                      .json = r->json,
                                      .escaped = elm_output_is_stdout(r->out) && isatty(1)};
    elm_predictions_begin(&run->file);
    return 0;
}

/* Sizes of a row and of a round. */
static int plan_rounds(prediction_run *run, elm_error *err)
{
    const elm_predict_request *r = run->request;
    const size_t embedding = r->embeddings != NULL ? (size_t)run->width * sizeof(float) : 0;
    run->row.classes = ELM_REASON_BYTES;
    run->row.embedding = run->row.classes + (size_t)r->top * sizeof(elm_ranked_class);
    run->row.bytes = (run->row.embedding + embedding + 7) / 8 * 8;
    const size_t all = run->row.bytes * (size_t)r->batch * (size_t)elm_comm_size(r->comm);
    if (all > GATHER_BYTES)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "%d classes an image are more than %d ranks' predictions have room "
                             "for (--top): use fewer classes or ranks",
                             r->top, elm_comm_size(r->comm));
    const size_t fit = GATHER_BYTES / all;
    run->round_batches = fit < ROUND_BATCHES ? (int)fit : ROUND_BATCHES;
    run->batches_total = (run->list.count + r->batch - 1) / r->batch;
    const int64_t a_round = (int64_t)run->round_batches * elm_comm_size(r->comm);
    run->rounds = (run->batches_total + a_round - 1) / a_round;
    return 0;
}

static int prepare(prediction_run *run, elm_error *err)
{
    const elm_predict_request *r = run->request;
    if (plan_rounds(run, err) != 0)
        return -1;
    const elm_need needs[] = {
        {&run->scores, (size_t)run->classes, sizeof *run->scores},
        {&run->reasons, (size_t)r->batch, sizeof *run->reasons},
        {&run->block, (size_t)run->round_batches * (size_t)r->batch, run->row.bytes},
        {&run->sizes, (size_t)elm_comm_size(r->comm), sizeof *run->sizes},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) != 0 ||
        elm_image_batches_create(&run->batches, &run->list, r->input, r->batch, err) != 0)
        return -1;
    return elm_comm_rank(r->comm) == 0 ? open_outputs(run, err) : 0;
}

/* Puts the files into their places, or leaves nothing of them. */
static int close_outputs(prediction_run *run, int status, elm_error *err)
{
    if (status == 0 && run->summary.images == 0)
        status = elm_error_set(err, ELM_EXIT_FAILURE,
                               "none of the %lld images can be read (%s): give JPEG or PNG files",
                               (long long)run->list.count, run->first);
    const bool broken = run->output != NULL && elm_output_has_failed(run->output);
    if (run->table != NULL && elm_table_file_close(run->table, broken ? -1 : status, err) != 0)
        status = -1;
    if (status == 0 || broken)
        return elm_output_commit(run->output, err);
    elm_output_abandon(run->output);
    return status;
}

static void release(prediction_run *run)
{
    elm_image_batches_destroy(run->batches);
    elm_image_list_release(&run->list);
    elm_free(run->scores);
    elm_free(run->reasons);
    elm_free(run->block);
    elm_free(run->sizes);
    elm_free(run->embeddings);
    elm_free(run->best);
}

int elm_predict_all(const elm_predict_request *request, elm_predict_summary *summary,
                    elm_error *err)
{
    elm_comm *comm = request->comm;
    prediction_run run = {.request = request,
                          .width = elm_net_width(request->net),
                          .classes = elm_net_classes(request->net)};
    const double start = elm_clock_seconds();
    elm_ticker_begin(elm_comm_ticker(comm), "images are listed", 0);
    int status =
        elm_image_list_make_all(comm, request->inputs, request->input_count, &run.list, err);
    elm_ticker_end(elm_comm_ticker(comm));
    if (status == 0) {
        status = elm_comm_agree_all(comm, prepare(&run, err), err);
        if (status == 0)
            status = rounds_all(&run, err);
        if (elm_comm_rank(comm) == 0)
            status = close_outputs(&run, status, err);
        status = elm_comm_agree_all(comm, status, err);
    }
    run.summary.passed = run.list.passed;
    run.summary.seconds = elm_clock_seconds() - start;
    if (status == 0)
        elm_comm_broadcast_all(comm, &run.summary, sizeof run.summary);
    *summary = run.summary;
    release(&run);
    return status;
}
