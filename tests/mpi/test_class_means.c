/* Class means over a data set on several ranks: those of all images on one rank, the same bits
 * on each; a broken embedding is everybody's. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "eval/class_means.h"
#include "ranks.h"

/* 5 batches: no number of ranks shares them evenly */
enum { IMAGES = 300, FEATURES = 5, CLASSES = 4, WIDTH = 8 };

static int32_t labels[IMAGES];
static float features[IMAGES * FEATURES];
static int64_t count[CLASSES]; /* the last class has no image */
static const char *names[CLASSES] = {"a", "b", "c", "d"};
static elm_dataset dataset = {.info = {.dataset = "toy", .classes = CLASSES, .features = FEATURES},
                              .count = IMAGES,
                              .labels = labels,
                              .class_count = count,
                              .features = features,
                              .class_names = (char **)names};

static void fill(void)
{
    memset(count, 0, sizeof count);
    for (int i = 0; i < IMAGES; i++) {
        labels[i] = i % 7 % (CLASSES - 1);
        count[labels[i]]++;
        for (int d = 0; d < FEATURES; d++)
            features[i * FEATURES + d] = sinf((float)(i * FEATURES + d));
    }
}

static elm_net *make_net(void)
{
    const elm_model_options options = {.name = "mlp:8", .bn = "global"};
    const elm_net_spec spec = {.model = &options,
                               .features = FEATURES,
                               .classes = CLASSES,
                               .max_images = 64,
                               .ranks = 1,
                               .backend = "auto",
                               .seed = 3};
    elm_net *net = NULL;
    elm_error err = {0};
    check(elm_net_create(&net, &spec, &err) == 0);
    return net;
}

static void are_those_of_one_rank(elm_net *net)
{
    double sums[CLASSES * WIDTH] = {0}, other[CLASSES * WIDTH];
    float *means = NULL;
    elm_error err = {0};
    for (int i = 0; i < IMAGES; i++) {
        const float *embedding = elm_net_embed_all(net, features + (size_t)i * FEATURES,
                                                   elm_partition_of(1, 1, 0), false);
        for (int k = 0; k < WIDTH; k++)
            sums[labels[i] * WIDTH + k] += (double)embedding[k];
    }
    check(elm_class_means_all(net, &dataset, comm, &means, &err) == 0);
    for (int j = 0; j < CLASSES * WIDTH; j++) {
        const int c = j / WIDTH;
        const double mean = count[c] ? sums[j] / (double)count[c] : 0;
        check(fabs((double)means[j] - mean) <= 1e-6 * (fabs(mean) + 1e-3));
        other[j] = (double)means[j];
    }
    elm_comm_max_all(comm, other, CLASSES * WIDTH);
    for (int j = 0; j < CLASSES * WIDTH; j++)
        check(other[j] == (double)means[j]);
    elm_free(means);
}

static void a_broken_embedding_is_everybodys(elm_net *net)
{
    float *means = NULL;
    elm_error err = {0};
    features[(IMAGES - 1) * FEATURES] = INFINITY;
    check(elm_class_means_all(net, &dataset, comm, &means, &err) == -1);
    check(means == NULL && strstr(err.text, "not finite") != NULL);
    fill();
}

static void tests(void)
{
    fill();
    elm_net *net = make_net();
    are_those_of_one_rank(net);
    a_broken_embedding_is_everybodys(net);
    elm_net_destroy(net);
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "class means", tests);
}
