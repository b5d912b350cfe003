#include <math.h>
#include <string.h>

#include "report/figure_parts.h"

enum {
    PANEL_WIDTH = 400,
    PANEL_HEIGHT = 300, /* without its legend */
    TALL_HEIGHT = 430,
    ALONE_WIDTH = 660,
    LEGEND_LINE = 15, /* pixels a line, */
    LETTER = 7,       /* a letter */
    SAMPLE = 50,      /* and what stands before a name */
    DASHES = 5,
    PLAIN_TICKS = 12 /* whole numbers up to which each has a tick */
};

/* The first are colors that color-blind readers tell apart on white and on black (Okabe and
 * Ito). */
static const char *const colors[] = {"#0072B2", "#E69F00", "#009E73", "#CC79A7",
                                     "#56B4E9", "#D55E00", "#999933", "#882255"};
enum { COLORS = sizeof colors / sizeof *colors, COLOR_SIZE = 16 };
const char elm_figure_ink[] = "#010203";

static double from_hue(double hue, double shift, double saturation, double lightness)
{
    const double k = fmod(shift + hue / 30, 12), wave = fmin(fmin(k - 3, 9 - k), 1);
    return lightness - saturation * fmin(lightness, 1 - lightness) * fmax(wave, -1);
}

/* Further ones go round the circle by the golden angle in three lightnesses, so that none comes
 * again. */
static void color_of(int s, char text[COLOR_SIZE])
{
    if (s < COLORS) {
        snprintf(text, COLOR_SIZE, "%s", colors[s]);
        return;
    }
    static const double lightness[] = {0.42, 0.58, 0.5}, shifts[] = {0, 8, 4};
    int part[3];
    for (int i = 0; i < 3; i++)
        part[i] = (int)lround(255 * from_hue(fmod(20 + 137.50776 * s, 360), shifts[i],
                                             0.45 + 0.4 * (s / 3 % 2), lightness[s % 3]));
    snprintf(text, COLOR_SIZE, "#%02X%02X%02X", part[0] & 0xff, part[1] & 0xff, part[2] & 0xff);
}

/* A text that gnuplot takes for nothing but a text: in double quotes, with every sign that means
 * something to it (quotes, back quotes, which run programs, @, backslashes) by its number. */
static void put_quoted(FILE *to, const char *text, bool in_svg)
{
    static const char plain[] =
        " ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;()/+-_=";
    fputc('"', to);
    for (; *text != '\0'; text++)
        if (in_svg && text[0] == '&' && text[1] == '#')
            fprintf(to, "\\046\\043x26;");
        else
            fprintf(to,
                    strchr(plain, *text) != NULL || (unsigned char)*text >= 0x80 ? "%c" : "\\%03o",
                    (unsigned char)*text);
    fputc('"', to);
}

/* A name that begins with | would be a program's. */
static void put_path(FILE *to, const char *path)
{
    char beside[4400];
    snprintf(beside, sizeof beside, "%s%.4390s", *path == '/' ? "" : "./", path);
    put_quoted(to, beside, false);
}

/* The least and greatest of a coordinate, of one panel or (-1) of all. */
typedef struct range {
    double low, high;
    bool whole; /* every number is whole */
} range;

static range range_of(const elm_figure *f, int panel, bool of_y)
{
    range r = {INFINITY, -INFINITY, true};
    for (int i = 0; i < f->count; i++) {
        const figure_point *p = &f->points[i];
        const double value = of_y ? p->y : p->x;
        if (panel >= 0 && p->panel != panel)
            continue;
        r.low = fmin(r.low, value - (of_y ? p->spread : 0));
        r.high = fmax(r.high, value + (of_y ? p->spread : 0));
        r.whole = r.whole && value == rint(value);
    }
    return r;
}

static bool has(const elm_figure *f, int panel, int series)
{
    for (int i = 0; i < f->count; i++)
        if (f->points[i].panel == panel && f->points[i].series == series)
            return true;
    return false;
}

static void put_data(FILE *to, const elm_figure *f)
{
    const bool bars = f->look->style == ELM_FIGURE_BARS;
    for (int p = 0; p < f->panels.count; p++)
        for (int s = 0; s < f->series.count; s++) {
            fprintf(to, "$d%d_%d << END\n", p, s);
            for (int i = 0; i < f->count; i++) {
                const figure_point *at = &f->points[i];
                if (at->panel == p && at->series == s)
                    fprintf(to, "%.9g %.9g %.9g\n",
                            at->x + (bars
                                         ? (s - (f->series.count - 1) / 2.0) * 0.8 / f->series.count
                                         : 0),
                            at->y, at->spread);
            }
            fprintf(to, "END\n");
        }
}

static int points_of(const elm_figure *f, int panel, int series)
{
    int count = 0;
    for (int i = 0; i < f->count; i++)
        count += f->points[i].panel == panel && f->points[i].series == series;
    return count;
}

static void put_series(FILE *to, const elm_figure *f, int p, int s)
{
    enum { FEW = 3 }; /* points that make no line worth seeing */
    char color[COLOR_SIZE];
    color_of(s, color);
    const int dash = s / COLORS % DASHES + 1;
    switch (f->look->style) {
    case ELM_FIGURE_LINES:
        if (points_of(f, p, s) < FEW)
            fprintf(to, "using 1:2 with linespoints pt 7 ps 0.5 lw 2 dt %d lc rgb '%s'", dash,
                    color);
        else
            fprintf(to, "using 1:2 with lines lw 2 dt %d lc rgb '%s'", dash, color);
        break;
    case ELM_FIGURE_MARKS:
        fprintf(to,
                f->spreads ? "using 1:2:3 with yerrorlines pt %d ps 0.5 lw 1.5 dt %d lc rgb '%s'"
                           : "using 1:2 with linespoints pt %d ps 0.5 lw 1.5 dt %d lc rgb '%s'",
                4 + s % 10, dash, color);
        break;
    case ELM_FIGURE_DOTS:
        fprintf(to, "using 1:2 with points pt %d ps 0.45 lc rgb '%s'",
                s / COLORS == 0 ? 7 : 5 + 2 * (s / COLORS % 5), color);
        break;
    case ELM_FIGURE_BARS:
        fprintf(to, "using 1:2:(%.6g) with boxes fs solid 1 noborder lc rgb '%s'",
                0.76 / f->series.count, color);
        break;
    }
}

/* gnuplot makes an axis of 2.97 to 3.03 out of a single 3. */
static void put_y_range(FILE *to, const elm_figure *f, int p)
{
    const elm_figure_look *look = f->look;
    const range y = range_of(f, p, true);
    if (look->style == ELM_FIGURE_BARS)
        fprintf(to, "set yrange [0:*]\n");
    else if (look->diagonal)
        fprintf(to, "set yrange [0:100]\n");
    else if (y.high - y.low < 1e-9 * fmax(1, fabs(y.high)) && look->percent)
        fprintf(to, "set yrange [%.9g:%.9g]\n", fmax(0, y.low - 1), fmin(100, y.high + 1));
    else if (y.high - y.low < 1e-9 * fmax(1, fabs(y.high)))
        fprintf(to, "set yrange [%.9g:%.9g]\n", y.low - fmax(1, 0.1 * fabs(y.low)),
                y.high + fmax(1, 0.1 * fabs(y.high)));
    else
        fprintf(to, look->percent ? "set yrange [0<*:*<100]\n" : "set yrange [*:*]\n");
}

static void put_panel(FILE *to, const elm_figure *f, int p, bool in_svg)
{
    put_y_range(to, f, p);
    fprintf(to, "set title ");
    put_quoted(to, f->panels.item[p].shown, in_svg);
    fprintf(to, " noenhanced textcolor rgb '%s'\nplot ", elm_figure_ink);
    if (f->look->diagonal)
        fprintf(to, "x with lines lw 1 dt 2 lc rgb '%s' title \"as sure as right\"",
                elm_figure_ink);
    bool first = !f->look->diagonal;
    for (int s = 0; s < f->series.count; s++) {
        if (!has(f, p, s))
            continue;
        fprintf(to, "%s$d%d_%d ", first ? "" : ", ", p, s);
        put_series(to, f, p, s);
        fprintf(to, " title ");
        put_quoted(to, f->series.item[s].shown, in_svg);
        first = false;
    }
    fprintf(to, "\n");
}

static void put_ticks(FILE *to, const char *const *ticks)
{
    int count = 0;
    fprintf(to, "set xtics (");
    for (; ticks[count] != NULL; count++) {
        fprintf(to, "%s", count > 0 ? ", " : "");
        put_quoted(to, ticks[count], false);
        fprintf(to, " %d", count);
    }
    fprintf(to, ")\nset xrange [-0.6:%g]\n", count - 0.4);
}

static void put_x_axis(FILE *to, const elm_figure *f)
{
    const elm_figure_look *look = f->look;
    const range x = range_of(f, -1, false);
    const bool log_x = look->log_x && x.low > 0, single = !(x.high > x.low);
    if (look->no_axes)
        return;
    if (look->ticks != NULL)
        put_ticks(to, look->ticks);
    else if (look->diagonal)
        fprintf(to, "set xrange [0:100]\n");
    else if (log_x)
        fprintf(to, "set logscale x\nset xrange [%.9g:%.9g]\n", single ? x.low / 10 : x.low / 1.3,
                single ? x.high * 10 : x.high * 1.3);
    else if (single)
        fprintf(to, "set xrange [%.9g:%.9g]\n%s", x.low - 1, x.high + 1,
                x.whole ? "set xtics 1\n" : "");
    else if (x.whole && x.high - x.low <= PLAIN_TICKS)
        fprintf(to, "set xtics 1\n");
}

static void put_axes(FILE *to, const elm_figure *f)
{
    const elm_figure_look *look = f->look;
    const char *ink = elm_figure_ink;
    fprintf(to, "set border 3 lc rgb '%s' lw 0.8\nset tics nomirror textcolor rgb '%s'\n", ink,
            ink);
    fprintf(to,
            "set grid ytics lc rgb '#a0a0a0' lw 0.4\nset key below height 1 noenhanced textcolor "
            "rgb '%s' samplen 1.5\n",
            ink);
    fprintf(to, "set xlabel ");
    put_quoted(to, look->x_label, false);
    fprintf(to, " noenhanced offset 0,0.4 textcolor rgb '%s'\nset ylabel ", ink);
    put_quoted(to, look->y_label, false);
    fprintf(to, " noenhanced textcolor rgb '%s'\n", ink);
    if (look->no_axes)
        fprintf(to, "unset tics\nunset grid\nset border 0\n");
    put_x_axis(to, f);
}

/* Letters, not bytes. */
static int letters_of(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += (unsigned char)*text >> 6 != 2;
    return count;
}

/* The height that a legend takes: it has as many columns as its longest name leaves room for. */
static int legend_height(const elm_figure *f, int panel_width)
{
    int longest = 8;
    for (int s = 0; s < f->series.count; s++) {
        const int letters = letters_of(f->series.item[s].shown);
        longest = letters > longest ? letters : longest;
    }
    const int fit = (panel_width - 60) / (LETTER * longest + SAMPLE), columns = fit > 0 ? fit : 1;
    return LEGEND_LINE * ((f->series.count + f->look->diagonal + columns - 1) / columns + 1);
}

void elm_figure_script(FILE *to, const elm_figure *f, const char *svg, const char *pdf)
{
    const int columns = f->look->columns > 0 && f->look->columns < f->panels.count
                            ? f->look->columns
                            : f->panels.count;
    const int rows = (f->panels.count + columns - 1) / columns,
              panel = columns == 1 ? ALONE_WIDTH : PANEL_WIDTH;
    const int width = columns * panel,
              height = rows *
                       ((f->look->no_axes ? TALL_HEIGHT : PANEL_HEIGHT) + legend_height(f, panel));
    fprintf(to, "set encoding utf8\n");
    put_data(to, f);
    for (int k = 0; k < 2; k++) {
        if (k == 0)
            fprintf(to, "set terminal svg size %d,%d font 'Helvetica,12'\nset output ", width,
                    height);
        else
            fprintf(to, "set terminal pdfcairo size %.2fin,%.2fin font 'Helvetica,9'\nset output ",
                    width / 96.0, height / 96.0);
        put_path(to, k == 0 ? svg : pdf);
        fprintf(to, "\n");
        put_axes(to, f);
        fprintf(to, "set multiplot layout %d,%d\n", rows, columns);
        for (int p = 0; p < f->panels.count; p++)
            put_panel(to, f, p, k == 0);
        fprintf(to, "unset multiplot\nset output\n");
    }
}
