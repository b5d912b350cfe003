/* center: the squared distance of an embedding to its class's center, which follows the class
 * without a gradient. Centers start at 0; after a step with n images of class y (Wen et al., eq.
 * 4):
 *
 * c_y -= rate * sum_i (c_y - Phi_i) / (1 + n)
 *
 * Everything is gathered although the gradient needs our rows alone: ranks that hold no image of a
 * class keep its center too. Cost: width multiplications an image.
 *
 * In scope bank the center is what it stands for: the mean of the class's images, of those in
 * the batch by their embeddings at hand, of the others by the bank's. Nothing is learned then,
 * and only the class's owner needs to look (ELM_LOSS_OWNED). Cost: width additions an entry of a
 * class that occurs. */
#include <string.h>

#include "elmpi/memory.h"
#include "loss/embedding/class_centers.h"
#include "loss/embedding/memory_bank.h"

typedef struct center {
    double rate;
    elm_global_batch *rows;
    elm_class_centers *centers; /* NULL in scope bank */
    double *mean;               /* [classes present][width] only in scope bank */
    double *row_loss;           /* [max_local] */
} center;

static void center_destroy(void *state)
{
    center *c = state;
    if (!c)
        return;
    elm_global_batch_destroy(c->rows);
    elm_class_centers_destroy(c->centers);
    elm_free(c->mean);
    elm_free(c->row_loss);
    elm_free(c);
}

static int allocate(center *c, const elm_loss_setup *setup, elm_error *err)
{
    const size_t rows = (size_t)setup->max_rows, classes = (size_t)setup->counts.classes;
    const size_t present = rows < classes ? rows : classes;
    if (setup->options->scope == ELM_SCOPE_RANK)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "center has no scope rank (loss.scope): use global or bank");
    if (elm_global_batch_create(&c->rows, setup, false, err) ||
        !(c->row_loss = elm_alloc((size_t)setup->max_local, sizeof *c->row_loss, err)))
        return -1;
    if (setup->options->scope != ELM_SCOPE_BANK)
        return elm_class_centers_create(&c->centers, setup, err);
    c->mean = elm_alloc(present * (size_t)setup->width, sizeof *c->mean, err);
    return c->mean ? 0 : -1;
}

static int center_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    center *c = elm_alloc(1, sizeof *c, err);
    *state = NULL;
    if (!c)
        return -1;
    c->rate = setup->options->center_rate;
    if (allocate(c, setup, err)) {
        center_destroy(c);
        return -1;
    }
    *state = c;
    return 0;
}

/* The mean of a class over the batch's images and the bank's entries of all others; `place`: of
 * the class among those that occur. */
static void find_mean(center *c, const elm_memory_bank *bank, int place)
{
    const elm_global_batch *r = c->rows;
    double *mean = c->mean + (size_t)place * (size_t)r->width;
    memset(mean, 0, (size_t)r->width * sizeof *mean);
    for (int m = r->start[place]; m < r->start[place + 1]; m++) {
        const double *x = elm_global_batch_at(r, r->member[m]);
        for (int k = 0; k < r->width; k++)
            mean[k] += x[k];
    }
    const int64_t stored = elm_memory_bank_add_up(bank, r->class[place], mean);
    const double share = 1 / (double)(stored + elm_global_batch_members(r, place));
    for (int k = 0; k < r->width; k++)
        mean[k] *= share;
}

static void find_means(center *c, const elm_loss_batch *batch)
{
    elm_memory_bank_begin(batch->bank, batch);
#pragma omp parallel for schedule(dynamic, 1)
    for (int place = 0; place < c->rows->present; place++)
        find_mean(c, batch->bank, place);
}

static double center_at(const center *c, int32_t label, int k)
{
    const size_t width = (size_t)c->rows->width;
    return c->mean ? c->mean[(size_t)c->rows->slot[label] * width + (size_t)k]
                   : (double)c->centers->center[(size_t)label * width + (size_t)k];
}

static void find_row(center *c, int i)
{
    const elm_global_batch *r = c->rows;
    const double *x = elm_global_batch_at(r, r->first + i);
    const int32_t label = r->label[r->first + i];
    double *gradient = r->gradient + (size_t)i * (size_t)r->width, sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < r->width; k++) {
        const double difference = x[k] - center_at(c, label, k);
        gradient[k] = 2 * difference;
        sum += difference * difference;
    }
    c->row_loss[i] = sum;
}

static elm_loss_value center_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    center *c = state;
    elm_global_batch_collect(c->rows, batch);
    if (c->mean)
        find_means(c, batch);
    else
        elm_class_centers_note(c->centers, c->rows, batch);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < batch->local; i++)
        find_row(c, i);
    elm_global_batch_add_gradient(c->rows, batch, weight / (double)batch->global);
    elm_loss_value value = elm_global_batch_mean(c->rows, batch, c->row_loss);
    if (c->mean)
        elm_memory_bank_cover(batch->bank, batch, value.with_bank);
    return value;
}

static void follow(float *mean, const double *sum, int64_t count, bool seen, int width, double rate)
{
    (void)seen;
    for (int k = 0; k < width; k++) {
        const double c = (double)mean[k];
        mean[k] = (float)(c - rate * ((double)count * c - sum[k]) / (double)(1 + count));
    }
}

static void update(void *state, double lr)
{
    center *c = state;
    (void)lr;
    if (c->centers)
        elm_class_centers_follow(c->centers, follow, c->rate);
}

static int tensors(void *state, elm_tensor *out, int capacity)
{
    const center *c = state;
    return c->centers ? elm_class_centers_tensors(c->centers, out, capacity) : 0;
}

static void center_needs(const elm_loss_options *options, elm_loss_needs *needs)
{
    needs->bank = options->scope == ELM_SCOPE_BANK;
    needs->reach = needs->bank ? ELM_LOSS_OWNED : ELM_LOSS_EVERYTHING;
}

const elm_loss_row elm_loss_center = {
    .name = "center",
    .formula = "|Phi - c_y|^2",
    .source =
        "Wen et al. 2016, A discriminative feature learning approach for deep face recognition",
    .help = "embeddings are drawn to their class's center, which follows them (lambda 0.003 in its "
            "paper)",
    .needs = center_needs,
    .create = center_create,
    .evaluate = center_evaluate,
    .update = update,
    .destroy = center_destroy,
    .tensors = tensors,
};
