#include "data/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "elmpi/output.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 2048 };

struct elm_report {
    char *text;
    size_t used, capacity;
    int64_t count[ELM_REPORT_KINDS];
};

static const struct {
    const char *word, *summary;
} kinds[ELM_REPORT_KINDS] = {
    [ELM_REPORT_UNREADABLE] = {"unreadable", "unreadable, left out"},
    [ELM_REPORT_MISSING] = {"missing", "listed but in no archive, left out"},
    [ELM_REPORT_UNSAFE] = {"unsafe name", "with unsafe names, left out"},
    [ELM_REPORT_TWICE] = {"twice", "there twice, the first one counts"},
    [ELM_REPORT_FOREIGN] = {"foreign", "not JPEG or PNG, or in no class's folder, left out"},
};

int elm_report_create(elm_report **report, elm_error *err)
{
    *report = elm_alloc(1, sizeof **report, err);
    return *report != NULL ? 0 : -1;
}

void elm_report_destroy(elm_report *report)
{
    if (report == NULL)
        return;
    elm_free(report->text);
    elm_free(report);
}

int elm_report_add(elm_report *report, elm_report_kind kind, const char *name, const char *why, elm_error *err)
{
    char line[LINE_BYTES];
    int length = snprintf(line, sizeof line, "%s: %.1500s: %s\n", kinds[kind].word, name, why);
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    for (int i = 0; i < length - 1; i++) /* a name may hold anything */
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    if (report->capacity - report->used < (size_t)length) {
        const size_t capacity = 2 * report->capacity + LINE_BYTES;
        char *text = elm_alloc(capacity, 1, err);
        if (text == NULL)
            return -1;
        if (report->used > 0)
            memcpy(text, report->text, report->used);
        elm_free(report->text);
        report->text = text;
        report->capacity = capacity;
    }
    memcpy(report->text + report->used, line, (size_t)length);
    report->used += (size_t)length;
    report->count[kind]++;
    return 0;
}

int64_t elm_report_count(const elm_report *report)
{
    int64_t count = 0;
    for (int kind = 0; kind < ELM_REPORT_KINDS; kind++)
        count += report->count[kind];
    return count;
}

int elm_report_write(const elm_report *report, const char *path, elm_error *err)
{
    if (report->used == 0) {
        unlink(path);
        return 0;
    }
    return elm_output_write_file(path, report->text, report->used, err);
}

void elm_report_summarise(const elm_report *report, const char *path, const elm_log *log)
{
    for (int kind = 0; kind < ELM_REPORT_KINDS; kind++)
        if (report->count[kind] > 0)
            elm_log_warn(log, "%lld picture%s %s (see %s)", (long long)report->count[kind], report->count[kind] > 1 ? "s" : "",
                         kinds[kind].summary, path);
}

int elm_report_refuse(const elm_report *report, const char *path, elm_error *err)
{
    const char *end = memchr(report->text, '\n', report->used);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "%lld pictures that are not as they should be (%s), first \"%.*s\": mend them, or leave --strict away",
                         (long long)elm_report_count(report), path, (int)(end - report->text), report->text);
}
