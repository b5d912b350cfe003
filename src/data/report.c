#include "data/report.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "elmpi/text.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 8192, ENDINGS_MAX = 16 };

struct elm_report {
    char *text;
    size_t used, capacity;
    int64_t count[ELM_REPORT_KINDS];
    struct {
        char name[8];
        int64_t count;
    } endings[ENDINGS_MAX]; /* of foreign ones: "gif", "webp" */
};

static const struct {
    const char *word, *summary;
} kinds[ELM_REPORT_KINDS] = {
    [ELM_REPORT_UNREADABLE] = {"unreadable", "unreadable, left out"},
    [ELM_REPORT_MISSING] = {"missing", "listed but in no archive, left out"},
    [ELM_REPORT_UNSAFE] = {"unsafe name", "with unsafe names, left out"},
    [ELM_REPORT_TWICE] = {"twice", "there twice, the first one counts"},
    [ELM_REPORT_FOREIGN] = {"foreign", "of kinds that elmpi does not read, left out"},
    [ELM_REPORT_LOOSE] = {"no class", "in no class's folder, left out"},
    [ELM_REPORT_HIDDEN] = {"hidden", "hidden or in a system's folder, left out"},
    [ELM_REPORT_LINK] = {"link", "to no picture or folder, left out"},
    [ELM_REPORT_ARCHIVE] = {"archive", "beside pictures, not looked into"},
    [ELM_REPORT_CLASS] = {"class", "of classes that are left out"},
    [ELM_REPORT_ATTRIBUTES] = {"macOS attributes", ""},
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

/* By what is in it, where that is known ("neither JPEG nor PNG: a GIF"), else by the end of its name. */
static void count_ending(elm_report *report, const char *name, const char *why)
{
    const char *dot = strstr(why, "PNG: a") != NULL ? strrchr(why, ' ') : strrchr(name, '.');
    char ending[sizeof report->endings[0].name] = "";
    for (size_t i = 0; dot != NULL && dot[1 + i] != '\0' && i + 1 < sizeof ending; i++)
        ending[i] = (char)tolower((unsigned char)dot[1 + i]);
    for (int i = 0; i < ENDINGS_MAX; i++)
        if (report->endings[i].count == 0 || strcmp(report->endings[i].name, ending) == 0) {
            memcpy(report->endings[i].name, ending, sizeof ending);
            report->endings[i].count++;
            return;
        }
}

int elm_report_add(elm_report *report, elm_report_kind kind, const char *name, const char *why, elm_error *err)
{
    char raw[LINE_BYTES], line[4 * LINE_BYTES];
    snprintf(raw, sizeof raw, "%s: %.4000s: %s", kinds[kind].word, name, why);
    elm_text_trim(raw);
    elm_text_escape(line, sizeof line - 1, raw); /* a name may hold anything */
    size_t length = strlen(line);
    line[length++] = '\n';
    if (report->capacity - report->used < length) {
        const size_t capacity = 2 * report->capacity + sizeof line;
        char *text = elm_alloc(capacity, 1, err);
        if (text == NULL)
            return -1;
        if (report->used > 0)
            memcpy(text, report->text, report->used);
        elm_free(report->text);
        report->text = text;
        report->capacity = capacity;
    }
    memcpy(report->text + report->used, line, length);
    report->used += length;
    report->count[kind]++;
    if (kind == ELM_REPORT_FOREIGN)
        count_ending(report, name, why);
    return 0;
}

int64_t elm_report_count(const elm_report *report)
{
    int64_t count = 0;
    for (int kind = 0; kind < ELM_REPORT_KINDS; kind++)
        count += kind == ELM_REPORT_ATTRIBUTES ? 0 : report->count[kind];
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

/* " (7 gif, 5 webp)" */
static void format_endings(const elm_report *report, char *text, size_t size_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < ENDINGS_MAX && report->endings[i].count > 0 && used < size_bytes; i++)
        used += (size_t)snprintf(text + used, size_bytes - used, "%s%lld %s", i > 0 ? ", " : " (", (long long)report->endings[i].count,
                                 report->endings[i].name);
    if (used > 0 && used < size_bytes)
        snprintf(text + used, size_bytes - used, ")");
}

void elm_report_summarise(const elm_report *report, const char *path, const elm_log *log)
{
    char endings[300];
    for (int kind = 0; kind < ELM_REPORT_ATTRIBUTES; kind++) {
        format_endings(report, endings, sizeof endings);
        if (report->count[kind] > 0)
            elm_log_warn(log, "%lld %s%s %s%s (see %s)", (long long)report->count[kind],
                         kind == ELM_REPORT_LINK      ? "link"
                         : kind == ELM_REPORT_ARCHIVE ? "archive"
                                                      : "picture",
                         report->count[kind] > 1 ? "s" : "", kinds[kind].summary, kind == ELM_REPORT_FOREIGN ? endings : "", path);
    }
    if (report->count[ELM_REPORT_ATTRIBUTES] > 0)
        elm_log_info(log, "%lld files of macOS that are no pictures, such as ._1.jpg, are passed over",
                     (long long)report->count[ELM_REPORT_ATTRIBUTES]);
}

int elm_report_refuse(const elm_report *report, const char *path, elm_error *err)
{
    const char *line = report->text, *end = memchr(line, '\n', report->used);
    while (strncmp(line, kinds[ELM_REPORT_ATTRIBUTES].word, strlen(kinds[ELM_REPORT_ATTRIBUTES].word)) == 0) {
        line = end + 1;
        end = memchr(line, '\n', report->used - (size_t)(line - report->text));
    }
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "%lld pictures that are not as they should be (%s), first \"%.*s\": mend them, or leave --strict away",
                         (long long)elm_report_count(report), path, (int)(end - line), line);
}
