#include "report/run_files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

#include "base/file/input.h"
#include "base/text/text.h"
#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "job/ini.h"
#include "report/analysis_file.h"

enum { PATH_SIZE = 4352, JOB_BYTES_MAX = 1 << 20, TEXT_BYTES_MAX = 1 << 27, SETTINGS_MAX = 2048 };

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
static char *read_file(const char *path, size_t most_bytes, size_t *size_bytes, elm_error *err)
{
    char *text = NULL;
    const int cause = elm_input_text(path, most_bytes, &text, size_bytes);
    if (cause != 0)
        elm_error_set(err, ELM_EXIT_FAILURE, "cannot read it (%s): %s; give folders of runs", path,
                      cause == EFBIG ? "it is too large" : strerror(cause));
    return text;
}

/* One entry of job.ini. */
static int take_setting(void *context, const elm_ini_entry *entry, elm_error *err)
{
    elm_run_files *run = context;
    if (run->settings == SETTINGS_MAX)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "more than %d entries (line %d): give folders that elmpi-train wrote",
                             SETTINGS_MAX, entry->line);
    elm_setting *s = &run->setting[run->settings];
    if (snprintf(s->key, sizeof s->key, "%s.%s", entry->section, entry->key) >=
            (int)sizeof s->key ||
        snprintf(s->value, sizeof s->value, "%s", entry->value) >= (int)sizeof s->value)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "an entry is too long (line %d): give folders that elmpi-train wrote",
                             entry->line);
    run->settings++;
    return 0;
}

static int read_settings(elm_run_files *run, const char *path, elm_error *err)
{
    size_t size_bytes;
    char *text = read_file(path, JOB_BYTES_MAX, &size_bytes, err);
    run->setting = text != NULL ? elm_alloc(SETTINGS_MAX, sizeof *run->setting, err) : NULL;
    const int status = run->setting != NULL ? elm_ini_read(text, path, take_setting, run, err) : -1;
    elm_free(text);
    if (status != 0)
        return -1;
    const char *name = elm_run_setting(run, "run.name");
    if (name == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "no run.name in it (%s): give folders of runs",
                             path);
    snprintf(run->name, sizeof run->name, "%s", name);
    snprintf(run->job_name, sizeof run->job_name, "%s", name);
    elm_text_trim(run->name);
    return 0;
}

static int read_epochs(elm_epochs *e, const char *path, elm_error *err)
{
    size_t size_bytes;
    char *text = read_file(path, TEXT_BYTES_MAX, &size_bytes, err), *rest = text,
         *line = text != NULL ? strsep(&rest, "\n") : NULL;
    if (line == NULL) {
        elm_free(text);
        return -1;
    }
    for (char *name; (name = strsep(&line, ",")) != NULL && e->columns < ELM_REPORT_COLUMNS;)
        snprintf(e->name[e->columns++], ELM_REPORT_NAME, "%.100s", name);
    /* Each row has as many separators as columns: more values than bytes there cannot be,
     * whatever the first line promises. */
    size_t lines = 1;
    for (const char *at = rest; at != NULL && *at != '\0'; at++)
        lines += *at == '\n';
    if (lines * (size_t)e->columns > size_bytes + 2 * ELM_REPORT_COLUMNS) {
        elm_free(text);
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "rows with fewer values than columns (%s): give folders that elmpi-train wrote", path);
    }
    e->values = elm_alloc(lines * (size_t)e->columns, sizeof *e->values, err);
    while (e->values != NULL && (line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        for (int c = 0; c < e->columns; c++) {
            const char *field = strsep(&line, ",");
            e->values[e->rows * e->columns + c] =
                field != NULL && *field != '\0' ? strtod(field, NULL) : NAN;
        }
        e->rows++;
    }
    elm_free(text);
    return e->values != NULL ? 0 : -1;
}

/* Where in evaluation.json the parser is: only numbers in the outermost object and in its
 * "groups" count. */
typedef struct json_place {
    int depth;
    bool in_groups;
    double *value; /* of the key just read, or NULL */
    double images;
    elm_evaluation_file *evaluation;
} json_place;

static bool is_key(const unsigned char *key, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(key, name, length) == 0;
}

static int take_key(void *context, const unsigned char *key, size_t length)
{
    json_place *at = context;
    elm_evaluation_file *e = at->evaluation;
    const struct {
        const char *name;
        double *value;
    } numbers[] = {
        {"images", &at->images}, {"balanced_accuracy", &e->balanced}, {"accuracy", &e->accuracy}};
    at->value = NULL;
    for (size_t i = 0; at->depth == 1 && i < sizeof numbers / sizeof *numbers; i++)
        if (is_key(key, length, numbers[i].name))
            at->value = numbers[i].value;
    for (int g = 0; at->depth == 2 && at->in_groups && g < ELM_REPORT_GROUPS; g++)
        if (is_key(key, length, elm_report_groups[g]))
            at->value = &e->group[g];
    if (at->depth == 1)
        at->in_groups = is_key(key, length, "groups");
    return 1;
}

static int take_double(void *context, double value)
{
    json_place *at = context;
    if (at->value != NULL)
        *at->value = value;
    at->value = NULL;
    return 1;
}

static int take_integer(void *context, long long value)
{
    return take_double(context, (double)value);
}

/* The parser takes memory for every bracket that is open. */
static int go_deeper(void *context)
{
    enum { DEPTH_MAX = 64 };
    json_place *at = context;
    at->value = NULL;
    return ++at->depth <= DEPTH_MAX;
}

static int go_back(void *context)
{
    ((json_place *)context)->depth--;
    return 1;
}

static int read_evaluation(elm_evaluation_file *e, const char *path, elm_error *err)
{
    static const yajl_callbacks callbacks = {.yajl_integer = take_integer,
                                             .yajl_double = take_double,
                                             .yajl_start_map = go_deeper,
                                             .yajl_map_key = take_key,
                                             .yajl_end_map = go_back,
                                             .yajl_start_array = go_deeper,
                                             .yajl_end_array = go_back};
    size_t size_bytes = 0;
    json_place at = {.evaluation = e};
    char *text = read_file(path, TEXT_BYTES_MAX, &size_bytes, err);
    if (text == NULL)
        return -1;
    elm_utf8_mend(text); /* names of classes, in runs of the first versions */
    e->balanced = e->accuracy = e->group[0] = e->group[1] = e->group[2] = NAN;
    yajl_handle parser = yajl_alloc(&callbacks, NULL, &at);
    const bool whole =
        parser != NULL &&
        yajl_parse(parser, (const unsigned char *)text, size_bytes) == yajl_status_ok &&
        yajl_complete_parse(parser) == yajl_status_ok;
    if (parser != NULL)
        yajl_free(parser);
    elm_free(text);
    const double exact = 9007199254740992.0; /* 2^53 */
    if (whole && at.images > 0 && at.images < exact)
        e->images = (int64_t)at.images;
    if (e->images <= 0 || isnan(e->balanced))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "this is no evaluation (%s): make it anew with elmpi-evaluate", path);
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
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "no run's folder, there is no job.ini (%s): give folders that elmpi-train wrote",
            folder);
    if (read_settings(run, path, err) != 0)
        return -1;
    exists(path, folder, "metrics.csv");
    if (read_epochs(&run->epochs, path, err) != 0)
        return -1;
    if (exists(path, folder, "evaluation.json") &&
        read_evaluation(&run->evaluation, path, err) != 0)
        return -1;
    return exists(path, folder, "analysis.h5") ? elm_analysis_file_read(&run->analysis, path, err)
                                               : 0;
}

void elm_run_files_release(elm_run_files *run)
{
    elm_analysis_file_release(&run->analysis);
    elm_free(run->setting);
    elm_free(run->epochs.values);
}
