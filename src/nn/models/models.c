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
enum { MODELS = sizeof models / sizeof *models };

const elm_model *elm_model_find(const char *name, const char **variant, elm_error *err)
{
    char valid[512] = "";
    for (int i = 0; i < MODELS; i++) {
        const size_t length = strlen(models[i]->prefix);
        if (!strncmp(name, models[i]->prefix, length) && !models[i]->check(name + length)) {
            *variant = name + length;
            return models[i];
        }
        const size_t used = strlen(valid);
        const bool several = strchr(models[i]->variants, '|') != NULL;
        snprintf(valid + used, sizeof valid - used, several ? "%s%s{%s}" : "%s%s%s", i ? ", " : "",
                 models[i]->prefix, models[i]->variants);
    }
    elm_error_set(err, ELM_EXIT_USAGE, "unknown model \"%s\" (model.name): use one of %s", name,
                  valid);
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
