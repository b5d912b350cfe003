#include <math.h>

#include "base/rng.h"
#include "elmpi/memory.h"
#include "elmpi/store.h"
#include "prepare/sources.h"

/* Two interleaving half circles (after Zhou et al. 2003): class 0 the upper one around (0, 0),
 * class 1 the lower one around (1, 1/2), both of radius 1, with Gaussian noise. Every point is a
 * function of (seed, split, number). */

enum {
    CLASSES = 2,
    HEAD = 0,
    TAIL = 1,
    DEFAULT_POINTS = 2000,
    TEST_PER_CLASS = 1000,
    POINTS_MAX = 100000000,
    SPLIT_TRAIN = 0,
    SPLIT_TEST = 1,
    SPLIT_ORDER = 2
};

static const double noise = 0.1;              /* deviation: the moons stay separable */
static const double default_imbalance = 19.0; /* 5% in the tail */

static void draw_point(uint64_t seed, int split, int64_t number, int label, float point[2])
{
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_DATA, (uint64_t)split, (uint64_t)number);
    const double angle = 3.14159265358979323846 * elm_rng_uniform(&rng);
    const double x = label == HEAD ? cos(angle) : 1.0 - cos(angle);
    const double y = label == HEAD ? sin(angle) : 0.5 - sin(angle);
    point[0] = (float)(x + noise * elm_rng_normal(&rng));
    point[1] = (float)(y + noise * elm_rng_normal(&rng));
}

/* The labels of the training set, shuffled: classes mix also where a job takes the store's
 * order. */
static void draw_labels(uint64_t seed, int64_t points, int64_t tail, uint8_t *labels)
{
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_DATA, SPLIT_ORDER, 0);
    for (int64_t i = 0; i < points; i++)
        labels[i] = i < tail ? TAIL : HEAD;
    elm_rng_shuffle(&rng, labels, points, sizeof *labels);
}

static int write_points(elm_store_writer *writer, uint64_t seed, int64_t points,
                        const uint8_t *labels, elm_error *err)
{
    float point[2];
    for (int64_t i = 0; i < points; i++) {
        draw_point(seed, SPLIT_TRAIN, i, labels[i], point);
        if (elm_store_writer_append(writer, "train", labels[i], point, err) != 0)
            return -1;
    }
    for (int64_t i = 0; i < CLASSES * TEST_PER_CLASS; i++) {
        draw_point(seed, SPLIT_TEST, i, (int)(i % CLASSES), point);
        if (elm_store_writer_append(writer, "test", (int32_t)(i % CLASSES), point, err) != 0)
            return -1;
    }
    return 0;
}

int elm_prepare_moons(const elm_prepare_request *request, elm_error *err)
{
    const elm_store_info info = {.dataset = "two-moons", .classes = CLASSES, .features = 2};
    const char *const names[CLASSES] = {"head", "tail"};
    const int64_t points = request->points != 0 ? request->points : DEFAULT_POINTS;
    const double imbalance = request->imbalance != 0 ? request->imbalance : default_imbalance;
    if (points < CLASSES || points > POINTS_MAX)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "impossible number of points %lld (--images): give %d to %d",
                             (long long)points, CLASSES, POINTS_MAX);
    const int64_t tail = llround((double)points / (1.0 + imbalance));
    if (tail < 1)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "no point left for the tail (--imbalance %g, --images %lld): give "
                             "more images or less imbalance",
                             imbalance, (long long)points);
    uint8_t *labels = elm_alloc((size_t)points, sizeof *labels, err);
    elm_store_writer *writer = NULL;
    int status =
        labels != NULL ? elm_store_writer_create(&writer, request->out, &info, names, err) : -1;
    if (status == 0) {
        draw_labels(request->seed, points, tail, labels);
        status = write_points(writer, request->seed, points, labels, err);
        if (status == 0)
            status = elm_store_writer_finish(writer, err);
        else
            elm_store_writer_destroy(writer);
    }
    elm_free(labels);
    return status;
}
