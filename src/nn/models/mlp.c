/* Multilayer perceptron: "mlp:16,8,2" is three ReLU layers; the last one's output is the
 * embedding (ELM, section 2.3). */
#include <stdio.h>
#include <stdlib.h>

#include "nn/graph.h"

enum { WIDTH_MAX = 65536, DEPTH_MAX = 16 };

/* Reads the next width; NULL after the last, *width 0 when it is not a number in range. */
static const char *next_width(const char *text, int *width)
{
    char *end;
    const long value = strtol(text, &end, 10);
    *width =
        end != text && value >= 1 && value <= WIDTH_MAX && (*end == ',' || !*end) ? (int)value : 0;
    return *end == ',' ? end + 1 : NULL;
}

static int check(const char *variant)
{
    int depth = 0;
    for (const char *rest = variant; rest; depth++) {
        int width;
        rest = next_width(rest, &width);
        if (!width || depth == DEPTH_MAX)
            return -1;
    }
    return 0;
}

static int build(elm_graph *graph, const char *variant, elm_value *input, elm_value **embeddings,
                 elm_error *err)
{
    (void)err;
    elm_value *x = input;
    x->channels *= x->height * x->width; /* an image is read as one long vector */
    x->height = x->width = 1;
    int depth = 0;
    for (const char *rest = variant; rest; depth++) {
        int width;
        char name[ELM_NAME_SIZE];
        rest = next_width(rest, &width);
        snprintf(name, sizeof name, "hidden%d", depth);
        x = elm_graph_linear(graph, x, name, width, true);
    }
    *embeddings = x;
    graph->classifier_init = ELM_INIT_UNIFORM;
    graph->classifier_bias_init = ELM_INIT_ZERO;
    return 0;
}

const elm_model elm_model_mlp = {"mlp:", "<width>,<width>,...",
                                 "ReLU layers of these widths; the last is the embedding", build,
                                 check};
