#define _GNU_SOURCE /* memmem */
#include "report/figure.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "elmpi/process.h"

extern char **environ;

enum { NAME = 128, PATH_SIZE = 4352, PANEL_WIDTH = 360, PANEL_HEIGHT = 320, TALL_HEIGHT = 470, LEGEND = 40 };

/* Colours that colour-blind readers tell apart on white and on black (Okabe and Ito), and what stands for the page's own. */
static const char *const colours[] = {"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999933", "#882255"};
enum { COLOURS = sizeof colours / sizeof *colours };
static const char ink[] = "#010203";
static const char *const inks[] = {ink, "rgb(1,2,3)", "rgb(  1,   2,   3)"}; /* as gnuplot writes it for lines and for texts */

typedef struct point {
    int panel, series;
    double x, y;
} point;

typedef struct name_list {
    int count, room;
    char (*text)[NAME];
} name_list;

struct elm_figure {
    const elm_figure_look *look;
    name_list panels, series;
    point *points;
    int count, room;
    bool full; /* memory ended */
};

int elm_figure_create(elm_figure **figure, const elm_figure_look *look, elm_error *err)
{
    *figure = elm_alloc(1, sizeof **figure, err);
    if (*figure == NULL)
        return -1;
    (*figure)->look = look;
    return 0;
}

void elm_figure_destroy(elm_figure *f)
{
    if (f == NULL)
        return;
    elm_free(f->points);
    elm_free(f->panels.text);
    elm_free(f->series.text);
    elm_free(f);
}

/* An array with room for one more; NULL, and what was there stays, without memory. */
static void *grown(void *array, int count, int *room, size_t size)
{
    if (count < *room)
        return array;
    const int wanted = *room > 0 ? 2 * *room : 64;
    void *more = elm_alloc((size_t)wanted, size, NULL);
    if (more == NULL)
        return NULL;
    if (count > 0)
        memcpy(more, array, (size_t)count * size);
    elm_free(array);
    *room = wanted;
    return more;
}

/* The name's place, or -1 without memory. What a line of a script or a table cannot hold becomes a blank. */
static int place_of(name_list *list, const char *name)
{
    char text[NAME];
    snprintf(text, sizeof text, "%s", name);
    for (char *at = text; *at != '\0'; at++)
        *at = (unsigned char)*at < ' ' || *at == 127 ? ' ' : *at;
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->text[i], text) == 0)
            return i;
    char(*more)[NAME] = grown(list->text, list->count, &list->room, sizeof *more);
    if (more == NULL)
        return -1;
    list->text = more;
    memcpy(list->text[list->count], text, sizeof text);
    return list->count++;
}

void elm_figure_add(elm_figure *f, const char *panel, const char *series, double x, double y)
{
    if (!isfinite(x) || !isfinite(y) || f->full)
        return;
    const int p = place_of(&f->panels, panel), s = place_of(&f->series, series);
    point *more = grown(f->points, f->count, &f->room, sizeof *more);
    f->full = p < 0 || s < 0 || more == NULL;
    if (more != NULL)
        f->points = more;
    if (!f->full)
        f->points[f->count++] = (point){p, s, x, y};
}

bool elm_figure_is_empty(const elm_figure *f)
{
    return f->count == 0 && !f->full;
}

void elm_figure_fail(elm_figure *f)
{
    f->full = true;
}

void elm_figure_remove(const char *folder, const char *id)
{
    static const char *const kinds[] = {"csv", "gp", "svg", "pdf"};
    char path[PATH_SIZE];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        snprintf(path, sizeof path, "%.4000s/%.100s.%s", folder, id, kinds[k]);
        unlink(path);
    }
}

static bool has(const elm_figure *f, int panel, int series)
{
    for (int i = 0; i < f->count; i++)
        if (f->points[i].panel == panel && f->points[i].series == series)
            return true;
    return false;
}

/* gnuplot's single-quoted text. */
static void put_quoted(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text != '\0'; text++)
        fprintf(to, *text == '\'' ? "''" : "%c", *text);
    fputc('\'', to);
}

static void put_data(FILE *to, const elm_figure *f)
{
    const bool bars = f->look->style == ELM_FIGURE_BARS;
    for (int p = 0; p < f->panels.count; p++)
        for (int s = 0; s < f->series.count; s++) {
            fprintf(to, "$d%d_%d << END\n", p, s);
            for (int i = 0; i < f->count; i++)
                if (f->points[i].panel == p && f->points[i].series == s)
                    fprintf(to, "%.9g %.9g\n", f->points[i].x + (bars ? (s - (f->series.count - 1) / 2.0) * 0.8 / f->series.count : 0),
                            f->points[i].y);
            fprintf(to, "END\n");
        }
}

static void put_series(FILE *to, const elm_figure *f, int s)
{
    const char *colour = colours[s % COLOURS];
    switch (f->look->style) {
    case ELM_FIGURE_LINES:
        fprintf(to, "with lines lw 2 dt %d lc rgb '%s'", s / COLOURS + 1, colour);
        break;
    case ELM_FIGURE_MARKS:
        fprintf(to, "with linespoints pt %d ps 0.5 lw 1.5 lc rgb '%s'", 4 + s % 10, colour);
        break;
    case ELM_FIGURE_DOTS:
        fprintf(to, "with points pt %d ps 0.45 lc rgb '%s'", s / COLOURS == 0 ? 7 : 2 * (s / COLOURS) + 3, colour);
        break;
    case ELM_FIGURE_BARS:
        fprintf(to, "using 1:2:(%.6g) with boxes fs solid 1 noborder lc rgb '%s'", 0.76 / f->series.count, colour);
        break;
    }
}

static void put_panel(FILE *to, const elm_figure *f, int p)
{
    bool first = true;
    fprintf(to, "set title ");
    put_quoted(to, f->panels.text[p]);
    fprintf(to, " noenhanced textcolor rgb '%s'\nplot ", ink);
    for (int s = 0; s < f->series.count; s++) {
        if (!has(f, p, s))
            continue;
        fprintf(to, "%s$d%d_%d ", first ? "" : ", ", p, s);
        put_series(to, f, s);
        fprintf(to, " title ");
        put_quoted(to, f->series.text[s]);
        first = false;
    }
    fprintf(to, "\n");
}

static void put_axes(FILE *to, const elm_figure_look *look)
{
    fprintf(to, "set border 3 lc rgb '%s' lw 0.8\nset tics nomirror textcolor rgb '%s'\n", ink, ink);
    fprintf(to, "set grid ytics lc rgb '#a0a0a0' lw 0.4\nset key below noenhanced textcolor rgb '%s' samplen 1.5\n", ink);
    fprintf(to, "set xlabel ");
    put_quoted(to, look->x_label);
    fprintf(to, " textcolor rgb '%s'\nset ylabel ", ink);
    put_quoted(to, look->y_label);
    fprintf(to, " textcolor rgb '%s'\n%s", ink, look->log_x ? "set logscale x\n" : "");
    if (look->no_axes)
        fprintf(to, "unset tics\nunset grid\nset border 0\n");
    if (look->style == ELM_FIGURE_BARS)
        fprintf(to, "set yrange [0:*]\n");
    if (look->ticks == NULL)
        return;
    int count = 0;
    fprintf(to, "set xtics (");
    for (; look->ticks[count] != NULL; count++) {
        fprintf(to, "%s", count > 0 ? ", " : "");
        put_quoted(to, look->ticks[count]);
        fprintf(to, " %d", count);
    }
    fprintf(to, ")\nset xrange [-0.6:%g]\n", count - 0.4);
}

static void put_script(FILE *to, const elm_figure *f, const char *svg, const char *pdf)
{
    const int columns = f->look->columns > 0 && f->look->columns < f->panels.count ? f->look->columns : f->panels.count;
    const int rows = (f->panels.count + columns - 1) / columns;
    const int width = columns == 1 ? 640 : columns * PANEL_WIDTH, height = rows * (f->look->no_axes ? TALL_HEIGHT : PANEL_HEIGHT) + LEGEND;
    fprintf(to, "set encoding utf8\n");
    put_data(to, f);
    for (int k = 0; k < 2; k++) {
        if (k == 0)
            fprintf(to, "set terminal svg size %d,%d font 'Helvetica,12'\nset output ", width, height);
        else
            fprintf(to, "set terminal pdfcairo size %.2fin,%.2fin font 'Helvetica,9'\nset output ", width / 96.0, height / 96.0);
        put_quoted(to, k == 0 ? svg : pdf);
        fprintf(to, "\n");
        put_axes(to, f->look);
        fprintf(to, "set multiplot layout %d,%d\n", rows, columns);
        for (int p = 0; p < f->panels.count; p++)
            put_panel(to, f, p);
        fprintf(to, "unset multiplot\nset output\n");
    }
}

/* A field of a table: quotes are doubled. */
static void put_field(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text != '\0'; text++)
        fprintf(to, *text == '"' ? "\"\"" : "%c", *text);
    fputs("\",", to);
}

static int write_csv(const elm_figure *f, const char *path, elm_error *err)
{
    elm_output *output;
    if (elm_output_begin(&output, path, 0, err) != 0)
        return -1;
    FILE *to = elm_output_stream(output);
    if (to != NULL)
        fprintf(to, "panel,series,x,y\n");
    for (int i = 0; to != NULL && i < f->count; i++) {
        const point *p = &f->points[i];
        put_field(to, f->panels.text[p->panel]);
        put_field(to, f->series.text[p->series]);
        fprintf(to, "%.9g,%.9g\n", p->x, p->y);
    }
    return elm_output_commit(output, err);
}

static int write_script(const elm_figure *f, const char *path, const char *svg, const char *pdf, elm_error *err)
{
    elm_output *output;
    if (elm_output_begin(&output, path, 0, err) != 0)
        return -1;
    FILE *to = elm_output_stream(output);
    if (to != NULL)
        put_script(to, f, svg, pdf);
    return elm_output_commit(output, err);
}

/* What gnuplot says, warnings about single points mostly, goes to a file that stays if it fails. */
static int draw(const char *script, const char *log, elm_error *err)
{
    char program[] = "gnuplot", *arguments[] = {program, (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t child = -1;
    int status = -1;
    if (elm_process_spawn_signals(&attributes) != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE, "gnuplot does not start (%s): no memory: give fewer runs", script);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    const int started = posix_spawnp(&child, program, &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (started != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE, "gnuplot does not start: %s; install it (gnuplot-nox)", strerror(started));
    if (waitpid(child, &status, 0) != child || status != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE, "gnuplot does not draw %s: what it said is in %s", script, log);
    unlink(log);
    return 0;
}

/* gnuplot ends well, too, when what it draws into is full: whether the file holds its format's last word, near its end. */
static bool is_whole(const char *path, const char *last_word)
{
    enum { TAIL = 256 };
    char tail[TAIL + 1] = "";
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    if (fseek(file, -TAIL, SEEK_END) != 0)
        rewind(file);
    const size_t got = fread(tail, 1, TAIL, file);
    fclose(file);
    return got > 0 && memmem(tail, got, last_word, strlen(last_word)) != NULL;
}

/* A line of a picture with the page's colour for the stand-in. */
static void put_inked(FILE *to, const char *line)
{
    for (;;) {
        const char *found = NULL;
        size_t length = 0;
        for (size_t k = 0; k < sizeof inks / sizeof *inks; k++) {
            const char *at = strstr(line, inks[k]);
            if (at != NULL && (found == NULL || at < found)) {
                found = at;
                length = strlen(inks[k]);
            }
        }
        fwrite(line, 1, found != NULL ? (size_t)(found - line) : strlen(line), to);
        if (found == NULL)
            return;
        fputs("currentColor", to);
        line = found + length;
    }
}

/* Replaces the stand-in for the page's own colour, and lets the picture's width follow the page's. */
static char *read_picture(const char *path, elm_error *err)
{
    FILE *from = fopen(path, "rb"), *to = NULL;
    char *text = NULL, *copy = NULL, line[1 << 14];
    size_t size = 0;
    if (from != NULL)
        to = open_memstream(&text, &size);
    bool inside = false; /* what comes before <svg is no part of a page */
    while (to != NULL && fgets(line, sizeof line, from) != NULL) {
        inside = inside || strstr(line, "<svg") != NULL;
        if (inside)
            put_inked(to, line);
    }
    if (to != NULL && fclose(to) == 0 && size > 0)
        copy = elm_alloc(size + 1, 1, err);
    if (copy != NULL)
        memcpy(copy, text, size);
    else
        elm_error_set(err, ELM_EXIT_FAILURE, "gnuplot left no picture (%s): see what it says above", path);
    free(text); /* open_memstream's */
    if (from != NULL)
        fclose(from);
    return copy;
}

int elm_figure_write(const elm_figure *f, const char *folder, char **svg, elm_error *err)
{
    char csv[PATH_SIZE], picture[PATH_SIZE], pdf[PATH_SIZE], script[PATH_SIZE], log[PATH_SIZE];
    snprintf(csv, sizeof csv, "%.4000s/%.100s.csv", folder, f->look->id);
    snprintf(picture, sizeof picture, "%.4000s/%.100s.svg", folder, f->look->id);
    snprintf(pdf, sizeof pdf, "%.4000s/%.100s.pdf", folder, f->look->id);
    snprintf(script, sizeof script, "%.4000s/%.100s.gp", folder, f->look->id);
    snprintf(log, sizeof log, "%.4000s/%.100s.log", folder, f->look->id);
    *svg = NULL;
    if (f->full)
        return elm_error_set(err, ELM_EXIT_FAILURE, "memory is exhausted (figure %s): give fewer runs", f->look->id);
    if (write_csv(f, csv, err) != 0 || write_script(f, script, picture, pdf, err) != 0 || draw(script, log, err) != 0)
        return -1;
    const char *cut = !is_whole(picture, "</svg>") ? picture : !is_whole(pdf, "%%EOF") ? pdf : NULL;
    if (cut != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "gnuplot wrote a part of a figure only (%s): disk full? Make room, or choose another --out", cut);
    *svg = read_picture(picture, err);
    return *svg != NULL ? 0 : -1;
}
