/* Figure parts: what lies behind a figure, for the files that share it: figure.c (points, files,
 * gnuplot) and figure_script.c (the gnuplot script). */
#ifndef ELMPI_REPORT_FIGURE_PARTS_H
#define ELMPI_REPORT_FIGURE_PARTS_H

#include <stdio.h>

#include "report/figure.h"

enum { FIGURE_SHOWN = 224 /* bytes of a name as it is drawn */ };

/** The page's own color, until the figure is part of it. */
extern const char elm_figure_ink[];

typedef struct figure_point {
    int panel, series;
    double x, y, spread;
} figure_point;

/** Panels or series in the order of their first points. */
typedef struct figure_names {
    int count, room;
    struct figure_name {
        /* as it was given, but for what could steer a program that shows it; elm_free */
        char *whole;
        char shown[FIGURE_SHOWN]; /* cut, and still different from all others */
    } * item;
} figure_names;

struct elm_figure {
    const elm_figure_look *look;
    figure_names panels, series;
    figure_point *points;
    int count, room;
    bool spreads; /* some point has a deviation */
    bool full;    /* memory ended */
};

/** Writes a script that draws the figure into both files. */
void elm_figure_script(FILE *to, const elm_figure *figure, const char *svg, const char *pdf);

#endif
