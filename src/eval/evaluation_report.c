/* What an evaluation says: a table for people, JSON for programs. Accuracies are per cent in the
 * table, fractions in the file. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_gen.h>

#include "base/text/utf8.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"

enum { TEXT_BYTES = 1 << 15 };
enum {
    TABLE_CLASSES_MAX = 20, /* more classes than this are shown by their two ends */
    TABLE_END_CLASSES = 5,
    PERCENT_TEXT = 16,
};

static const char *percent(double fraction, char text[PERCENT_TEXT])
{
    if (isnan(fraction))
        snprintf(text, PERCENT_TEXT, "-");
    else
        snprintf(text, PERCENT_TEXT, "%.2f %%", 100 * fraction);
    return text;
}

static void print_class(const elm_log *log, const elm_metrics *m, const elm_evaluation_about *about,
                        int c)
{
    char text[PERCENT_TEXT], number[PERCENT_TEXT];
    snprintf(number, sizeof number, "%d", c);
    const char *name = about->class_names != NULL ? about->class_names[c] : number;
    char shown[25];
    elm_log_info(log, "  %-24s %9" PRId64 " %9" PRId64 " %10s",
                 elm_utf8_escape(shown, sizeof shown, name), about->train_count[c], m->tested[c],
                 percent(m->recall[c], text));
}

typedef struct ranked_class {
    double recall;
    int index;
} ranked_class;

static int by_recall(const void *a, const void *b)
{
    const ranked_class *x = a, *y = b;
    return x->recall > y->recall ? -1 : x->recall < y->recall ? 1 : x->index - y->index;
}

/* The two ends of the ranking by recall; without memory for the ranking the table ends here,
 * nothing else suffers. */
static void print_ends(const elm_log *log, const elm_metrics *m, const elm_evaluation_about *about)
{
    ranked_class *ranked = elm_alloc((size_t)m->classes, sizeof *ranked, NULL);
    if (ranked == NULL)
        return;
    int count = 0;
    for (int c = 0; c < m->classes; c++)
        if (m->tested[c] > 0)
            ranked[count++] = (ranked_class){m->recall[c], c};
    qsort(ranked, (size_t)count, sizeof *ranked, by_recall);
    for (int i = 0; i < count; i++) {
        if (i == TABLE_END_CLASSES && count > 2 * TABLE_END_CLASSES) {
            i = count - TABLE_END_CLASSES;
            elm_log_info(log, "  ... (%d classes)", count - 2 * TABLE_END_CLASSES);
        }
        print_class(log, m, about, ranked[i].index);
    }
    elm_free(ranked);
}

void elm_evaluation_print(const elm_log *log, const elm_metrics *m,
                          const elm_evaluation_about *about)
{
    char text[PERCENT_TEXT];
    elm_log_info(log, "%s, %s split, %" PRId64 " images, classifier %s", about->dataset,
                 about->split, m->images, about->classifier);
    elm_log_info(log, "%s, epoch %.2f, step %" PRId64, about->checkpoint, about->epoch,
                 about->step);
    elm_log_info(log, "%s", "");
    elm_log_info(log, "  balanced accuracy %10s", percent(m->balanced_accuracy, text));
    elm_log_info(log, "  accuracy          %10s  (%" PRId64 " of %" PRId64 ")",
                 percent(m->accuracy, text), m->correct, m->images);
    if (m->unreadable > 0)
        elm_log_info(log, "  %" PRId64 " image%s could not be read and %s", m->unreadable,
                     m->unreadable > 1 ? "s" : "",
                     m->omits ? "left out (data.unreadable_test = omit)"
                              : "count as wrong (data.unreadable_test = wrong)");
    elm_log_info(log, "%s", "");
    elm_log_info(log, "  %-6s %8s  %-16s %10s", "group", "classes", "training images", "accuracy");
    for (int g = 0; g < ELM_GROUPS; g++)
        elm_log_info(log, "  %-6s %8d  %-16s %10s", elm_group_name(g), m->group_classes[g],
                     elm_group_range(m->rule, g), percent(m->group[g], text));
    elm_log_info(log, "%s", "");
    elm_log_info(log, "  %-24s %9s %9s %10s", "class", "training", "tested", "accuracy");
    if (m->classes > TABLE_CLASSES_MAX) {
        print_ends(log, m, about);
        return;
    }
    for (int c = 0; c < m->classes; c++)
        print_class(log, m, about, c);
}

/* Names of classes and paths may be in any alphabet; JSON is in UTF-8. */
static void put_text(yajl_gen gen, const char *text)
{
    char escaped[TEXT_BYTES];
    const char *sound =
        elm_utf8_is_valid(text) ? text : elm_utf8_escape(escaped, sizeof escaped, text);
    yajl_gen_string(gen, (const unsigned char *)sound, strlen(sound));
}

/* The shortest text that reads back as the same double. yajl's own would write
 * 0.28999999999999998. */
static void put_real(yajl_gen gen, double value)
{
    if (!isfinite(value)) {
        yajl_gen_null(gen);
        return;
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    yajl_gen_number(gen, text, strlen(text));
}

static void put_counts(yajl_gen gen, const char *key, const int64_t *values, int count)
{
    put_text(gen, key);
    yajl_gen_array_open(gen);
    for (int i = 0; i < count; i++)
        yajl_gen_integer(gen, values[i]);
    yajl_gen_array_close(gen);
}

static void put_groups(yajl_gen gen, const elm_metrics *m)
{
    put_text(gen, "groups");
    yajl_gen_map_open(gen);
    for (int g = 0; g < ELM_GROUPS; g++) {
        put_text(gen, elm_group_name(g));
        put_real(gen, m->group[g]);
    }
    yajl_gen_map_close(gen);
    put_text(gen, "group_rule");
    put_text(gen, elm_group_rule_name(m->rule));
    put_text(gen, "group_classes");
    yajl_gen_map_open(gen);
    for (int g = 0; g < ELM_GROUPS; g++) {
        put_text(gen, elm_group_name(g));
        yajl_gen_integer(gen, m->group_classes[g]);
    }
    yajl_gen_map_close(gen);
}

static void put_classes(yajl_gen gen, const elm_metrics *m, const elm_evaluation_about *about)
{
    put_text(gen, "per_class_accuracy");
    yajl_gen_array_open(gen);
    for (int c = 0; c < m->classes; c++)
        put_real(gen, m->recall[c]);
    yajl_gen_array_close(gen);
    put_counts(gen, "per_class_images", m->tested, m->classes);
    put_counts(gen, "per_class_train_count", about->train_count, m->classes);
    if (about->class_names == NULL)
        return;
    put_text(gen, "class_names");
    yajl_gen_array_open(gen);
    for (int c = 0; c < m->classes; c++)
        put_text(gen, about->class_names[c]);
    yajl_gen_array_close(gen);
}

static void put_details(yajl_gen gen, const elm_evaluation_detail *details)
{
    for (; details != NULL && details->key != NULL; details++) {
        put_text(gen, details->key);
        if (details->text != NULL) {
            put_text(gen, details->text);
        } else if (details->count == 1) {
            put_real(gen, details->values[0]);
        } else {
            yajl_gen_array_open(gen);
            for (int i = 0; i < details->count; i++)
                put_real(gen, details->values[i]);
            yajl_gen_array_close(gen);
        }
    }
}

static void put_all(yajl_gen gen, const elm_metrics *m, const elm_evaluation_about *about)
{
    const char *const texts[][2] = {{"checkpoint", about->checkpoint},
                                    {"classifier", about->classifier},
                                    {"dataset", about->dataset},
                                    {"split", about->split}};
    yajl_gen_map_open(gen);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put_text(gen, texts[i][0]);
        put_text(gen, texts[i][1]);
    }
    put_text(gen, "epoch");
    put_real(gen, about->epoch);
    put_text(gen, "step");
    yajl_gen_integer(gen, about->step);
    put_details(gen, about->details);
    put_text(gen, "images");
    yajl_gen_integer(gen, m->images);
    put_text(gen, "unreadable_images");
    yajl_gen_integer(gen, m->unreadable);
    if (m->unreadable > 0) {
        put_text(gen, "unreadable_images_are");
        put_text(gen, m->omits ? "left out" : "counted as wrong");
    }
    put_text(gen, "correct");
    yajl_gen_integer(gen, m->correct);
    put_text(gen, "balanced_accuracy");
    put_real(gen, m->balanced_accuracy);
    put_text(gen, "accuracy");
    put_real(gen, m->accuracy);
    put_groups(gen, m);
    put_classes(gen, m, about);
    yajl_gen_map_close(gen);
}

int elm_evaluation_put_json(elm_output *output, const elm_metrics *metrics,
                            const elm_evaluation_about *about, elm_error *err)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t size_bytes = 0;
    if (gen == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "memory is exhausted (evaluation): free some and try again");
    yajl_gen_config(gen, yajl_gen_beautify, 1);
    put_all(gen, metrics, about);
    yajl_gen_get_buf(gen, &text, &size_bytes);
    elm_output_write(output, text, size_bytes);
    yajl_gen_free(gen);
    return 0;
}

int elm_evaluation_write_json(const char *path, const elm_metrics *metrics,
                              const elm_evaluation_about *about, elm_error *err)
{
    elm_output *output;
    if (elm_output_begin(&output, path, 0, err) != 0)
        return -1;
    if (elm_evaluation_put_json(output, metrics, about, err) == 0)
        return elm_output_commit(output, err);
    elm_output_abandon(output);
    return -1;
}
