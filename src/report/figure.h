/* Figure: series of points in panels, drawn by gnuplot as SVG and PDF, with the points as CSV
 * beside them. */
#ifndef ELMPI_REPORT_FIGURE_H
#define ELMPI_REPORT_FIGURE_H

#include <stdbool.h>

#include "elmpi/status.h"

typedef enum elm_figure_style {
    ELM_FIGURE_LINES,
    ELM_FIGURE_MARKS,
    ELM_FIGURE_DOTS,
    ELM_FIGURE_BARS
} elm_figure_style;

/** What a figure is called and how it is drawn. */
typedef struct elm_figure_look {
    const char *id, *title, *caption; /* a file's name; a heading; HTML */
    const char *x_label, *y_label;    /* with units */
    elm_figure_style style;
    bool log_x;               /* where every x is positive */
    bool percent;             /* y cannot leave 0..100 */
    bool diagonal;            /* both axes are 0..100, and a line is drawn from corner to corner */
    bool no_axes;             /* where coordinates have no meaning */
    const char *const *ticks; /* names of x = 0, 1, .., ended by NULL; or NULL: numbers */
    int columns;              /* panels side by side; 0: all */
} elm_figure_look;

typedef struct elm_figure elm_figure;

/** Owns:   the caller calls elm_figure_destroy; `look` is borrowed until then */
int elm_figure_create(elm_figure **figure, const elm_figure_look *look, elm_error *err);
void elm_figure_destroy(elm_figure *figure);

/** Adds a point to a series of a panel; both begin with their first point, and keep that order
 * and color. NaN is left out. */
void elm_figure_add(elm_figure *figure, const char *panel, const char *series, double x, double y);
/** The same with a standard deviation, which is drawn as a bar; 0: none. */
void elm_figure_add_mean(elm_figure *figure, const char *panel, const char *series, double x,
                         double y, double spread);
/** Whoever adds has no memory left: elm_figure_write then says so. */
void elm_figure_fail(elm_figure *figure);
bool elm_figure_is_empty(const elm_figure *figure);
/** Whether it has more than two panels side by side. */
bool elm_figure_is_wide(const elm_figure *figure);

/** Removes what an earlier report may have drawn of this figure. */
void elm_figure_remove(const char *folder, const char *id);

/** Writes <folder>/<id>.csv, .svg, .pdf, and .gp, gnuplot's script, for whoever wants another look.
 *  Owns:   *svg is the figure as a text whose foreground is the page's (currentColor): elm_free
 *  Errors: memory, no gnuplot, the folder */
int elm_figure_write(const elm_figure *figure, const char *folder, char **svg, elm_error *err);

#endif
