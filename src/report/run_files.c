#include "report/run_files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "elmpi/lines.h"
#include "elmpi/memory.h"
#include "elmpi/text.h"
#include "report/analysis_file.h"

enum { PATH_SIZE = 4352, FILE_MAX = 1 << 28 };

const char *const elm_report_groups[ELM_REPORT_GROUPS] = {"head", "torso", "tail"};

const char *elm_run_setting(const elm_run_files *run, const char *key)
{
    for (int s = 0; s < run->settings; s++)
        if (strcmp(run->setting[s].key, key) == 0)
            return run->setting[s].value;
    return NULL;
}

int elm_epochs_column(const elm_epochs *epochs, const char *name)
{
    for (int c = 0; c < epochs->columns; c++)
        if (strcmp(epochs->name[c], name) == 0)
            return c;
    return -1;
}

double elm_epochs_last(const elm_epochs *epochs, const char *name)
{
    const int column = elm_epochs_column(epochs, name);
    for (int r = epochs->rows - 1; column >= 0 && r >= 0; r--)
        if (!isnan(epochs->values[r * epochs->columns + column]))
            return epochs->values[r * epochs->columns + column];
    return NAN;
}

/* A whole file as a text; NULL and `err` where it cannot be read. */
static char *read_file(const char *path, elm_error *err)
{
    errno = 0;
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    char *text = size >= 0 && size < FILE_MAX ? elm_alloc((size_t)size + 1, 1, err) : NULL;
    if (text != NULL) {
        rewind(file);
        if (fread(text, 1, (size_t)size, file) != (size_t)size) {
            elm_free(text);
            text = NULL;
        }
    }
    if (text == NULL)
        elm_error_set(err, ELM_EXIT_FAILURE, "cannot read it (%s): %s; give folders of runs", path,
                      errno != 0 ? strerror(errno) : "it is too large");
    if (file != NULL)
        fclose(file);
    return text;
}

/* One entry of job.ini. */
static int take_setting(void *context, const elm_entry *entry, elm_error *err)
{
    elm_run_files *run = context;
    elm_setting *s = &run->setting[run->settings];
    if (snprintf(s->key, sizeof s->key, "%s.%s", entry->section, entry->key) >= (int)sizeof s->key ||
        snprintf(s->value, sizeof s->value, "%s", entry->value) >= (int)sizeof s->value)
        return elm_error_set(err, ELM_EXIT_USAGE, "an entry is too long (line %d): give folders that elmpi-train wrote", entry->line);
    run->settings++;
    return 0;
}

static int read_settings(elm_run_files *run, const char *path, elm_error *err)
{
    char *text = read_file(path, err);
    int lines = 1;
    for (const char *at = text; at != NULL && *at != '\0'; at++)
        lines += *at == '\n';
    run->setting = text != NULL ? elm_alloc((size_t)lines, sizeof *run->setting, err) : NULL;
    const int status = run->setting != NULL ? elm_lines_read(text, path, take_setting, run, err) : -1;
    elm_free(text);
    if (status != 0)
        return -1;
    const char *name = elm_run_setting(run, "run.name");
    if (name == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "no run.name in it (%s): give folders of runs", path);
    snprintf(run->name, sizeof run->name, "%s", name);
    snprintf(run->job_name, sizeof run->job_name, "%s", name);
    elm_text_trim(run->name);
    return 0;
}

static int read_epochs(elm_epochs *e, const char *path, elm_error *err)
{
    char *text = read_file(path, err), *rest = text, *line = text != NULL ? strsep(&rest, "\n") : NULL;
    if (line == NULL) {
        elm_free(text);
        return -1;
    }
    for (char *name; (name = strsep(&line, ",")) != NULL && e->columns < ELM_REPORT_COLUMNS;)
        snprintf(e->name[e->columns++], ELM_REPORT_NAME, "%.100s", name);
    int lines = 1;
    for (const char *at = rest; at != NULL && *at != '\0'; at++)
        lines += *at == '\n';
    e->values = elm_alloc((size_t)lines * (size_t)e->columns, sizeof *e->values, err);
    while (e->values != NULL && (line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        for (int c = 0; c < e->columns; c++) {
            const char *field = strsep(&line, ",");
            e->values[e->rows * e->columns + c] = field != NULL && *field != '\0' ? strtod(field, NULL) : NAN;
        }
        e->rows++;
    }
    elm_free(text);
    return e->values != NULL ? 0 : -1;
}

static double number_at(yajl_val tree, const char *a, const char *b)
{
    const char *path[] = {a, b, NULL};
    const yajl_val found = yajl_tree_get(tree, path, yajl_t_number);
    return found != NULL && YAJL_IS_DOUBLE(found) ? YAJL_GET_DOUBLE(found) : found != NULL ? (double)YAJL_GET_INTEGER(found) : NAN;
}

static int read_evaluation(elm_evaluation_file *e, const char *path, elm_error *err)
{
    char *text = read_file(path, err), why[256] = "";
    const yajl_val tree = text != NULL ? yajl_tree_parse(text, why, sizeof why) : NULL;
    if (tree != NULL) {
        e->images = (int64_t)number_at(tree, "images", NULL);
        e->balanced = number_at(tree, "balanced_accuracy", NULL);
        e->accuracy = number_at(tree, "accuracy", NULL);
        for (int g = 0; g < ELM_REPORT_GROUPS; g++)
            e->group[g] = number_at(tree, "groups", elm_report_groups[g]);
        yajl_tree_free(tree);
    }
    elm_free(text);
    if (tree == NULL || e->images <= 0 || isnan(e->balanced))
        return elm_error_set(err, ELM_EXIT_FAILURE, "this is no evaluation (%s): make it anew with elmpi-evaluate", path);
    return 0;
}

static bool exists(char *path, const char *folder, const char *name)
{
    snprintf(path, PATH_SIZE, "%.4000s/%s", folder, name);
    return access(path, F_OK) == 0;
}

int elm_run_files_read(elm_run_files *run, const char *folder, elm_error *err)
{
    char path[PATH_SIZE];
    *run = (elm_run_files){0};
    snprintf(run->folder, sizeof run->folder, "%.4000s", folder);
    if (!exists(path, folder, "job.ini"))
        return elm_error_set(err, ELM_EXIT_USAGE, "no run's folder, there is no job.ini (%s): give folders that elmpi-train wrote", folder);
    if (read_settings(run, path, err) != 0)
        return -1;
    exists(path, folder, "metrics.csv");
    if (read_epochs(&run->epochs, path, err) != 0)
        return -1;
    if (exists(path, folder, "evaluation.json") && read_evaluation(&run->evaluation, path, err) != 0)
        return -1;
    return exists(path, folder, "analysis.h5") ? elm_analysis_file_read(&run->analysis, path, err) : 0;
}

void elm_run_files_release(elm_run_files *run)
{
    elm_analysis_file_release(&run->analysis);
    elm_free(run->setting);
    elm_free(run->epochs.values);
}
