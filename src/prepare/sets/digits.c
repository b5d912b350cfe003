#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/long_tail.h"
#include "base/rng.h"
#include "elmpi/memory.h"
#include "elmpi/store.h"
#include "prepare/archives/archive_fetch.h"
#include "prepare/sets/digits_archive.h"
#include "prepare/sources.h"

/* Alpaydin and Kaynak 1998, optical recognition of handwritten digits (UCI): the 1,797 digits of
 * its test set, 8 x 8 pixels of 0..16, as lines of 64 values and the digit. Which of them are
 * for testing is fixed for good, so that results compare. */

enum {
    DIGITS = 1797,
    CLASSES = 10,
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    VALUE_MAX = 16,
    TEST_PER_CLASS = 50,
    FILE_BYTES_MAX = 1 << 20,
    SPLIT_SEED = 1998, /* of the choice of test digits */
};

static const double default_imbalance = 20.0;
static const char advice[] = "omit --archive to use the digits that come with elmpi";

typedef enum digit_use { DIGIT_UNUSED, DIGIT_TRAIN, DIGIT_TEST } digit_use;

/** The archive's content. */
typedef struct digit_set {
    uint8_t pixels[DIGITS][PIXELS];
    uint8_t label[DIGITS];
    uint8_t use[DIGITS];
} digit_set;

/* A whole number up to `max` followed by `end`; moves on behind it. */
static bool parse_value(const char **text, int max, char end, uint8_t *value)
{
    int number = 0, digits = 0;
    for (; **text >= '0' && **text <= '9' && digits < 3; digits++)
        number = 10 * number + *(*text)++ - '0';
    if (**text == '\r' && end == '\n')
        (*text)++;
    if (digits == 0 || number > max || **text != end)
        return false;
    (*text)++;
    *value = (uint8_t)number;
    return true;
}

static int parse_digits(const char *text, digit_set *set, const char *archive, elm_error *err)
{
    for (int i = 0; i < DIGITS; i++) {
        bool ok = true;
        for (int p = 0; ok && p < PIXELS; p++) {
            uint8_t value = 0;
            ok = parse_value(&text, VALUE_MAX, ',', &value);
            set->pixels[i][p] = (uint8_t)lround(value * 255.0 / VALUE_MAX);
        }
        if (!ok || !parse_value(&text, CLASSES - 1, '\n', &set->label[i]))
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "not a line of 64 values and a digit (%s, line %d): %s", archive,
                                 i + 1, advice);
    }
    if (*text != '\0')
        return elm_error_set(err, ELM_EXIT_FAILURE, "more than %d digits (%s): %s", DIGITS, archive,
                             advice);
    return 0;
}

/* The digits of class c in a fixed random order. */
static int shuffled_class(const digit_set *set, int c, int *members)
{
    int count = 0;
    for (int i = 0; i < DIGITS; i++)
        if (set->label[i] == c)
            members[count++] = i;
    elm_rng rng = elm_rng_stream(SPLIT_SEED, ELM_RNG_DATA, (uint64_t)c, 0);
    elm_rng_shuffle(&rng, members, count, sizeof *members);
    return count;
}

/* Of each class the first 50 are for testing, the next n_c for training; n_max is what the
 * smallest class has left. */
static int choose_digits(digit_set *set, double imbalance, const char *archive, elm_error *err)
{
    int count[CLASSES] = {0}, n_max = DIGITS, members[DIGITS];
    for (int i = 0; i < DIGITS; i++)
        count[set->label[i]]++;
    for (int c = 0; c < CLASSES; c++)
        n_max = count[c] - TEST_PER_CLASS < n_max ? count[c] - TEST_PER_CLASS : n_max;
    if (n_max < 1)
        return elm_error_set(err, ELM_EXIT_FAILURE, "a class with too few digits (%s): %s", archive,
                             advice);
    if (elm_long_tail_count(n_max, imbalance, CLASSES - 1, CLASSES) < 1)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "no digit left for the last class (--imbalance %g): give at most %d",
                             imbalance, n_max);
    for (int c = 0; c < CLASSES; c++) {
        const int train = (int)elm_long_tail_count(n_max, imbalance, c, CLASSES);
        shuffled_class(set, c, members);
        for (int i = 0; i < TEST_PER_CLASS + train; i++)
            set->use[members[i]] = i < TEST_PER_CLASS ? DIGIT_TEST : DIGIT_TRAIN;
    }
    return 0;
}

/* Mean and deviation of the training pixels, as every data set's are. */
static void measure(const digit_set *set, elm_store_info *info)
{
    double sum = 0, squares = 0, count = 0;
    for (int i = 0; i < DIGITS; i++)
        for (int p = 0; set->use[i] == DIGIT_TRAIN && p < PIXELS; p++) {
            const double x = set->pixels[i][p] / 255.0;
            sum += x;
            squares += x * x;
            count++;
        }
    const double mean = sum / count;
    info->mean[0] = (float)mean;
    info->std[0] = (float)sqrt(squares / count - mean * mean);
}

static int write_store(const digit_set *set, const elm_store_info *info, const char *out,
                       elm_error *err)
{
    const char *const names[CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    elm_store_writer *writer = NULL;
    if (elm_store_writer_create(&writer, out, info, names, err) != 0)
        return -1;
    for (int i = 0; i < DIGITS; i++) {
        if (set->use[i] == DIGIT_UNUSED)
            continue;
        if (elm_store_writer_append(writer, set->use[i] == DIGIT_TEST ? "test" : "train",
                                    set->label[i], set->pixels[i], err) != 0) {
            elm_store_writer_destroy(writer);
            return -1;
        }
    }
    return elm_store_writer_finish(writer, err);
}

int elm_prepare_digits(const elm_prepare_request *request, elm_error *err)
{
    const elm_archive_place embedded = {"the digits that come with elmpi", elm_digits_archive,
                                        elm_digits_archive_bytes};
    const elm_archive_place given = {.name = request->archive},
                            *place = request->archive != NULL ? &given : &embedded;
    elm_archive_file file = {.base = "digits.csv", .max_bytes = FILE_BYTES_MAX};
    elm_store_info info = {
        .dataset = "digits", .classes = CLASSES, .height = SIDE, .width = SIDE, .channels = 1};
    digit_set *set = elm_alloc(1, sizeof *set, err);
    if (set == NULL)
        return -1;
    int status = elm_archive_fetch(
        place, &file, 1, advice,
        (elm_archive_progress){request->progress, request->progress_context}, err);
    if (status == 0)
        status = parse_digits((const char *)file.bytes, set, place->name, err);
    if (status == 0)
        status =
            choose_digits(set, request->imbalance != 0 ? request->imbalance : default_imbalance,
                          place->name, err);
    if (status == 0) {
        measure(set, &info);
        status = write_store(set, &info, request->out, err);
    }
    elm_archive_free(&file, 1);
    elm_free(set);
    return status;
}
