#include "elmpi/choice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/graph.h"

/* In order of preference: fp32 before bf16, blocks, which most kernels are written for, before
 * channels last, a library with kernels of its own before im2col. `asked`: only where the job
 * names the layout. */
static const struct row {
    const char *backend;
    elm_layout layout;
    elm_precision precision;
    bool asked;
} rows[] = {
    {"onednn", ELM_LAYOUT_BLOCKED, ELM_PRECISION_FP32, false},
    {"onednn", ELM_LAYOUT_NHWC, ELM_PRECISION_FP32, false},
    {"onednn", ELM_LAYOUT_NCHW, ELM_PRECISION_FP32, true},
    {"onednn", ELM_LAYOUT_BLOCKED, ELM_PRECISION_BF16, false},
    {"onednn", ELM_LAYOUT_NHWC, ELM_PRECISION_BF16, false},
    {"onednn", ELM_LAYOUT_NCHW, ELM_PRECISION_BF16, true},
    {"openblas", ELM_LAYOUT_NCHW, ELM_PRECISION_FP32, false},
};

/* How much quicker than a preferred candidate another has to be: more than timings of one thing
 * differ, and too small to matter. */
static const double clear_win = 1.04;

bool elm_choice_can(const elm_candidate *candidate)
{
    const elm_backend *backend = elm_backend_find(candidate->backend, NULL);
    return backend &&
           backend->check_format(candidate->precision == ELM_PRECISION_BF16 ? ELM_BF16 : ELM_FP32,
                                 NULL) == 0;
}

int elm_choice_list(const elm_choice_request *request, elm_candidate list[ELM_CANDIDATES_MAX],
                    int *count, elm_error *err)
{
    const bool any_backend = strcmp(request->backend, "auto") == 0;
    *count = 0;
    if (!elm_backend_find(request->backend, err))
        return -1;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct row *row = &rows[r];
        const bool layout_fits =
            request->layout == ELM_LAYOUT_AUTO ? !row->asked : request->layout == row->layout;
        const bool precision_fits =
            request->precision == ELM_PRECISION_AUTO || request->precision == row->precision;
        const bool backend_fits = any_backend ? elm_backend_find(row->backend, NULL) != NULL
                                              : !strcmp(request->backend, row->backend);
        if (!layout_fits || !precision_fits || !backend_fits)
            continue;
        elm_candidate *c = &list[(*count)++];
        *c = (elm_candidate){
            .backend = row->backend, .layout = row->layout, .precision = row->precision};
        c->seconds = elm_choice_can(c) ? 0 : INFINITY;
    }
    if (*count)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "nothing computes in layout %s and precision %s with backend %s "
                         "(run.layout, run.precision, run.backend): over "
                         "OpenBLAS use run.layout = nchw or auto and run.precision = fp32 or auto, "
                         "over oneDNN anything",
                         elm_layout_names[request->layout], elm_precision_names[request->precision],
                         request->backend);
}

const char *elm_choice_text(const elm_candidate *candidate, char text[ELM_CANDIDATE_TEXT_SIZE])
{
    snprintf(text, ELM_CANDIDATE_TEXT_SIZE, "%s %s %s", candidate->backend,
             elm_layout_names[candidate->layout], elm_precision_names[candidate->precision]);
    return text;
}

int elm_choice_pick(const elm_candidate *list, int count)
{
    double quickest = INFINITY;
    for (int c = 0; c < count; c++)
        if (!list[c].cut && list[c].seconds < quickest)
            quickest = list[c].seconds;
    for (int c = 0; c < count; c++)
        if (!list[c].cut && list[c].seconds <= clear_win * quickest && isfinite(list[c].seconds))
            return c;
    return 0;
}

elm_layout elm_choice_layout_before(const char *backend, elm_precision precision)
{
    const elm_backend *b = elm_backend_find(backend, NULL);
    void *engine = NULL;
    int block = 1;
    if (!b || b->open(&engine, precision == ELM_PRECISION_BF16 ? ELM_BF16 : ELM_FP32,
                      ELM_LAYOUT_AUTO, &block, NULL))
        return ELM_LAYOUT_NCHW;
    b->close(engine);
    return block == 1 ? ELM_LAYOUT_NCHW : ELM_LAYOUT_BLOCKED;
}
