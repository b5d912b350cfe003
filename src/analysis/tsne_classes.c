#include <string.h>

#include "analysis/split_state.h"
#include "analysis/tsne.h"
#include "base/long_tail.h"
#include "elmpi/memory.h"

enum { TSNE_IMAGES = 100 /* of a class at most */, TSNE_STEPS = 1000, PERPLEXITY = 30 };

/* Classes for the plot: of each group so many, evenly spaced among its classes by size. */
static int choose_classes(const elm_analysis_split *s, int *chosen, elm_error *err)
{
    const int classes = s->dataset->info.classes, wanted = s->in->tsne_classes;
    int count = 0, *members = elm_alloc((size_t)classes, sizeof *members, err);
    for (int g = 0; members != NULL && g < 3; g++) {
        int size = 0;
        for (int c = 0; c < classes; c++)
            if (s->dataset->class_count[c] > 0 && elm_class_group(s->dataset->class_count[c]) == g)
                members[size++] = c;
        const int take = size < wanted ? size : wanted;
        for (int i = 0; i < take; i++)
            chosen[count++] = members[(2 * i + 1) * size / (2 * take)];
    }
    elm_free(members);
    return members != NULL ? count : -1;
}

typedef struct plot {
    int points;
    float *x;      /* [points][width] */
    double *place; /* [points][2] */
    int32_t *label;
    int64_t *member;
    double divergence;
} plot;

static void release_plot(plot *p)
{
    void *all[] = {p->x, p->place, p->label, p->member};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

/* The first images of the chosen classes, on all ranks. */
static int collect_all(const elm_analysis_split *s, const int *chosen, int count, plot *p,
                       elm_error *err)
{
    const int width = elm_net_width(s->in->net);
    const size_t room = (size_t)count * TSNE_IMAGES;
    const elm_need needs[] = {{&p->x, room * (size_t)width, sizeof *p->x},
                              {&p->place, 2 * room, sizeof *p->place},
                              {&p->label, room, sizeof *p->label},
                              {&p->member, room, sizeof *p->member}};
    if (elm_comm_agree_all(s->in->comm, elm_alloc_each(needs, sizeof needs / sizeof *needs, err),
                           err) != 0)
        return -1;
    for (int i = 0; i < count; i++) {
        const int c = chosen[i];
        const int64_t here = s->rows.first[c + 1] - s->rows.first[c],
                      all = s->dataset->class_count[c];
        for (int64_t j = 0; j < (all < TSNE_IMAGES ? all : TSNE_IMAGES); j++, p->points++) {
            p->label[p->points] = c;
            if (here == 0)
                continue; /* another rank's */
            p->member[p->points] = s->rows.members[s->rows.first[c] + j];
            memcpy(p->x + (size_t)p->points * (size_t)width, s->rows.rows[s->rows.first[c] + j],
                   (size_t)width * sizeof *p->x);
        }
    }
    elm_comm_sum_floats_all(s->in->comm, p->x, (int64_t)p->points * width);
    elm_comm_sum_counts_all(s->in->comm, p->member, p->points);
    return 0;
}

/* Begins with the training set's first two principal components; without them with two
 * coordinates. */
static void project(const elm_analysis_split *s, const elm_spectrum *spectrum, const plot *p)
{
    const int width = elm_net_width(s->in->net);
    for (int i = 0; i < p->points; i++)
        for (int a = 0; a < ELM_AXES && a < width; a++) {
            const float *x = p->x + (size_t)i * (size_t)width;
            double sum = spectrum->width == 0 ? (double)x[a] : 0;
            for (int k = 0; k < spectrum->width; k++)
                sum += (double)x[k] * spectrum->axes[(size_t)a * (size_t)width + (size_t)k];
            p->place[2 * i + a] = sum;
        }
    double mean[ELM_AXES] = {0};
    for (int i = 0; i < ELM_AXES * p->points; i++)
        mean[i % ELM_AXES] += p->place[i] / p->points;
    for (int i = 0; i < ELM_AXES * p->points; i++)
        p->place[i] -= mean[i % ELM_AXES];
}

static int arrange(const plot *p, int width, double *divergence, elm_error *err)
{
    const float **rows = elm_alloc((size_t)p->points, sizeof *rows, err);
    if (rows == NULL)
        return -1;
    for (int i = 0; i < p->points; i++)
        rows[i] = p->x + (size_t)i * (size_t)width;
    const elm_tsne_settings settings = {.perplexity = PERPLEXITY, .steps = TSNE_STEPS};
    const int status = elm_tsne(rows, p->points, width, settings, p->place, divergence, err);
    elm_free((void *)rows);
    return status;
}

int elm_tsne_write_all(const elm_analysis_split *s, const elm_spectrum *spectrum,
                       elm_table_file *file, elm_error *err)
{
    elm_comm *comm = s->in->comm;
    plot p = {0};
    int *chosen = elm_alloc(3 * (size_t)s->in->tsne_classes + 1, sizeof *chosen, err);
    const int count = chosen != NULL ? choose_classes(s, chosen, err) : -1;
    int status = elm_comm_agree_all(comm, count < 0 ? -1 : 0, err);
    if (status == 0)
        status = collect_all(s, chosen, count, &p, err);
    if (status == 0 && file != NULL && p.points >= 4) {
        project(s, spectrum, &p);
        status = arrange(&p, elm_net_width(s->in->net), &p.divergence, err);
        elm_table_file_array(file, "/tsne/place", ELM_TABLE_DOUBLE, p.points, 2, p.place);
        elm_table_file_array(file, "/tsne/label", ELM_TABLE_INT32, p.points, 0, p.label);
        elm_table_file_array(file, "/tsne/member", ELM_TABLE_INT64, p.points, 0, p.member);
        elm_table_file_number(file, "/tsne", "divergence", p.divergence);
        elm_table_file_number(file, "/tsne", "perplexity", PERPLEXITY);
    }
    status = elm_comm_agree_all(comm, status, err);
    release_plot(&p);
    elm_free(chosen);
    return status;
}
