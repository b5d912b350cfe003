#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process/process.h"
#include "base/text/text.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "report/figure_parts.h"

extern char **environ;

enum {
    PATH_SIZE = 4352,
    TITLE_LETTERS = 52,
    LEGEND_LETTERS = 32 /* of a name as it is drawn: a panel's width */
};

/* as gnuplot writes it for lines and for texts */
static const char *const inks[] = {elm_figure_ink, "rgb(1,2,3)", "rgb(  1,   2,   3)"};

int elm_figure_create(elm_figure **figure, const elm_figure_look *look, elm_error *err)
{
    *figure = elm_alloc(1, sizeof **figure, err);
    if (*figure == NULL)
        return -1;
    (*figure)->look = look;
    return 0;
}

static void free_names(figure_names *names)
{
    for (int i = 0; i < names->count; i++)
        elm_free(names->item[i].whole);
    elm_free(names->item);
}

void elm_figure_destroy(elm_figure *f)
{
    if (f == NULL)
        return;
    elm_free(f->points);
    free_names(&f->panels);
    free_names(&f->series);
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

/* Where the letter of that number begins; the text's end where it has no more. */
static size_t letter_place(const char *text, int number)
{
    size_t place = 0;
    for (; text[place] != '\0'; place++)
        if ((unsigned char)text[place] >> 6 != 2 && number-- == 0)
            break;
    return place;
}

/* The first letters of a name; `number` tells it from others that begin in the same way. */
static void shorten(char shown[FIGURE_SHOWN], const char *whole, int letters, int number)
{
    const bool cut = whole[letter_place(whole, letters)] != '\0';
    const int length = (int)letter_place(whole, cut ? letters - 1 : letters);
    char suffix[16] = "";
    if (number > 1)
        snprintf(suffix, sizeof suffix, " (%d)", number);
    snprintf(shown, FIGURE_SHOWN, "%.*s%s%s", length, whole, cut ? "\u2026" : "", suffix);
}

/* A name as it is drawn, unlike all before it. */
static void show(figure_names *names, struct figure_name *name, int letters)
{
    bool taken = true;
    for (int number = 1; taken; number++) {
        shorten(name->shown, name->whole, letters, number);
        taken = false;
        for (int i = 0; i < names->count; i++)
            taken = taken || strcmp(names->item[i].shown, name->shown) == 0;
    }
}

/* The name's place, or -1 without memory. */
static int place_of(figure_names *names, const char *name, int letters)
{
    const size_t size = elm_text_escape(NULL, 0, name) + 1;
    char *whole = elm_alloc(size, 1, NULL);
    if (whole == NULL)
        return -1;
    elm_text_escape(whole, size, name);
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->item[i].whole, whole) == 0) {
            elm_free(whole);
            return i;
        }
    struct figure_name *more = grown(names->item, names->count, &names->room, sizeof *more);
    if (more == NULL) {
        elm_free(whole);
        return -1;
    }
    names->item = more;
    more[names->count].whole = whole;
    show(names, &more[names->count], letters);
    return names->count++;
}

void elm_figure_add(elm_figure *f, const char *panel, const char *series, double x, double y)
{
    elm_figure_add_mean(f, panel, series, x, y, 0);
}

void elm_figure_add_mean(elm_figure *f, const char *panel, const char *series, double x, double y,
                         double spread)
{
    if (!isfinite(x) || !isfinite(y) || !isfinite(spread) || f->full)
        return;
    const int p = place_of(&f->panels, panel, TITLE_LETTERS),
              s = place_of(&f->series, series, LEGEND_LETTERS);
    figure_point *more = grown(f->points, f->count, &f->room, sizeof *more);
    f->full = p < 0 || s < 0 || more == NULL;
    if (more != NULL)
        f->points = more;
    f->spreads = f->spreads || spread > 0;
    if (!f->full)
        f->points[f->count++] = (figure_point){p, s, x, y, spread};
}

bool elm_figure_is_empty(const elm_figure *f)
{
    return f->count == 0 && !f->full;
}

bool elm_figure_is_wide(const elm_figure *f)
{
    const int columns = f->look->columns > 0 && f->look->columns < f->panels.count
                            ? f->look->columns
                            : f->panels.count;
    return columns > 2;
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
        fprintf(to, f->spreads ? "panel,series,x,y,deviation\n" : "panel,series,x,y\n");
    for (int i = 0; to != NULL && i < f->count; i++) {
        const figure_point *p = &f->points[i];
        put_field(to, f->panels.item[p->panel].whole);
        put_field(to, f->series.item[p->series].whole);
        fprintf(to, f->spreads ? "%.9g,%.9g,%.9g\n" : "%.9g,%.9g\n", p->x, p->y, p->spread);
    }
    return elm_output_commit(output, err);
}

static int write_script(const elm_figure *f, const char *path, const char *svg, const char *pdf,
                        elm_error *err)
{
    elm_output *output;
    if (elm_output_begin(&output, path, 0, err) != 0)
        return -1;
    FILE *to = elm_output_stream(output);
    if (to != NULL)
        elm_figure_script(to, f, svg, pdf);
    return elm_output_commit(output, err);
}

/* What gnuplot says, warnings about single points mostly, goes to a file that stays if it fails. */
static int draw(const char *script, const char *log, elm_error *err)
{
    char program[] = "gnuplot", option[] = "-d" /* nobody's own settings */, beside[PATH_SIZE + 2];
    /* a name that begins with - is no option */
    snprintf(beside, sizeof beside, "%s%s", *script == '/' ? "" : "./", script);
    char *arguments[] = {program, option, beside, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t child = -1;
    int status = -1;
    if (elm_process_spawn_signals(&attributes) != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "gnuplot does not start (%s): no memory: give fewer runs", script);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC,
                                     0666);
    const int started = posix_spawnp(&child, program, &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (started != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "gnuplot does not start: %s; install it (gnuplot-nox)",
                             strerror(started));
    if (waitpid(child, &status, 0) != child || status != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "gnuplot does not draw %s: what it said is in %s", script, log);
    unlink(log);
    return 0;
}

/* gnuplot ends well, too, when what it draws into is full: whether the file holds its format's
 * last word, near its end. */
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

/* A line of a figure with the page's color for the stand-in. */
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

/* Replaces the stand-in for the page's own color, and lets the figure's width follow the
 * page's. */
static char *read_svg(const char *path, elm_error *err)
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
        elm_error_set(err, ELM_EXIT_FAILURE, "gnuplot left no figure (%s): see what it says above",
                      path);
    free(text); /* open_memstream's */
    if (from != NULL)
        fclose(from);
    return copy;
}

int elm_figure_write(const elm_figure *f, const char *folder, char **svg, elm_error *err)
{
    char csv[PATH_SIZE], svg_path[PATH_SIZE], pdf[PATH_SIZE], script[PATH_SIZE], log[PATH_SIZE];
    snprintf(csv, sizeof csv, "%.4000s/%.100s.csv", folder, f->look->id);
    snprintf(svg_path, sizeof svg_path, "%.4000s/%.100s.svg", folder, f->look->id);
    snprintf(pdf, sizeof pdf, "%.4000s/%.100s.pdf", folder, f->look->id);
    snprintf(script, sizeof script, "%.4000s/%.100s.gp", folder, f->look->id);
    snprintf(log, sizeof log, "%.4000s/%.100s.log", folder, f->look->id);
    *svg = NULL;
    if (f->full)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "memory is exhausted (figure %s): give fewer runs", f->look->id);
    if (write_csv(f, csv, err) != 0 || write_script(f, script, svg_path, pdf, err) != 0 ||
        draw(script, log, err) != 0)
        return -1;
    const char *cut = !is_whole(svg_path, "</svg>") ? svg_path
                      : !is_whole(pdf, "%%EOF")     ? pdf
                                                    : NULL;
    if (cut != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "gnuplot wrote a part of a figure only (%s): disk full? Make room, or "
                             "choose another --out",
                             cut);
    *svg = read_svg(svg_path, err);
    return *svg != NULL ? 0 : -1;
}
