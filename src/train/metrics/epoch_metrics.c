#include "train/metrics/epoch_metrics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"

typedef struct field {
    const char *name;
    size_t offset;
} field;

#define ROW(name, member)                                                                          \
    {                                                                                              \
        name, offsetof(elm_epoch_metrics, member)                                                  \
    }
static const field columns_of[] = {
    ROW("epoch", epoch),
    ROW("step", step),
    ROW("lr", lr),
    ROW("loss", loss),
    ROW("logit_loss", logit_loss),
    ROW("embed_loss", embed_loss),
    ROW("train_accuracy", train_accuracy),
    ROW("positives_head", positives[0]),
    ROW("positives_torso", positives[1]),
    ROW("positives_tail", positives[2]),
    ROW("embed_gradient_head", embed_gradient[0]),
    ROW("embed_gradient_torso", embed_gradient[1]),
    ROW("embed_gradient_tail", embed_gradient[2]),
    ROW("images_per_s", images_per_s),
    ROW("seconds", seconds),
    ROW("input_wait", input_wait),
    ROW("absent_images", unreadable),
    ROW("test_balanced_accuracy", test.balanced_accuracy),
    ROW("test_accuracy", test.accuracy),
    ROW("test_head", test.group[0]),
    ROW("test_torso", test.group[1]),
    ROW("test_tail", test.group[2]),
    ROW("holdout_balanced_accuracy", holdout.balanced_accuracy),
    ROW("holdout_accuracy", holdout.accuracy),
    ROW("holdout_head", holdout.group[0]),
    ROW("holdout_torso", holdout.group[1]),
    ROW("holdout_tail", holdout.group[2]),
    ROW("bank_head", bank[0]),
    ROW("bank_torso", bank[1]),
    ROW("bank_tail", bank[2]),
    ROW("bank_drift", bank_drift),
};
enum {
    COLUMNS = sizeof columns_of / sizeof *columns_of,
    BANK_COLUMNS = 4 /* the last, only in metrics.csv of runs with a bank */
};

#define SUM(name, member)                                                                          \
    {                                                                                              \
        "epoch_" name, offsetof(elm_epoch_sums, member)                                            \
    }
/* in the order of checkpoints */
static const field sums_of[] = {
    SUM("images", images),
    SUM("correct", figures.correct),
    SUM("loss", figures.loss),
    SUM("logit_loss", figures.logit_loss),
    SUM("embed_loss", figures.embed_loss),
    SUM("anchors_head", figures.anchors[0]),
    SUM("anchors_torso", figures.anchors[1]),
    SUM("anchors_tail", figures.anchors[2]),
    SUM("with_positive_head", figures.with_positive[0]),
    SUM("with_positive_torso", figures.with_positive[1]),
    SUM("with_positive_tail", figures.with_positive[2]),
    SUM("seconds", seconds),
    SUM("waited", waited),
    SUM("absent", figures.unreadable),
    SUM("banked", banked),
    SUM("with_bank_head", figures.with_bank[0]),
    SUM("with_bank_torso", figures.with_bank[1]),
    SUM("with_bank_tail", figures.with_bank[2]),
    SUM("drift", figures.drift),
    SUM("spread", figures.spread),
    SUM("embed_gradient_head", figures.embed_gradient[0]),
    SUM("embed_gradient_torso", figures.embed_gradient[1]),
    SUM("embed_gradient_tail", figures.embed_gradient[2]),
    SUM("gradient_head", figures.gradient[0]),
    SUM("gradient_torso", figures.gradient[1]),
    SUM("gradient_tail", figures.gradient[2]),
};
_Static_assert(sizeof sums_of / sizeof *sums_of == ELM_EPOCH_SUMS, "a row for every sum");

static double *at(const field *f, const void *record)
{
    return (double *)((char *)record + f->offset);
}

void elm_epoch_sums_add(elm_epoch_sums *sums, const elm_step_report *report, double seconds)
{
    const double *figure = (const double *)&report->figures, images = (double)report->images;
    double *sum = (double *)&sums->figures;
    for (int f = 0; f < ELM_STEP_FIGURES; f++)
        sum[f] += f < ELM_STEP_LOSSES ? images * figure[f] : figure[f];
    sums->images += images;
    sums->seconds += seconds;
    sums->waited += report->seconds[ELM_PHASE_INPUT];
    sums->banked += report->banked;
}

elm_epoch_metrics elm_epoch_metrics_of(const elm_epoch_sums *sums, elm_step_place place)
{
    const elm_step_figures *of = &sums->figures;
    elm_epoch_metrics row = {
        .epoch = place.epoch,
        .step = (double)place.step,
        .lr = place.lr,
        .loss = of->loss / sums->images,
        .logit_loss = of->logit_loss / sums->images,
        .embed_loss = of->embed_loss / sums->images,
        .train_accuracy = of->correct / sums->images,
        .images_per_s = sums->images / sums->seconds,
        .seconds = sums->seconds,
        .input_wait = sums->waited / sums->seconds,
        .bank_drift = of->spread > 0 ? of->drift / of->spread : NAN,
        .unreadable = of->unreadable,
        .test = {NAN, NAN, {NAN, NAN, NAN}},
        .holdout = {NAN, NAN, {NAN, NAN, NAN}},
    };
    for (int g = 0; g < 3; g++) {
        row.positives[g] = of->anchors[g] > 0 ? of->with_positive[g] / of->anchors[g] : NAN;
        row.embed_gradient[g] = of->gradient[g] > 0 ? of->embed_gradient[g] / of->gradient[g] : NAN;
        row.bank[g] =
            sums->banked > 0 && of->anchors[g] > 0 ? of->with_bank[g] / of->anchors[g] : NAN;
    }
    return row;
}

elm_split_metrics elm_split_metrics_of(const elm_metrics *metrics)
{
    elm_split_metrics row = {.balanced_accuracy = metrics->balanced_accuracy,
                             .accuracy = metrics->accuracy};
    memcpy(row.group, metrics->group, sizeof row.group);
    return row;
}

const char *elm_epoch_metrics_column(const elm_epoch_metrics *row, int i, double *value)
{
    if (i >= COLUMNS)
        return NULL;
    *value = *at(&columns_of[i], row);
    return columns_of[i].name;
}

int elm_history_append(elm_history *history, const elm_epoch_metrics *row, elm_error *err)
{
    if (history->count == history->capacity) {
        const int64_t capacity = history->capacity ? 2 * history->capacity : 64;
        elm_epoch_metrics *rows = elm_alloc((size_t)capacity, sizeof *rows, err);
        if (!rows)
            return -1;
        if (history->count)
            memcpy(rows, history->rows, (size_t)history->count * sizeof *rows);
        elm_free(history->rows);
        history->rows = rows;
        history->capacity = capacity;
    }
    history->rows[history->count++] = *row;
    return 0;
}

void elm_history_free(elm_history *history)
{
    elm_free(history->rows);
    *history = (elm_history){0};
}

static bool has_bank(const elm_history *history)
{
    for (int64_t r = 0; r < history->count; r++)
        for (int g = 0; g < 3; g++)
            if (isfinite(history->rows[r].bank[g]))
                return true;
    return false;
}

static void print_csv(const elm_history *history, FILE *file)
{
    const int columns = has_bank(history) ? COLUMNS : COLUMNS - BANK_COLUMNS;
    for (int c = 0; c < columns; c++)
        fprintf(file, "%s%s", c ? "," : "", columns_of[c].name);
    fputc('\n', file);
    for (int64_t r = 0; r < history->count; r++) {
        for (int c = 0; c < columns; c++) {
            const double value = *at(&columns_of[c], &history->rows[r]);
            /* an empty cell: not measured */
            fprintf(file, isfinite(value) ? "%s%.10g" : "%s", c ? "," : "", value);
        }
        fputc('\n', file);
    }
}

int elm_history_put_csv(elm_output *output, const void *context, elm_error *err)
{
    (void)err;
    FILE *file = elm_output_stream(output);
    if (file)
        print_csv(context, file);
    return 0;
}

/* The first row with the largest value of a column; NULL where it was never measured. */
static const elm_epoch_metrics *largest(const elm_history *history, size_t offset)
{
    const field column = {NULL, offset};
    const elm_epoch_metrics *best = NULL;
    for (int64_t r = 0; r < history->count; r++) {
        const elm_epoch_metrics *row = &history->rows[r];
        if (isfinite(*at(&column, row)) && (!best || *at(&column, row) > *at(&column, best)))
            best = row;
    }
    return best;
}

const elm_epoch_metrics *elm_history_best(const elm_history *history)
{
    return largest(history, offsetof(elm_epoch_metrics, test.balanced_accuracy));
}

const elm_epoch_metrics *elm_history_best_held_out(const elm_history *history)
{
    return largest(history, offsetof(elm_epoch_metrics, holdout.balanced_accuracy));
}

void elm_history_columns_free(elm_history_column *columns, int count)
{
    for (int c = 0; columns && c < count; c++)
        elm_free((double *)columns[c].values);
    elm_free(columns);
}

int elm_history_columns(const elm_history *history, elm_history_column **out, int *count,
                        elm_error *err)
{
    elm_history_column *columns = elm_alloc(COLUMNS, sizeof *columns, err);
    for (int c = 0; columns && c < COLUMNS; c++) {
        double *values = elm_alloc((size_t)history->count, sizeof *values, err);
        if (!values) {
            elm_history_columns_free(columns, COLUMNS);
            return -1;
        }
        for (int64_t r = 0; r < history->count; r++)
            values[r] = *at(&columns_of[c], &history->rows[r]);
        snprintf(columns[c].name, sizeof columns[c].name, "%s", columns_of[c].name);
        columns[c].count = history->count;
        columns[c].values = values;
    }
    *out = columns;
    *count = COLUMNS;
    return columns ? 0 : -1;
}

int elm_history_from_checkpoint(elm_history *history, const elm_checkpoint *checkpoint,
                                elm_error *err)
{
    const elm_history_column *epochs = elm_checkpoint_history(checkpoint, columns_of[0].name);
    for (int64_t r = 0; epochs && r < epochs->count; r++) {
        elm_epoch_metrics row;
        for (int c = 0; c < COLUMNS; c++) {
            const elm_history_column *column =
                elm_checkpoint_history(checkpoint, columns_of[c].name);
            *at(&columns_of[c], &row) = column && r < column->count ? column->values[r] : NAN;
        }
        if (elm_history_append(history, &row, err))
            return -1;
    }
    return 0;
}

void elm_epoch_sums_export(const elm_epoch_sums *sums, elm_progress_value *values)
{
    for (int s = 0; s < ELM_EPOCH_SUMS; s++) {
        snprintf(values[s].name, sizeof values[s].name, "%s", sums_of[s].name);
        values[s].value = *at(&sums_of[s], sums);
    }
}

void elm_epoch_sums_import(elm_epoch_sums *sums, const elm_checkpoint *checkpoint)
{
    for (int s = 0; s < ELM_EPOCH_SUMS; s++)
        *at(&sums_of[s], sums) = elm_checkpoint_progress(checkpoint, sums_of[s].name, 0);
}
