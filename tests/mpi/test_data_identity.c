/* Data identity: ranks whose data sets differ in one thing all refuse to go on, and so does a
 * run whose checkpoint is of another data set. */
#include <string.h>

#include "ranks.h"
#include "train/dataset_fingerprint.h"

enum { IMAGES = 7, CLASSES = 3, SIDE = 3 };

typedef struct sample {
    elm_dataset train, test;
    int32_t labels[IMAGES];
    int64_t count[CLASSES];
    uint8_t images[IMAGES * SIDE * SIDE];
    float features[IMAGES * SIDE];
    elm_encoded_images encoded;
    elm_store_place places[IMAGES];
    char *names[CLASSES];
} sample;

static void fill(sample *s)
{
    static char *const names[CLASSES] = {"cat", "dog", "owl"};
    memset(s, 0, sizeof *s);
    memcpy(s->names, names, sizeof names);
    for (int i = 0; i < IMAGES; i++) {
        s->labels[i] = i % CLASSES;
        s->count[i % CLASSES]++;
        s->places[i] = (elm_store_place){.offset = 512 * i, .length = 100, .width = 8, .height = 9};
    }
    s->encoded.places = s->places;
    s->train = (elm_dataset){.info = {.dataset = "toy",
                                      .classes = CLASSES,
                                      .height = SIDE,
                                      .width = SIDE,
                                      .channels = 1},
                             .count = IMAGES,
                             .labels = s->labels,
                             .class_count = s->count,
                             .images = s->images,
                             .class_names = s->names};
    s->test = (elm_dataset){.info = {.dataset = "toy", .classes = CLASSES, .features = SIDE},
                            .count = IMAGES,
                            .labels = s->labels,
                            .class_count = s->count,
                            .features = s->features,
                            .class_names = s->names};
}

static void in_shards(sample *s)
{
    s->train.images = NULL;
    s->train.encoded = &s->encoded;
}

/* One change each. */
static void name(sample *s)
{
    strcpy(s->train.info.dataset, "other");
}
static void classes(sample *s)
{
    s->train.info.classes--;
}
static void train_count(sample *s)
{
    s->train.count--;
}
static void test_count(sample *s)
{
    s->test.count--;
}
static void label(sample *s)
{
    s->labels[IMAGES - 1] = 2;
}
static void pixel(sample *s)
{
    s->images[IMAGES * SIDE * SIDE - 1] = 1;
}
static void mean(sample *s)
{
    s->train.info.mean[0] = 0.5f;
}
static void feature(sample *s)
{
    s->features[3] = 1;
}
static void place(sample *s)
{
    in_shards(s);
    s->places[IMAGES - 1].length++;
}

static int same_all(sample *s, elm_error *err)
{
    const elm_dataset_fingerprint mine = elm_dataset_fingerprint_of(&s->train, &s->test);
    return elm_dataset_fingerprint_same_all(&mine, "toy.h5", comm, err);
}

static void ranks_compare(void)
{
    static const struct {
        void (*change)(sample *s);
        const char *says;
    } rows[] = {
        {name, "its name: other here, toy on rank 0"},
        {classes, "classes: 2 here, 3 on rank 0"},
        {train_count, "training images: 6 here, 7 on rank 0"},
        {test_count, "test images: 6 here, 7 on rank 0"},
        {label, "of the training set"},
        {pixel, "of the training set"},
        {mean, "of the training set"},
        {place, "of the training set"},
        {feature, "of the test set"},
    };
    static sample s;
    const int rank = elm_comm_rank(comm), size = elm_comm_size(comm);
    elm_error err = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int odd = 1; odd < size; odd++) {
            fill(&s);
            if (rows[i].change == place)
                in_shards(&s);
            if (rank == odd)
                rows[i].change(&s);
            check(same_all(&s, &err) == -1);
            check(err.code == ELM_EXIT_FAILURE && strstr(err.text, "toy.h5") &&
                  strstr(err.text, rows[i].says));
        }
    fill(&s);
    check(same_all(&s, &err) == 0);
}

/* Where an image lies does not matter. */
static void shards_may_move(void)
{
    static sample s;
    elm_error err = {0};
    fill(&s);
    in_shards(&s);
    s.places[1].offset += 512 * elm_comm_rank(comm);
    check(same_all(&s, &err) == 0);
}

static void checkpoints_compare(void)
{
    static sample s, other;
    elm_error err = {0};
    elm_progress_value values[ELM_DATASET_FINGERPRINT_VALUES];
    fill(&s);
    fill(&other);
    const elm_dataset_fingerprint mine = elm_dataset_fingerprint_of(&s.train, &s.test);
    elm_dataset_fingerprint_export(&mine, values);
    elm_checkpoint c = {.classes = CLASSES,
                        .class_names = (const char *const *)other.names,
                        .class_count = other.count,
                        .progress_count = ELM_DATASET_FINGERPRINT_VALUES,
                        .progress = values};
    check(elm_dataset_fingerprint_check(&mine, &s.train, &c, "toy.h5", &err) == 0);
    values[0].value += 1;
    check(elm_dataset_fingerprint_check(&mine, &s.train, &c, "toy.h5", &err) == -1 &&
          strstr(err.text, "in its training set"));
    c.progress_count = 0; /* of an elmpi that did not write them */
    check(elm_dataset_fingerprint_check(&mine, &s.train, &c, "toy.h5", &err) == 0);
    other.count[1]++;
    check(elm_dataset_fingerprint_check(&mine, &s.train, &c, "toy.h5", &err) == -1 &&
          strstr(err.text, "class 1 (dog) has 2"));
    other.names[2] = "elk";
    check(elm_dataset_fingerprint_check(&mine, &s.train, &c, "toy.h5", &err) == -1 &&
          strstr(err.text, "its class 2 is elk"));
    c.class_count = NULL;
    check(elm_dataset_fingerprint_check(&mine, &s.train, &c, "toy.h5", &err) == -1 &&
          strstr(err.text, "/classes/train_count"));
}

static void all_tests(void)
{
    ranks_compare();
    shards_may_move();
    checkpoints_compare();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "data identity", all_tests);
}
