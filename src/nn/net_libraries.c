/* The libraries that compute a network: which can be had, in which precision, and their names. */
#include <stdio.h>
#include <string.h>

#include "nn/net_state.h"

int elm_net_resolve_precision(elm_precision precision, const char *backend, elm_precision *resolved,
                              elm_error *err)
{
    const elm_backend *b = elm_backend_find(backend, err);
    const bool automatic = precision == ELM_PRECISION_AUTO;
    if (!b)
        return -1;
    *resolved = precision == ELM_PRECISION_FP32 ? ELM_PRECISION_FP32 : ELM_PRECISION_BF16;
    if (*resolved == ELM_PRECISION_FP32 || !b->check_format(ELM_BF16, automatic ? NULL : err))
        return 0;
    *resolved = ELM_PRECISION_FP32;
    return automatic ? 0 : -1;
}

const char *elm_net_resolve_backend(const char *name, elm_error *err)
{
    const elm_backend *backend = elm_backend_find(name, err);
    return backend ? backend->name : NULL;
}

/* OpenBLAS has a part in every network: the last layer. */
void elm_net_describe(const elm_net *net, char *text, size_t size_bytes)
{
    char own[ELM_VERSION_SIZE], openblas[ELM_VERSION_SIZE];
    const bool both = net->graph.backend != &elm_backend_openblas;
    snprintf(text, size_bytes, "%s%s%s", both ? net->graph.backend->version(own) : "",
             both ? ", " : "", elm_backend_openblas.version(openblas));
}

void elm_net_cpu_names(char *onednn, size_t onednn_bytes, char *openblas, size_t openblas_bytes)
{
    const elm_backend *fastest = elm_backend_find("auto", NULL);
    snprintf(onednn, onednn_bytes, "%s", fastest != &elm_backend_openblas ? fastest->cpu() : "");
    snprintf(openblas, openblas_bytes, "%s", elm_backend_openblas.cpu());
}

void elm_net_cpu(char *text, size_t size_bytes)
{
    char onednn[ELM_VERSION_SIZE], openblas[ELM_VERSION_SIZE];
    elm_net_cpu_names(onednn, sizeof onednn, openblas, sizeof openblas);
    snprintf(text, size_bytes, "%s%s%sOpenBLAS for %s", *onednn ? "oneDNN for " : "", onednn,
             *onednn ? ", " : "", openblas);
}

void elm_net_implementation(const elm_net *net, char *text, size_t size_bytes)
{
    char name[ELM_VERSION_SIZE], other[ELM_VERSION_SIZE];
    double most = 0;
    snprintf(text, size_bytes, "%s", "");
    for (int l = 0; l < net->graph.layer_count; l++) {
        const elm_layer *layer = &net->graph.layers[l];
        if (layer->kind != &elm_conv_layer)
            continue;
        layer->backend->implementation(layer->own, name);
        double flops = 0;
        for (int o = 0; o < net->graph.layer_count; o++) {
            const elm_layer *like = &net->graph.layers[o];
            if (like->kind == &elm_conv_layer &&
                !strcmp(like->backend->implementation(like->own, other), name))
                flops += like->flops;
        }
        if (flops > most)
            snprintf(text, size_bytes, "%s", name);
        most = flops > most ? flops : most;
    }
}

int elm_net_check_backend(const char *name, elm_error *err)
{
    return elm_backend_find(name, err) ? 0 : -1;
}
