#include "loss/embedding/pull_alpha.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/loss.h"

/* Largest useful power of n or pi: larger ones overflow. */
static const double exponent_max = 16;

static int parse_exponent(const char *text, double *exponent)
{
    char *end;
    *exponent = strtod(text, &end);
    return end == text || *end || !(fabs(*exponent) <= exponent_max) ? -1 : 0;
}

int elm_pull_alpha_parse(const char *text, elm_pull_alpha *alpha, elm_error *err)
{
    static const struct {
        const char *name;
        elm_pull_alpha alpha;
    } names[] = {
        {"pi", {true, 1}}, {"sqrt-pi", {true, 0.5}}, {"n", {false, 1}}, {"sqrt-n", {false, 0.5}}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i].name) == 0) {
            *alpha = names[i].alpha;
            return 0;
        }
    alpha->share = strncmp(text, "pi^", 3) == 0;
    if ((alpha->share || strncmp(text, "n^", 2) == 0) &&
        !parse_exponent(strchr(text, '^') + 1, &alpha->exponent))
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "unknown margin rule %.80s (loss.pull.alpha): use pi, sqrt-pi, n, sqrt-n, "
                         "or pi^<a>, n^<a> with a number from -%g to %g",
                         text, exponent_max, exponent_max);
}

double elm_pull_alpha_of(elm_pull_alpha alpha, int64_t count, int64_t total)
{
    if (count == 0)
        return 0;
    return pow(alpha.share ? (double)count / (double)total : (double)count, alpha.exponent);
}

int elm_loss_pull_margins(const elm_loss_options *options, elm_class_counts counts, double *alpha,
                          elm_error *err)
{
    elm_pull_alpha rule;
    if (elm_pull_alpha_parse(options->pull_alpha, &rule, err))
        return -1;
    for (int c = 0; c < counts.classes; c++)
        alpha[c] = options->pull_scale * elm_pull_alpha_of(rule, counts.count[c], counts.total);
    return 0;
}
