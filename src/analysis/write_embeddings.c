/* Embeddings leave in rounds: one batch of every rank travels to rank 0, which writes it down. A
 * rank that has failed takes part in the remaining rounds with nothing, so that no rank waits for
 * it. */
#include <string.h>

#include "elmpi/analysis.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "eval/forward_pass.h"
#include "hdf5/table_file.h"
#include "nn/last_layer.h"

enum { NAME = 256 };

/* One split under way. */
typedef struct sender {
    elm_comm *comm;
    elm_table_file *file; /* rank 0's */
    const elm_dataset *dataset;
    const char *split;
    int width, classes;
    int64_t batch, rounds, round;
    bool broken; /* a round failed, which all ranks know */
    size_t *sizes;
    char *block; /* a batch as it travels: embeddings, then logits */
} sender;

static void name_array(const sender *s, const char *what, char name[NAME])
{
    snprintf(name, NAME, "/%s/%s", s->split, what);
}

static int64_t images_of(const sender *s, int64_t batch)
{
    const int64_t left = s->dataset->count - batch * s->batch;
    return left <= 0 ? 0 : left < s->batch ? left : s->batch;
}

/* What has come in a round, batch by batch. A rank that failed sent nothing. */
static void write_round(const sender *s, const char *at)
{
    char embeddings[NAME], logits[NAME];
    name_array(s, "embeddings", embeddings);
    name_array(s, "logits", logits);
    for (int r = 0; r < elm_comm_size(s->comm); at += s->sizes[r++]) {
        const int64_t batch = s->round * elm_comm_size(s->comm) + r, images = images_of(s, batch);
        if (s->sizes[r] == 0)
            continue;
        elm_table_file_rows(s->file, embeddings, batch * s->batch, images, at);
        elm_table_file_rows(s->file, logits, batch * s->batch, images,
                            at + (size_t)images * (size_t)s->width * sizeof(float));
    }
}

static int send_all(sender *s, const void *bytes, size_t size, elm_error *err)
{
    void *gathered = NULL;
    s->broken = elm_comm_gather_bytes_all(s->comm, bytes, size, &gathered, s->sizes, err) != 0;
    if (gathered != NULL)
        write_round(s, gathered);
    elm_free(gathered);
    s->round++;
    return s->broken ? -1 : 0;
}

static int send_batch(void *context, const elm_outputs *out, elm_error *err)
{
    sender *s = context;
    const size_t images = (size_t)out->batch->share.local,
                 first = images * (size_t)out->width * sizeof(float);
    const size_t second = images * (size_t)out->classes * sizeof(float);
    memcpy(s->block, out->embeddings, first);
    memcpy(s->block + first, out->logits, second);
    return send_all(s, s->block, first + second, err);
}

static int open_split(sender *s, elm_error *err)
{
    char name[NAME];
    s->block = elm_alloc((size_t)s->batch * (size_t)(s->width + s->classes), sizeof(float), err);
    s->sizes =
        s->block != NULL ? elm_alloc((size_t)elm_comm_size(s->comm), sizeof *s->sizes, err) : NULL;
    if (s->sizes == NULL)
        return -1;
    if (s->file == NULL)
        return 0;
    name_array(s, "embeddings", name);
    elm_table_file_open_rows(s->file, name, ELM_TABLE_FLOAT, s->dataset->count, s->width);
    name_array(s, "logits", name);
    elm_table_file_open_rows(s->file, name, ELM_TABLE_FLOAT, s->dataset->count, s->classes);
    name_array(s, "labels", name);
    elm_table_file_array(s->file, name, ELM_TABLE_INT32, s->dataset->count, 0, s->dataset->labels);
    return 0;
}

static int write_split_all(const elm_analysis_input *in, elm_table_file *file,
                           const elm_dataset *dataset, const char *split, elm_error *err)
{
    const int ranks = elm_comm_size(in->comm);
    sender s = {.comm = in->comm,
                .file = file,
                .dataset = dataset,
                .split = split,
                .width = elm_net_width(in->net),
                .classes = elm_net_classes(in->net),
                .batch = elm_evaluation_batch(&dataset->info)};
    s.rounds = ((dataset->count + s.batch - 1) / s.batch + ranks - 1) / ranks;
    int status = elm_comm_agree_all(in->comm, open_split(&s, err), err);
    if (status == 0) {
        elm_error later = {0};
        status = elm_forward_pass(in->net, dataset, in->comm, NULL, NULL, send_batch, &s, err);
        while (s.round < s.rounds && !s.broken)
            if (send_all(&s, NULL, 0, &later) != 0 && status == 0) {
                status = -1;
                *err = later;
            }
        status = elm_comm_agree_all(in->comm, status, err);
    }
    elm_free(s.block);
    elm_free(s.sizes);
    return status;
}

static void write_layer(const elm_analysis_input *in, elm_table_file *file)
{
    const elm_tensor *weight = elm_last_layer(in->net, "fc.weight"),
                     *bias = elm_last_layer(in->net, "fc.bias");
    elm_table_file_text(file, "/", "checkpoint", in->checkpoint);
    elm_table_file_text(file, "/", "weights", in->weights);
    elm_table_file_text(file, "/", "name", in->name);
    elm_table_file_array(file, "/classes/train_count", ELM_TABLE_INT64, in->train->info.classes, 0,
                         in->train->class_count);
    elm_table_file_texts(file, "/classes/name", (const char *const *)in->train->class_names,
                         in->train->info.classes);
    if (weight != NULL)
        elm_table_file_array(file, "/fc/weight", ELM_TABLE_FLOAT, elm_net_classes(in->net),
                             elm_net_width(in->net), weight->data);
    if (bias != NULL)
        elm_table_file_array(file, "/fc/bias", ELM_TABLE_FLOAT, elm_net_classes(in->net), 0,
                             bias->data);
}

int elm_embeddings_write_all(const elm_analysis_input *in, const char *path, elm_error *err)
{
    elm_table_file *file = NULL;
    const bool writes = elm_comm_rank(in->comm) == 0;
    int status = elm_comm_agree_all(
        in->comm, writes ? elm_table_file_create(&file, path, "elmpi-embeddings", err) : 0, err);
    if (status == 0 && file != NULL)
        write_layer(in, file);
    if (status == 0)
        status = write_split_all(in, file, in->train, "train", err);
    if (status == 0)
        status = write_split_all(in, file, in->test, in->test_split, err);
    if (writes)
        status = elm_table_file_close(file, status, err);
    return elm_comm_agree_all(in->comm, status, err);
}
