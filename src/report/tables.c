#include "report/tables.h"

#include <math.h>
#include <string.h>

#include "base/long_tail.h"
#include "base/text/text.h"
#include "report/paper.h"

enum { CONFUSIONS = 10 };

void elm_put_text(FILE *page, const char *text)
{
    while (*text != '\0') {
        char unit[ELM_TEXT_UNIT_SIZE];
        text += elm_text_unit(text, unit);
        const char *const entity = *unit == '<'   ? "&lt;"
                                   : *unit == '>' ? "&gt;"
                                   : *unit == '&' ? "&amp;"
                                   : *unit == '"' ? "&quot;"
                                                  : unit;
        fputs(entity, page);
    }
}

static void put_number(FILE *page, double value, const char *format)
{
    fputs("<td class=number>", page);
    if (isnan(value))
        fputs("&ndash;", page);
    else
        /* NOLINT(clang-diagnostic-format-nonliteral): the callers' own texts */
        fprintf(page, format, value);
    fputs("</td>", page);
}

static void put_name(FILE *page, const char *name)
{
    fputs("<tr><th scope=row>", page);
    elm_put_text(page, name);
    fputs("</th>", page);
}

void elm_put_results(FILE *page, const elm_run_files *runs, int count)
{
    fputs("<div "
          "class=table><table><thead><tr><th>run<th>balanced<th>head<th>torso<th>tail<th>accuracy<"
          "th>macro F1<th>calibration "
          "error<th>epochs<th>images/s"
          "<th>the paper's method<th>balanced, paper</thead><tbody>\n",
          page);
    for (int i = 0; i < count; i++) {
        const elm_run_files *r = &runs[i];
        const elm_evaluation_file *e = &r->evaluation;
        const bool measured = e->images > 0, analyzed = r->analysis.classes > 0;
        char method[64] = "";
        const double paper = elm_paper_accuracy(r->job_name, method);
        put_name(page, r->name);
        put_number(page, measured ? 100 * e->balanced : NAN, "<b>%.2f</b>");
        for (int g = 0; g < ELM_REPORT_GROUPS; g++)
            put_number(page, measured ? 100 * e->group[g] : NAN, "%.1f");
        put_number(page, measured ? 100 * e->accuracy : NAN, "%.2f");
        put_number(page, analyzed ? 100 * r->analysis.test.macro_f1 : NAN, "%.1f");
        put_number(page, analyzed ? 100 * r->analysis.test.calibration_error : NAN, "%.1f");
        put_number(page, elm_epochs_last(&r->epochs, "epoch"), "%g");
        put_number(page, elm_epochs_last(&r->epochs, "images_per_s"), "%.0f");
        fputs("<td>", page);
        elm_put_text(page, method);
        fputs("</td>", page);
        put_number(page, paper, "%.2f");
        fputs("</tr>\n", page);
    }
    fputs("</tbody></table></div>\n<p>Test set, last checkpoint, in per cent. The paper's figures "
          "are means of three trials with its own "
          "schedule, so a "
          "shortened run is no comparison.</p>\n",
          page);
}

/* Whether a setting is the same everywhere. */
static bool is_common(const elm_run_files *runs, int count, const char *key)
{
    const char *first = elm_run_setting(&runs[0], key);
    for (int i = 1; i < count; i++) {
        const char *other = elm_run_setting(&runs[i], key);
        if (first == NULL || other == NULL || strcmp(first, other) != 0)
            return false;
    }
    return first != NULL;
}

static bool is_listed_before(const elm_run_files *runs, int run, const char *key)
{
    for (int i = 0; i < run; i++)
        if (elm_run_setting(&runs[i], key) != NULL)
            return true;
    return false;
}

/* The next setting, of all runs, that is not the same everywhere; NULL behind the last. *run and
 * *place say where it was found. */
static const char *next_difference(const elm_run_files *runs, int count, int *run, int *place)
{
    for (; *run < count; *run += 1, *place = -1)
        while (++*place < runs[*run].settings) {
            const char *key = runs[*run].setting[*place].key;
            if (!is_listed_before(runs, *run, key) && strcmp(key, "run.name") != 0 &&
                !is_common(runs, count, key))
                return key;
        }
    return NULL;
}

static void put_setting_columns(FILE *page, const elm_run_files *runs, int count)
{
    const char *key;
    for (int run = 0, place = -1; (key = next_difference(runs, count, &run, &place)) != NULL;) {
        fputs("<th>", page);
        elm_put_text(page, key);
    }
    fputs("</thead><tbody>\n", page);
    for (int i = 0; i < count; i++) {
        put_name(page, runs[i].name);
        for (int run = 0, place = -1; (key = next_difference(runs, count, &run, &place)) != NULL;) {
            const char *value = elm_run_setting(&runs[i], key);
            fputs("<td>", page);
            elm_put_text(page, value != NULL ? value : "");
            fputs("</td>", page);
        }
        fputs("</tr>\n", page);
    }
}

static void put_setting_rows(FILE *page, const elm_run_files *runs, int count, bool common)
{
    for (int r = 0; r < count; r++)
        for (int s = 0; s < runs[r].settings; s++) {
            const char *key = runs[r].setting[s].key;
            if (is_listed_before(runs, r, key) || strcmp(key, "run.name") == 0 ||
                is_common(runs, count, key) != common)
                continue;
            put_name(page, key);
            for (int i = 0; i < (common ? 1 : count); i++) {
                const char *value = elm_run_setting(&runs[i], key);
                fputs("<td>", page);
                elm_put_text(page, value != NULL ? value : "");
                fputs("</td>", page);
            }
            fputs("</tr>\n", page);
        }
}

/* Few runs stand side by side, many below each other. */
static void put_differences(FILE *page, const elm_run_files *runs, int count)
{
    enum { SIDE_BY_SIDE = 6 };
    int run = 0, place = -1;
    if (next_difference(runs, count, &run, &place) == NULL)
        return;
    fputs("<div class=table><table><thead><tr><th>differs", page);
    for (int i = 0; count <= SIDE_BY_SIDE && i < count; i++) {
        fputs("<th>", page);
        elm_put_text(page, runs[i].name);
    }
    if (count <= SIDE_BY_SIDE) {
        fputs("</thead><tbody>\n", page);
        put_setting_rows(page, runs, count, false);
    } else {
        put_setting_columns(page, runs, count);
    }
    fputs("</tbody></table></div>\n", page);
}

void elm_put_settings(FILE *page, const elm_run_files *runs, int count)
{
    if (count > 1)
        put_differences(page, runs, count);
    fputs("<details><summary>Settings that all have in common</summary><div "
          "class=table><table><tbody>\n",
          page);
    put_setting_rows(page, runs, count, true);
    fputs("</tbody></table></div></details>\n", page);
}

/* Mean and variance of what a split says of a group's images. */
static void find_moments(const elm_analysis_file *a, const elm_split_file *s, const double *values,
                         int group, double *mean, double *variance)
{
    double n = 0, sum = 0, squares = 0;
    for (int64_t i = 0; i < s->count; i++) {
        if (elm_class_group((int64_t)a->train_count[(int)s->labels[i]]) != group)
            continue;
        n++;
        sum += values[i];
        squares += values[i] * values[i];
    }
    *mean = n > 0 ? sum / n : NAN;
    *variance = n > 0 ? squares / n - *mean * *mean : NAN;
}

static void put_moments(FILE *page, const elm_run_files *r)
{
    const elm_analysis_file *a = &r->analysis;
    put_name(page, r->name);
    for (int k = 0; k < 2; k++) {
        const elm_split_file *s = k == 0 ? &a->test : &a->train;
        for (int g = 0; g < ELM_REPORT_GROUPS; g++) {
            double mean, variance;
            find_moments(a, s, s->margin, g, &mean, &variance);
            put_number(page, mean, "%.2f");
            put_number(page, variance, "%.2f");
        }
    }
    for (int g = 0; g < ELM_REPORT_GROUPS; g++) {
        double mean, variance;
        find_moments(a, &a->train, a->train.farthest, g, &mean, &variance);
        put_number(page, mean / a->train.largest_norm, "%.3f");
    }
    fputs("</tr>\n", page);
}

static void put_collapse(FILE *page, const elm_run_files *r)
{
    const elm_split_file *s = &r->analysis.train;
    int holds = 0, classes = 0;
    for (int c = 0; c < r->analysis.classes; c++) {
        if (s->class_images[c] < 2)
            continue;
        classes++;
        holds += s->bound[c] <= s->pull[c] + 1e-9;
    }
    put_name(page, r->name);
    put_number(page, s->inter_intra, "%.3f");
    put_number(page, r->analysis.collapse, "%.4g");
    put_number(page, s->equal_norms, "%.3f");
    put_number(page, s->equal_angles, "%.3f");
    put_number(page, s->widest_angles, "%.3f");
    put_number(page, s->duality, "%.3f");
    fprintf(page, "<td class=number>%d of %d</td></tr>\n", holds, classes);
}

void elm_put_statistics(FILE *page, const elm_run_files *runs, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++)
        any = any || runs[i].analysis.classes > 0;
    if (!any)
        return;
    fputs("<h2>Margins and distances</h2><div class=table><table><thead><tr><th rowspan=3>run<th "
          "colspan=6>logit margin, test<th "
          "colspan=6>logit margin, "
          "training<th colspan=3>d<sub>max</sub> / largest norm, training<tr><th colspan=2>head<th "
          "colspan=2>torso<th colspan=2>tail<th "
          "colspan=2>head<th colspan=2>torso<th colspan=2>tail<th rowspan=2>head<th "
          "rowspan=2>torso<th rowspan=2>tail<tr>",
          page);
    for (int i = 0; i < 6; i++)
        fputs("<th>mean<th>variance", page);
    fputs("</thead><tbody>\n", page);
    for (int i = 0; i < count; i++)
        if (runs[i].analysis.classes > 0)
            put_moments(page, &runs[i]);
    fputs("</tbody></table></div>\n<h2>Compactness of training embeddings</h2><div "
          "class=table><table><thead><tr><th>run<th>inter / "
          "intra<th>NC1: tr(S<sub>w</sub> "
          "S<sub>b</sub><sup>+</sup>)/L<th>NC2: norms differ by<th>NC2: cosines differ by<th>NC2: "
          "from widest angles<th>NC3: last layer "
          "and means<th>Proposition 1 holds, classes</thead><tbody>\n",
          page);
    for (int i = 0; i < count; i++)
        if (runs[i].analysis.classes > 0)
            put_collapse(page, &runs[i]);
    fputs("</tbody></table></div>\n<p>inter / intra: mean distance between class means over the "
          "mean distance to one's own. NC: neural "
          "collapse "
          "(Papyan et al. 2020); 0 is complete.</p>\n",
          page);
}

void elm_put_confusions(FILE *page, const elm_run_files *runs, int count)
{
    bool headed = false;
    for (int i = 0; i < count; i++) {
        const elm_analysis_file *a = &runs[i].analysis;
        if (a->test.confusions == 0)
            continue;
        if (!headed)
            fputs("<h2>Confusions</h2>\n", page);
        headed = true;
        fputs("<details><summary>Most frequent confusions: ", page);
        elm_put_text(page, runs[i].name);
        fputs("</summary><div class=table><table><thead><tr><th>class<th>training images<th>taken "
              "for<th>training images<th>test "
              "images</thead><tbody>\n",
              page);
        for (int k = 0; k < a->test.confusions && k < CONFUSIONS; k++) {
            const double *row = a->test.confusion + 3 * (size_t)k;
            put_name(page, a->names[(int)row[0]]);
            put_number(page, a->train_count[(int)row[0]], "%.0f");
            fputs("<td>", page);
            elm_put_text(page, a->names[(int)row[1]]);
            fputs("</td>", page);
            put_number(page, a->train_count[(int)row[1]], "%.0f");
            put_number(page, row[2], "%.0f");
            fputs("</tr>\n", page);
        }
        fputs("</tbody></table></div></details>\n", page);
    }
}
