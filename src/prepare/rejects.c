#include "prepare/rejects.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text/text.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 8192, ENDINGS_MAX = 16 };

/** How many names end in what: "gif", "webp". */
typedef struct endings {
    struct {
        char name[8];
        int64_t count;
    } list[ENDINGS_MAX];
} endings;

struct elm_rejects {
    char *text;
    size_t used, capacity;
    int64_t count[ELM_REPORT_KINDS];
    endings foreign, passed;
    int64_t passed_count;
};

static const struct {
    const char *word, *summary, *noun; /* noun: NULL for images */
} kinds[ELM_REPORT_KINDS] = {
    [ELM_REPORT_UNREADABLE] = {"unreadable", "unreadable, left out"},
    [ELM_REPORT_MISSING] = {"missing", "listed but in no archive, left out"},
    [ELM_REPORT_UNSAFE] = {"unsafe name", "with unsafe names, left out"},
    [ELM_REPORT_TWICE] = {"twice", "there twice, the first one counts"},
    [ELM_REPORT_FOREIGN] = {"foreign", "of kinds that elmpi does not read, left out"},
    [ELM_REPORT_LOOSE] = {"no class", "in no class's folder, left out"},
    [ELM_REPORT_HIDDEN] = {"hidden", "hidden or in a system's folder, left out"},
    [ELM_REPORT_LINK] = {"link", "to no image or folder, left out", "link"},
    [ELM_REPORT_SPECIAL] = {"special file", "(pipe, socket or device), left out", "special file"},
    [ELM_REPORT_ARCHIVE] = {"archive", "beside images, not looked into", "archive"},
    [ELM_REPORT_CLASS] = {"class", "of classes that are left out"},
    [ELM_REPORT_ATTRIBUTES] = {"macOS attributes", ""},
};

int elm_rejects_create(elm_rejects **report, elm_error *err)
{
    *report = elm_alloc(1, sizeof **report, err);
    return *report != NULL ? 0 : -1;
}

void elm_rejects_destroy(elm_rejects *report)
{
    if (report == NULL)
        return;
    elm_free(report->text);
    elm_free(report);
}

static void count_ending(endings *all, const char *dot)
{
    char ending[sizeof all->list[0].name] = "";
    for (size_t i = 0; dot != NULL && isalnum((unsigned char)dot[1 + i]) && i + 1 < sizeof ending;
         i++)
        ending[i] = (char)tolower((unsigned char)dot[1 + i]);
    for (int i = 0; i < ENDINGS_MAX; i++)
        if (all->list[i].count == 0 || strcmp(all->list[i].name, ending) == 0) {
            memcpy(all->list[i].name, ending, sizeof ending);
            all->list[i].count++;
            return;
        }
}

/* By what is in it, where that is known ("neither JPEG nor PNG: a GIF"), else by the end of its
 * name. */
static void count_foreign(elm_rejects *report, const char *name, const char *why)
{
    count_ending(&report->foreign,
                 strstr(why, "PNG: a") != NULL ? strrchr(why, ' ') : strrchr(name, '.'));
}

void elm_rejects_pass(elm_rejects *report, const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash != NULL ? slash + 1 : name,
               *dot = strrchr(base, '.');
    count_ending(&report->passed, dot != base ? dot : NULL);
    report->passed_count++;
}

int elm_rejects_add(elm_rejects *report, elm_rejects_kind kind, const char *name, const char *why,
                    elm_error *err)
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
        count_foreign(report, name, why);
    return 0;
}

int64_t elm_rejects_count(const elm_rejects *report)
{
    int64_t count = 0;
    for (int kind = 0; kind < ELM_REPORT_KINDS; kind++)
        count += kind == ELM_REPORT_ATTRIBUTES ? 0 : report->count[kind];
    return count;
}

int elm_rejects_write(const elm_rejects *report, const char *path, elm_error *err)
{
    if (report->used == 0) {
        unlink(path);
        return 0;
    }
    return elm_output_write_file(path, report->text, report->used, err);
}

/* " (7 gif, 5 webp)" */
static void format_endings(const endings *all, char *text, size_t size_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < ENDINGS_MAX && all->list[i].count > 0 && used < size_bytes; i++)
        used += (size_t)snprintf(text + used, size_bytes - used, "%s%lld %s", i > 0 ? ", " : " (",
                                 (long long)all->list[i].count,
                                 all->list[i].name[0] != '\0' ? all->list[i].name
                                                              : "without an ending");
    if (used > 0 && used < size_bytes)
        snprintf(text + used, size_bytes - used, ")");
}

void elm_rejects_summarize(const elm_rejects *report, const char *path, const elm_log *log)
{
    char text[600];
    for (int kind = 0; kind < ELM_REPORT_ATTRIBUTES; kind++) {
        format_endings(&report->foreign, text, sizeof text);
        if (report->count[kind] > 0)
            elm_log_warn(log, "%lld %s%s %s%s (see %s)", (long long)report->count[kind],
                         kinds[kind].noun != NULL ? kinds[kind].noun : "image",
                         report->count[kind] > 1 ? "s" : "", kinds[kind].summary,
                         kind == ELM_REPORT_FOREIGN ? text : "", path);
    }
    if (report->count[ELM_REPORT_ATTRIBUTES] > 0)
        elm_log_info(log,
                     "%lld files of macOS that are no images, such as ._1.jpg, are passed over",
                     (long long)report->count[ELM_REPORT_ATTRIBUTES]);
    format_endings(&report->passed, text, sizeof text);
    if (report->passed_count > 0)
        elm_log_info(log, "%lld file%s whose name is no image's%s: not looked into",
                     (long long)report->passed_count, report->passed_count > 1 ? "s" : "", text);
}

/* The first line but those of macOS's attributes; there is one. */
static const char *first_line(const elm_rejects *report, int *length)
{
    const char *line = report->text, *end = memchr(line, '\n', report->used);
    while (strncmp(line, kinds[ELM_REPORT_ATTRIBUTES].word,
                   strlen(kinds[ELM_REPORT_ATTRIBUTES].word)) == 0) {
        line = end + 1;
        end = memchr(line, '\n', report->used - (size_t)(line - report->text));
    }
    *length = (int)(end - line);
    return line;
}

const char *elm_rejects_first(const elm_rejects *report, char *text, size_t size_bytes)
{
    int length;
    const char *line = first_line(report, &length);
    snprintf(text, size_bytes, "%.*s", length, line);
    return text;
}

int elm_rejects_refuse(const elm_rejects *report, const char *path, elm_error *err)
{
    int length;
    const char *line = first_line(report, &length);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "%lld images that are not as they should be (%s), first \"%.*s\": repair "
                         "them, or omit --strict",
                         (long long)elm_rejects_count(report), path, length, line);
}
