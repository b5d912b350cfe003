/* center: the squared distance of an embedding to its class's centre, which follows the class without a gradient. Centres start at 0; after
 * a step with n images of class y (Wen et al., eq. 4):
 *
 *   c_y -= rate * sum_i (c_y - Phi_i) / (1 + n)
 *
 * Everything is gathered although the gradient needs our rows alone: ranks that hold no image of a class keep its centre too.
 * Cost: width multiplications an image. */
#include "elmpi/memory.h"
#include "loss/centres.h"

typedef struct center {
    double rate;
    elm_rows *rows;
    elm_centres *centres;
    double *row_loss; /* [max_local] */
} center;

static void destroy(void *state)
{
    center *c = state;
    if (!c)
        return;
    elm_rows_destroy(c->rows);
    elm_centres_destroy(c->centres);
    elm_free(c->row_loss);
    elm_free(c);
}

static int create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    center *c = elm_alloc(1, sizeof *c, err);
    *state = NULL;
    if (!c)
        return -1;
    c->rate = setup->options->center_rate;
    if (elm_rows_create(&c->rows, setup, false, err) || elm_centres_create(&c->centres, setup, err) ||
        !(c->row_loss = elm_alloc((size_t)setup->max_local, sizeof *c->row_loss, err))) {
        destroy(c);
        return -1;
    }
    *state = c;
    return 0;
}

static void find_row(center *c, int i)
{
    const elm_rows *r = c->rows;
    const double *x = elm_rows_at(r, r->first + i);
    const float *centre = c->centres->centre + (size_t)r->label[r->first + i] * (size_t)r->width;
    double *gradient = r->gradient + (size_t)i * (size_t)r->width, sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < r->width; k++) {
        const double difference = x[k] - (double)centre[k];
        gradient[k] = 2 * difference;
        sum += difference * difference;
    }
    c->row_loss[i] = sum;
}

static elm_loss_value evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    center *c = state;
    elm_rows_collect(c->rows, batch);
    elm_centres_note(c->centres, c->rows, batch);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < batch->local; i++)
        find_row(c, i);
    elm_rows_add_gradient(c->rows, batch, weight / (double)batch->global);
    return elm_rows_mean(c->rows, batch, c->row_loss);
}

static void follow(float *centre, const double *sum, int64_t count, bool seen, int width, double rate)
{
    (void)seen;
    for (int k = 0; k < width; k++) {
        const double c = (double)centre[k];
        centre[k] = (float)(c - rate * ((double)count * c - sum[k]) / (double)(1 + count));
    }
}

static void update(void *state, double lr)
{
    center *c = state;
    (void)lr;
    elm_centres_follow(c->centres, follow, c->rate);
}

static int tensors(void *state, elm_tensor *out, int capacity)
{
    return elm_centres_tensors(((center *)state)->centres, out, capacity);
}

const elm_loss_row elm_loss_center = {
    .name = "center",
    .formula = "|Phi - c_y|^2",
    .source = "Wen et al. 2016, A discriminative feature learning approach for deep face recognition",
    .help = "embeddings are drawn to their class's centre, which follows them (lambda 0.003 in its paper)",
    .reach = elm_loss_reach_everything,
    .create = create,
    .evaluate = evaluate,
    .update = update,
    .destroy = destroy,
    .tensors = tensors,
};
