#include "elmpi/metrics.h"

#include <math.h>
#include <string.h>

#include "base/long_tail.h"
#include "elmpi/loss.h"
#include "elmpi/memory.h"

/* Kang et al. 2020 ("Decoupling representation and classifier"): many-, medium- and few-shot. */
static int kang_group(int64_t count)
{
    return count > 100 ? 0 : count >= 20 ? 1 : 2;
}

typedef struct rule_row {
    const char *name;
    int (*group)(int64_t count);
    const char *range[ELM_GROUPS];
} rule_row;

static const rule_row rules[] = {
    [ELM_GROUPS_ELM] = {"elm", elm_class_group, {">= 100", "20 .. 99", "< 20"}},
    [ELM_GROUPS_KANG] = {"kang", kang_group, {"> 100", "20 .. 100", "< 20"}},
};
enum { RULES = sizeof rules / sizeof rules[0] };

int elm_group_rule_parse(const char *name, elm_group_rule *rule, elm_error *err)
{
    for (int i = 0; i < RULES; i++)
        if (strcmp(rules[i].name, name) == 0) {
            *rule = (elm_group_rule)i;
            return 0;
        }
    return elm_error_set(err, ELM_EXIT_USAGE, "unknown group rule (%s): use %s or %s", name,
                         rules[ELM_GROUPS_ELM].name, rules[ELM_GROUPS_KANG].name);
}

const char *elm_group_rule_name(elm_group_rule rule)
{
    return rules[rule].name;
}

const char *elm_group_range(elm_group_rule rule, int group)
{
    return rules[rule].range[group];
}

const char *elm_group_name(int group)
{
    static const char *const names[ELM_GROUPS] = {"head", "torso", "tail"};
    return names[group];
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

int elm_recall_counts_create(elm_recall_counts *tally, int classes, elm_error *err)
{
    *tally = (elm_recall_counts){
        .classes = classes, .tested = elm_alloc(2 * (size_t)classes, sizeof *tally->tested, err)};
    if (tally->tested == NULL)
        return -1;
    tally->correct = tally->tested + classes;
    return 0;
}

void elm_recall_counts_release(elm_recall_counts *tally)
{
    elm_free(tally->tested);
    *tally = (elm_recall_counts){0};
}

/* Recall of each class, and the sums over all images. */
static void count_classes(elm_metrics *m, const elm_recall_counts *tally)
{
    for (int c = 0; c < m->classes; c++) {
        m->tested[c] = tally->tested[c];
        m->images += tally->tested[c];
        m->correct += tally->correct[c];
        m->recall[c] = ratio((double)tally->correct[c], (double)tally->tested[c]);
    }
}

/* Means over classes. A class without test images has no recall and takes no part. */
static void average_classes(elm_metrics *m, const int64_t *train_count)
{
    double sum = 0, group_sum[ELM_GROUPS] = {0};
    int counted = 0, group_counted[ELM_GROUPS] = {0};
    for (int c = 0; c < m->classes; c++) {
        const int group = rules[m->rule].group(train_count[c]);
        m->group_classes[group]++;
        if (m->tested[c] == 0)
            continue;
        sum += m->recall[c];
        counted++;
        group_sum[group] += m->recall[c];
        group_counted[group]++;
    }
    m->accuracy = ratio((double)m->correct, (double)m->images);
    m->balanced_accuracy = ratio(sum, counted);
    for (int g = 0; g < ELM_GROUPS; g++)
        m->group[g] = ratio(group_sum[g], group_counted[g]);
}

int elm_metrics_create(elm_metrics **metrics, const elm_recall_counts *tally,
                       const int64_t *train_count, elm_group_rule rule, elm_error *err)
{
    const int classes = tally->classes;
    elm_metrics *m = elm_alloc(1, sizeof *m, err);
    *metrics = NULL;
    if (m == NULL)
        return -1;
    m->classes = classes;
    m->rule = rule;
    m->unreadable = tally->unreadable;
    m->omits = tally->omits;
    m->recall = elm_alloc((size_t)classes, sizeof *m->recall, err);
    m->tested = elm_alloc((size_t)classes, sizeof *m->tested, err);
    if (m->recall == NULL || m->tested == NULL) {
        elm_metrics_destroy(m);
        return -1;
    }
    count_classes(m, tally);
    average_classes(m, train_count);
    *metrics = m;
    return 0;
}

void elm_metrics_destroy(elm_metrics *metrics)
{
    if (metrics == NULL)
        return;
    elm_free(metrics->recall);
    elm_free(metrics->tested);
    elm_free(metrics);
}
