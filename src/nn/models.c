/* The table of models. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nn/graph.h"

/* Longest prefix first: a name belongs to the first row that it begins with and whose variant fits. */
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
        snprintf(valid + used, sizeof valid - used, several ? "%s%s{%s}" : "%s%s%s", i ? ", " : "", models[i]->prefix, models[i]->variants);
    }
    elm_error_set(err, ELM_EXIT_USAGE, "unknown model \"%s\" (model.name): use one of %s", name, valid);
    return NULL;
}

int elm_net_check_name(const char *name, elm_error *err)
{
    const char *variant;
    return elm_model_find(name, &variant, err) ? 0 : -1;
}
