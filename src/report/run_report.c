#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text/name_list.h"
#include "base/text/text.h"
#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "elmpi/run_report.h"
#include "report/figures.h"
#include "report/tables.h"

enum { PATH_SIZE = 4352 };

static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1a1a1a;--line:#d0d0d0;--soft:#f4f4f4}"
    "@media(prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e4e4e4;--line:#3c4046;--soft:#"
    "1f2226}}"
    "body{margin:0 "
    "auto;max-width:1760px;padding:1.5rem;background:var(--paper);color:var(--ink);font:15px/1.5 "
    "system-ui,sans-serif}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin:1.6rem 0 "
    ".6rem}figure{margin:0}figcaption,p,footer{opacity:.85;font-size:.9rem}"
    ".figures{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 "
    "2rem;grid-auto-flow:dense}.wide{grid-column:1/-1}"
    "@media(max-width:1000px){.figures{display:block}}"
    "svg{width:100%;height:auto}svg "
    "g{color:inherit}.table{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem}"
    "th,td{border-bottom:1px solid var(--line);padding:.25rem "
    ".5rem;text-align:left;vertical-align:bottom;unicode-bidi:isolate;"
    "overflow-wrap:anywhere;min-width:2.5rem;max-width:28rem}"
    "thead th{background:var(--soft);overflow-wrap:normal}tbody th{min-width:7rem}"
    ".number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}summary{cursor:"
    "pointer;margin-top:.6rem}";

/* Two figures side by side, or one of many panels over the page's width. */
static void put_figure(FILE *page, const elm_figure_look *look, const elm_figure *figure,
                       const char *svg, const char *folder)
{
    fprintf(page, "<section%s><h2 id=\"%s\">%s</h2>\n<figure>%s<figcaption>%s Numbers: <code>",
            elm_figure_is_wide(figure) ? " class=wide" : "", look->id, look->title, svg,
            look->caption);
    elm_put_text(page, folder);
    fprintf(page, "/%s.csv</code>.</figcaption></figure></section>\n", look->id);
}

static int write_figures(FILE *page, const elm_run_files *runs, int count, const char *folder,
                         const elm_log *log, elm_error *err)
{
    const char *slash = strrchr(folder, '/');
    int status = 0;
    for (const elm_figure_row *row = elm_figure_rows; status == 0 && row->fill != NULL; row++) {
        elm_figure *figure = NULL;
        char *svg = NULL;
        if (elm_figure_create(&figure, &row->look, err) != 0)
            return -1;
        row->fill(figure, runs, count);
        if (elm_figure_is_empty(figure))
            elm_figure_remove(folder, row->look.id);
        else
            status = elm_figure_write(figure, folder, &svg, err);
        if (svg != NULL) {
            put_figure(page, &row->look, figure, svg, slash != NULL ? slash + 1 : folder);
            elm_log_info(log, "  %s", row->look.id);
        }
        elm_free(svg);
        elm_figure_destroy(figure);
    }
    return status;
}

static int write_page(FILE *page, const elm_run_files *runs, int count, const char *folder,
                      const elm_log *log, elm_error *err)
{
    int bare = 0;
    fprintf(page,
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
            "content=\"width=device-width\"><link rel=icon "
            "href=\"data:,\"><title>elmpi: %d "
            "run%s</title><style>%s</style></head><body>\n<h1>Long-tail runs</h1>\n",
            count, count == 1 ? "" : "s", style);
    elm_put_results(page, runs, count);
    for (int i = 0; i < count; i++)
        bare += runs[i].analysis.classes == 0;
    if (bare > 0) {
        fputs("<p>No margins, distances and embeddings are shown of ", page);
        for (int i = 0, told = 0; i < count; i++)
            if (runs[i].analysis.classes == 0) {
                fputs(told++ > 0 ? ", " : "", page);
                elm_put_text(page, runs[i].name);
            }
        fputs(": <code>elmpi-evaluate RUN/checkpoint.h5 --analysis RUN/analysis.h5</code> finds "
              "them.</p>\n",
              page);
    }
    fputs("<h2>Settings</h2>\n", page);
    elm_put_settings(page, runs, count);
    elm_put_statistics(page, runs, count);
    fputs("<div class=figures>\n", page);
    if (write_figures(page, runs, count, folder, log, err) != 0)
        return -1;
    fputs("</div>\n", page);
    elm_put_confusions(page, runs, count);
    fputs("<footer>Made by elmpi-report. The same figures as SVG, PDF and CSV lie beside this "
          "page.</footer></body></html>\n",
          page);
    return 0; /* what could not be written, its output says at the end */
}

/* The last `depth` parts of a run folder's path; the whole of it where it has no more. */
static void name_by_folder(elm_run_files *run, int depth)
{
    size_t end = strlen(run->folder);
    while (end > 1 && run->folder[end - 1] == '/')
        end--;
    size_t begin = end;
    for (; begin > 0; begin--)
        if (run->folder[begin - 1] == '/' && --depth == 0)
            break;
    snprintf(run->name, sizeof run->name, "%.*s", (int)(end - begin), run->folder + begin);
    elm_text_trim(run->name);
}

/* The first run before i that is shown under the same name, or NULL. */
static const elm_run_files *namesake(const elm_run_files *runs, int i)
{
    for (int j = 0; j < i; j++)
        if (strcmp(runs[i].name, runs[j].name) == 0)
            return &runs[j];
    return NULL;
}

/* Seeds and settings of one job have the same run.name, so they are told apart by as much of
 * their folders' paths as it takes. */
static int find_names(elm_run_files *runs, int count, elm_error *err)
{
    enum { DEPTH_MAX = 64 };
    for (int depth = 1; depth <= DEPTH_MAX; depth++) {
        bool done = true;
        for (int i = 0; i < count; i++)
            done = namesake(runs, i) == NULL && done;
        if (done)
            return 0;
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++)
                if (j != i && strcmp(runs[i].job_name, runs[j].job_name) == 0)
                    name_by_folder(&runs[i], depth);
    }
    for (int i = 0; i < count; i++)
        if (namesake(runs, i) != NULL)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "two runs that cannot be told apart (%s, %s): give each folder once",
                namesake(runs, i)->folder, runs[i].folder);
    return 0;
}

/* The folder of the figures: the page's name without its ending. */
static int make_folder(const char *out, char folder[PATH_SIZE], elm_error *err)
{
    const char *dot = strrchr(out, '.');
    const int stem = dot != NULL && strcmp(dot, ".html") == 0 ? (int)(dot - out) : (int)strlen(out);
    if (stem > PATH_SIZE / 2)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the path is too long (--out): choose a shorter one");
    snprintf(folder, PATH_SIZE, "%.*s-figures", stem, out);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot make the figures' folder (%s): %s; choose another --out",
                             folder, strerror(errno));
    return 0;
}

/* Writes a new page and puts it in the old one's place. */
static int write_all(elm_run_files *runs, int count, const char *out, const elm_log *log,
                     elm_error *err)
{
    char folder[PATH_SIZE];
    elm_output *output;
    if (find_names(runs, count, err) != 0 || make_folder(out, folder, err) != 0 ||
        elm_output_begin(&output, out, 0, err) != 0)
        return -1;
    FILE *page = elm_output_stream(output);
    if (page == NULL || write_page(page, runs, count, folder, log, err) == 0)
        return elm_output_commit(output, err);
    elm_output_abandon(output);
    return -1;
}

/* Other names for the classes of a run's analysis. */
static int rename_classes(elm_analysis_file *analysis, const char *path, elm_error *err)
{
    char **names = NULL;
    if (analysis->names == NULL) /* of a run without an analysis no name is shown */
        return access(path, R_OK) == 0
                   ? 0
                   : elm_error_set(err, ELM_EXIT_FAILURE,
                                   "cannot read the class names (%s): %s: check --class-names",
                                   path, strerror(errno));
    if (elm_name_list_read(path, analysis->classes, &names, err) != 0)
        return -1;
    for (int c = 0; c < analysis->classes; c++)
        elm_utf8_escape(analysis->names[c], sizeof analysis->names[c], names[c]);
    elm_free(names);
    return 0;
}

int elm_run_report_write(const char *const *folders, int count, const char *class_names,
                         const char *out, const elm_log *log, elm_error *err)
{
    elm_run_files *runs = elm_alloc((size_t)count, sizeof *runs, err);
    int status = runs != NULL ? 0 : -1, read = 0;
    for (; status == 0 && read < count; read++)
        status = elm_run_files_read(&runs[read], folders[read], err);
    for (int i = 0; status == 0 && class_names != NULL && i < count; i++)
        status = rename_classes(&runs[i].analysis, class_names, err);
    if (status == 0)
        status = write_all(runs, count, out, log, err);
    for (int i = 0; i < read; i++)
        elm_run_files_release(&runs[i]);
    elm_free(runs);
    return status;
}
