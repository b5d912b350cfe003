/* Metrics from predictions counted by hand, the group rules at their borders, and the JSON file
 * against what went in. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elmpi/classifier.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "elmpi/metrics.h"

enum { CLASSES = 4 };

/* Head, torso, tail, and a tail class without test images. */
static const int64_t train_count[CLASSES] = {500, 99, 5, 3};
static int64_t tested[CLASSES] = {10, 4, 4, 0}, correct[CLASSES] = {9, 2, 1, 0};
static const elm_recall_counts tally = {.classes = CLASSES, .tested = tested, .correct = correct};

static elm_metrics *make(elm_group_rule rule)
{
    elm_metrics *metrics = NULL;
    elm_error err = {0};
    assert_int_equal(elm_metrics_create(&metrics, &tally, train_count, rule, &err), 0);
    return metrics;
}

static void counts_by_hand(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    elm_metrics *m = make(ELM_GROUPS_ELM);
    assert_int_equal(m->images, 18);
    assert_int_equal(m->correct, 12);
    assert_float_equal(m->accuracy, 12.0 / 18, 1e-15);
    assert_float_equal(m->balanced_accuracy, (0.9 + 0.5 + 0.25) / 3, 1e-15);
    assert_float_equal(m->group[0], 0.9, 1e-15);
    assert_float_equal(m->group[1], 0.5, 1e-15);
    assert_float_equal(m->group[2], 0.25, 1e-15);
    assert_int_equal(m->group_classes[2], 2);
    assert_int_equal(m->tested[1], 4);
    assert_true(isnan(m->recall[3]));
    elm_metrics_destroy(m);
    elm_metrics_destroy(NULL);
    assert_int_equal(elm_alloc_live(), live);
}

static void nothing_tested_is_nan(void **state)
{
    (void)state;
    int64_t none[CLASSES] = {0};
    elm_metrics *m = NULL;
    assert_int_equal(elm_metrics_create(
                         &m,
                         &(elm_recall_counts){.classes = CLASSES, .tested = none, .correct = none},
                         train_count, ELM_GROUPS_ELM, NULL),
                     0);
    assert_true(isnan(m->accuracy) && isnan(m->balanced_accuracy) && isnan(m->group[0]));
    assert_int_equal(m->group_classes[0], 1);
    elm_metrics_destroy(m);
}

/* The group of a single class with `count` training images. */
static int group_of(int64_t count, elm_group_rule rule)
{
    int64_t one = 1;
    elm_metrics *m = NULL;
    assert_int_equal(
        elm_metrics_create(&m, &(elm_recall_counts){.classes = 1, .tested = &one, .correct = &one},
                           &count, rule, NULL),
        0);
    const int group = m->group_classes[0] ? 0 : m->group_classes[1] ? 1 : 2;
    elm_metrics_destroy(m);
    return group;
}

static void groups_at_their_borders(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        int elm, kang;
    } borders[] = {{1, 2, 2}, {19, 2, 2}, {20, 1, 1}, {99, 1, 1}, {100, 0, 1}, {101, 0, 0}};
    for (size_t i = 0; i < sizeof borders / sizeof borders[0]; i++) {
        assert_int_equal(group_of(borders[i].count, ELM_GROUPS_ELM), borders[i].elm);
        assert_int_equal(group_of(borders[i].count, ELM_GROUPS_KANG), borders[i].kang);
    }
}

static void names_are_checked(void **state)
{
    (void)state;
    elm_error err = {0};
    elm_group_rule rule = ELM_GROUPS_ELM;
    assert_int_equal(elm_group_rule_parse("kang", &rule, &err), 0);
    assert_int_equal(rule, ELM_GROUPS_KANG);
    assert_int_equal(elm_group_rule_parse("king", &rule, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "elm or kang"));
    assert_string_equal(elm_classifier_find("fc", &err)->name, "fc");
    assert_null(elm_classifier_find("fcc", &err));
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "did you mean fc?"));
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

/* The number behind a key, to the last bit. */
static double value_of(const char *text, const char *key)
{
    const char *found = strstr(text, key);
    assert_non_null(found);
    return strtod(found + strlen(key), NULL);
}

static elm_evaluation_about about(void)
{
    static const char *const names[CLASSES] = {"cat", "a \"quoted\" dog", "h\xc3\xa9ron", "empty"};
    return (elm_evaluation_about){
        "runs/x/checkpoint.h5", "fc", "toy", "test", names, train_count, NULL, 1.5, 77};
}

static void json_says_what_went_in(void **state)
{
    (void)state;
    char path[] = "/tmp/elmpi-metrics-XXXXXX", part[64];
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    elm_metrics *m = make(ELM_GROUPS_ELM);
    const elm_evaluation_about who = about();
    elm_error err = {0};
    assert_int_equal(elm_evaluation_write_json(path, m, &who, &err), 0);
    char *text = read_text(path);
    static const char *const lines[] = {
        "\"checkpoint\": \"runs/x/checkpoint.h5\"",
        "\"classifier\": \"fc\"",
        "\"epoch\": 1.5",
        "\"step\": 77",
        "\"images\": 18",
        "\"head\": 0.9",
        "\"tail\": 0.25",
        "\"group_rule\": \"elm\"",
        "\"a \\\"quoted\\\" dog\"",
        "h\xc3\xa9ron",
        "null",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("the file does not say %s:\n%s", lines[i], text);
    assert_true(value_of(text, "\"balanced_accuracy\": ") == m->balanced_accuracy);
    assert_true(value_of(text, "\"accuracy\": ") == m->accuracy);
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_not_equal(access(part, F_OK), 0);
    free(text);
    unlink(path);
    elm_metrics_destroy(m);
}

static void unwritable_json_is_an_error(void **state)
{
    (void)state;
    elm_metrics *m = make(ELM_GROUPS_ELM);
    const elm_evaluation_about who = about();
    elm_error err = {0};
    assert_int_equal(elm_evaluation_write_json("/nowhere/at/all.json", m, &who, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_FAILURE);
    assert_non_null(strstr(err.text, "/nowhere/at/all.json"));
    elm_metrics_destroy(m);
}

/* What a log file receives of a table. The stream keeps the address of `text`: gcc 12 warns when
 * that is a variable of this function. */
static void print_to(char **text, const elm_metrics *m, const elm_evaluation_about *who)
{
    size_t size = 0;
    FILE *file = open_memstream(text, &size);
    assert_non_null(file);
    const elm_log log = {.program = "test", .file = file};
    elm_evaluation_print(&log, m, who);
    fclose(file);
}

static void table_shows_every_class_of_few(void **state)
{
    (void)state;
    elm_metrics *m = make(ELM_GROUPS_ELM);
    const elm_evaluation_about who = about();
    char *text = NULL;
    print_to(&text, m, &who);
    assert_non_null(strstr(text, "balanced accuracy    55.00 %"));
    assert_non_null(strstr(text, "(12 of 18)"));
    assert_non_null(strstr(text, "empty"));
    free(text);
    elm_metrics_destroy(m);
}

static void table_shows_the_ends_of_many(void **state)
{
    (void)state;
    enum { MANY = 30 };
    int64_t counts[MANY];
    elm_recall_counts many;
    assert_int_equal(elm_recall_counts_create(&many, MANY, NULL), 0);
    for (int c = 0; c < MANY; c++) { /* class c has recall c / MANY */
        counts[c] = 50;
        for (int i = 0; i < MANY; i++)
            elm_recall_counts_add(&many, c, i < c ? c : (c + 1) % MANY);
    }
    elm_metrics *m = NULL;
    assert_int_equal(elm_metrics_create(&m, &many, counts, ELM_GROUPS_ELM, NULL), 0);
    elm_recall_counts_release(&many);
    const elm_evaluation_about who = {"c.h5", "fc", "toy", "test", NULL, counts, NULL, 0, 0};
    char *text = NULL;
    print_to(&text, m, &who);
    const char *best = strstr(text, "\n  29 "), *gap = strstr(text, "... (20 classes)"),
               *worst = strstr(text, "\n  0 ");
    assert_true(best != NULL && gap != NULL && worst != NULL && best < gap && gap < worst);
    assert_null(strstr(text, "\n  15 "));
    free(text);
    elm_metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_hand),
        cmocka_unit_test(nothing_tested_is_nan),
        cmocka_unit_test(groups_at_their_borders),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(json_says_what_went_in),
        cmocka_unit_test(unwritable_json_is_an_error),
        cmocka_unit_test(table_shows_every_class_of_few),
        cmocka_unit_test(table_shows_the_ends_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
