/* The table of models. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nn/graph.h"

/* Longest prefix first: a name belongs to the first row that it begins with and whose variant
 * fits. */
static const elm_model *const models[] = {
    &elm_model_cifar_resnet_menon,
    &elm_model_cifar_resnet,
    &elm_model_resnet,
    &elm_model_mlp,
};
enum { MODELS = sizeof models / sizeof *models, NAMES_MAX = 32 };

/* What may be given, and the names that can be written out: an mlp's widths are free. */
typedef struct name_list {
    char valid[512], names[NAMES_MAX][32];
    const char *pointers[NAMES_MAX];
    int count;
} name_list;

static void add_names(name_list *list, const elm_model *model)
{
    const char *variants = model->variants;
    const bool several = strchr(variants, '|') != NULL;
    const size_t used = strlen(list->valid);
    snprintf(list->valid + used, sizeof list->valid - used, several ? "%s%s{%s}" : "%s%s%s",
             used ? ", " : "", model->prefix, variants);
    while (*variants != '<' && list->count < NAMES_MAX) {
        const int length = (int)strcspn(variants, "|");
        char *name = list->names[list->count];
        snprintf(name, sizeof list->names[0], "%s%.*s", model->prefix, length, variants);
        list->pointers[list->count++] = name;
        variants += length;
        if (!*variants++)
            return;
    }
}

const elm_model *elm_model_find(const char *name, const char **variant, elm_error *err)
{
    name_list list = {0};
    for (int i = 0; i < MODELS; i++) {
        const size_t length = strlen(models[i]->prefix);
        if (!strncmp(name, models[i]->prefix, length) && !models[i]->check(name + length)) {
            *variant = name + length;
            return models[i];
        }
        add_names(&list, models[i]);
    }
    elm_error_unknown(
        err, &(elm_unknown){"model", name, "model.name", list.pointers, list.count, list.valid});
    return NULL;
}

int elm_graph_build(elm_graph *graph, const elm_net_spec *spec, elm_value **input,
                    elm_value **embeddings, elm_error *err)
{
    const char *variant;
    const elm_model *model = elm_model_find(spec->model->name, &variant, err);
    const elm_backend *backend = elm_backend_find(spec->backend, err);
    graph->format = spec->precision == ELM_PRECISION_BF16 ? ELM_BF16 : ELM_FP32;
    if (!model || !backend || backend->check_format(graph->format, err) ||
        backend->open(&graph->engine, graph->format, spec->layout, &graph->block, err))
        return -1;
    graph->backend = backend;
    graph->zero_init_gamma = spec->model->zero_init_gamma;
    *input = spec->features ? elm_graph_input(graph, spec->features, 1, 1)
                            : elm_graph_input(graph, spec->channels, spec->height, spec->width);
    return model->build(graph, variant, *input, embeddings, err);
}

const char *elm_net_name_for(int side, int features)
{
    enum { SMALL = 64 };
    return features > 0 ? "mlp:64,64" : side <= SMALL ? "cifar-resnet32" : "resnet18";
}

int elm_net_check_name(const char *name, elm_error *err)
{
    const char *variant;
    return elm_model_find(name, &variant, err) ? 0 : -1;
}
