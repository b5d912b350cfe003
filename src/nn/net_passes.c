/* A network's passes: forward to the embeddings and to the logits, and backward. */
#include <string.h>

#include "nn/layers/linear_gemm.h"
#include "nn/net_state.h"

static void begin_pass(elm_net *net, elm_partition share, bool training)
{
    elm_pass *pass = &net->pass;
    *pass = (elm_pass){.images = share.local,
                       .training = training,
                       .segments = net->segments,
                       .share = share,
                       .reducer = &net->reducer};
    if (training) {
        pass->segment_count = elm_norm_scope_segments(net->scope, share, net->segments,
                                                      net->shared_groups, &pass->shared_count);
        return;
    }
    net->segments[0] = (elm_segment){0, share.local, -1};
    pass->segment_count = 1;
}

/* Runs one of the layer's functions and records it in the timeline. */
static void run_layer(const elm_net *net, elm_layer *layer,
                      void (*run)(elm_layer *layer, const elm_pass *pass), const char *part,
                      int passes)
{
    const double begin = elm_timeline_now(net->timeline);
    run(layer, &net->pass);
    const double images = net->pass.images;
    const double bytes =
        images * (double)(elm_value_image(layer->output) * elm_format_size(layer->output->format));
    elm_timeline_add(
        net->timeline,
        (elm_event){.name = layer->kind->name,
                    .part = part,
                    .begin = begin,
                    .end = elm_timeline_now(net->timeline),
                    .flops = images * layer->flops,
                    .bytes = passes ? (passes + (layer->residual != NULL)) * bytes : 0});
}

const float *elm_net_embed_all(elm_net *net, const float *input, elm_partition share, bool training)
{
    begin_pass(net, share, training && elm_net_backbone_learns(net));
    net->input->data = net->input->recalled = (float *)input; /* layers only read it */
    for (int l = 0; l < net->graph.layer_count; l++) {
        elm_layer *layer = &net->graph.layers[l];
        if (share.local || layer->kind->collective)
            run_layer(net, layer, layer->kind->forward, "forward", layer->kind->passes.forward);
    }
    return net->embeddings->data;
}

static void scale_logits(elm_net *net)
{
    const float *scale = net->graph.parameters[net->fc_scale].data;
    const size_t classes = net->classes, count = net->pass.images * classes;
    memcpy(net->unscaled, net->logits, count * sizeof *net->logits);
    for (size_t i = 0; i < count; i++)
        net->logits[i] = scale[i % classes] * net->unscaled[i];
}

/* One sum over the images for each class, in their order. */
static void scale_gradient(elm_net *net)
{
    float *gradient = net->gradients + net->graph.parameters[net->fc_scale].offset;
    for (int c = 0; c < net->classes; c++) {
        double sum = 0;
        for (int i = 0; i < net->pass.images; i++)
            sum += (double)net->logits_gradient[(size_t)i * net->classes + c] *
                   net->unscaled[(size_t)i * net->classes + c];
        gradient[c] = (float)sum;
    }
}

const float *elm_net_classify(elm_net *net)
{
    const size_t images = net->pass.images, width = net->embeddings->channels;
    const float *weight = net->graph.parameters[net->fc_weight].data;
    if (net->cosine)
        elm_cosine_forward(net->cosine, net->embeddings->data, weight, net->logits, (int)images);
    else
        elm_linear_forward(net->embeddings->data, weight, net->graph.parameters[net->fc_bias].data,
                           net->logits, (int)images, (int)width, net->classes);
    if (net->fc_scale >= 0)
        scale_logits(net);
    memset(net->logits_gradient, 0, images * net->classes * sizeof *net->logits_gradient);
    memset(net->embeddings_gradient, 0, images * width * sizeof *net->embeddings_gradient);
    return net->logits;
}

float *elm_net_logits_gradient(elm_net *net)
{
    return net->logits_gradient;
}

float *elm_net_embeddings_gradient(elm_net *net)
{
    return net->embeddings_gradient;
}

static void classifier_backward(elm_net *net)
{
    const elm_tensor *weight = &net->graph.parameters[net->fc_weight];
    float *weight_gradient = net->gradients + weight->offset;
    const int images = net->pass.images, width = net->embeddings->channels;
    if (net->cosine) {
        elm_cosine_backward(net->cosine, net->logits_gradient, weight_gradient,
                            net->embeddings_gradient, images);
        return;
    }
    elm_linear_weight_gradients(net->embeddings->data, net->logits_gradient, weight_gradient,
                                net->gradients + net->graph.parameters[net->fc_bias].offset, images,
                                width, net->classes);
    elm_linear_data_gradient(net->logits_gradient, weight->data, net->embeddings_gradient, images,
                             width, net->classes, 1);
}

/* Calls the hooks: gradients from the layer's first parameter on are final; MPI is polled. */
static void announce(const elm_net *net, const elm_backward_hooks *watch, int first_parameter)
{
    if (!watch)
        return;
    if (first_parameter >= 0)
        watch->gradients_final(watch->context, net->graph.parameters[first_parameter].offset);
    watch->poll(watch->context);
}

static void backward_layer(const elm_net *net, elm_layer *layer, const elm_backward_hooks *watch)
{
    const elm_layer_kind *kind = layer->kind;
    const bool called = net->pass.images || kind->collective;
    if (called)
        run_layer(net, layer, kind->backward, kind->backward_input ? "weights" : "backward",
                  kind->passes.backward);
    announce(net, watch, layer->parameter_count ? layer->parameter[0] : -1);
    if (called && kind->backward_input && layer->input_gradient)
        run_layer(net, layer, kind->backward_input, "data", 0);
}

void elm_net_backward_all(elm_net *net, const elm_backward_hooks *watch)
{
    const elm_pass *pass = &net->pass;
    if (net->train == ELM_TRAIN_SCALE) {
        scale_gradient(net);
        announce(net, watch, net->fc_scale);
        return;
    }
    if (!pass->images) /* layers that are not called leave no gradient */
        memset(net->gradients, 0, (size_t)net->size * sizeof *net->gradients);
    classifier_backward(net);
    announce(net, watch, net->fc_weight);
    if (!elm_net_backbone_learns(net))
        return;
    for (int l = net->graph.layer_count - 1, r = 0; l >= 0; l--) {
        elm_layer *layer = &net->graph.layers[l];
        for (; r < net->plan->rebuild_count && net->plan->rebuilds[r].before == l; r++) {
            elm_layer *producer = &net->graph.layers[net->plan->rebuilds[r].layer];
            run_layer(net, producer, producer->kind->rebuild, "rebuild",
                      producer->kind->passes.rebuild);
        }
        backward_layer(net, layer, watch);
    }
}
