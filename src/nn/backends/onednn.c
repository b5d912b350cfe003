/* oneDNN's convolutions in its own blocked layouts and in channels last. What differs between
 * oneDNN's versions is in onednn_api.c.
 *
 * A primitive is bound to one number of images. Training meets few of them (a full share, the
 * epoch's last batch, evaluation), so each convolution keeps a short list of programs, made when
 * a number of images is first seen. */
#include <stdio.h>

#include "elmpi/memory.h"
#include "nn/backends/onednn_parts.h"

static dnnl_status_t make_reorder(dnnl_primitive_t *reorder, dnnl_engine_t on,
                                  onednn_const_layout from, onednn_const_layout to)
{
    dnnl_primitive_desc_t pd;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, from, on, to, on, NULL);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_create(reorder, pd);
    dnnl_primitive_desc_destroy(pd);
    return status;
}

/* A memory object in `layout` for the engine's scratch, which grows to hold it. */
static dnnl_status_t make_in_scratch(const onednn_convolution *c, onednn_const_layout layout,
                                     dnnl_memory_t *memory)
{
    onednn_engine *e = c->engine;
    const size_t bytes = dnnl_memory_desc_get_size(layout);
    if (bytes > e->scratch_bytes) {
        elm_free(e->scratch);
        e->scratch = elm_alloc(1, bytes, NULL);
        e->scratch_bytes = e->scratch ? bytes : 0;
        if (!e->scratch)
            return dnnl_out_of_memory;
    }
    return dnnl_memory_create(memory, layout, e->engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t make_weights(onednn_convolution *c)
{
    dnnl_engine_t on = c->engine->engine;
    dnnl_status_t status =
        onednn_make_weight_layout(&c->plain_layout, &c->shape, ELM_FP32, dnnl_oihw);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->plain, c->plain_layout, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success && !c->shape.folded)
        status = dnnl_memory_create(&c->plain_gradient, c->plain_layout, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = (c->packed = elm_alloc(1, dnnl_memory_desc_get_size(c->forward_layout), NULL))
                     ? dnnl_success
                     : dnnl_out_of_memory;
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->forward_weights, c->forward_layout, on, c->packed);
    if (status == dnnl_success && !c->shape.folded)
        status = make_in_scratch(c, c->weights_layout, &c->weights_gradient);
    if (status == dnnl_success)
        status = make_reorder(&c->pack_forward, on, c->plain_layout, c->forward_layout);
    if (status == dnnl_success && !c->shape.folded)
        status = make_reorder(&c->unpack_gradient, on, c->weights_layout, c->plain_layout);
    if (status == dnnl_success && c->shape.data_gradient)
        status = make_in_scratch(c, c->data_layout, &c->data_weights);
    if (status == dnnl_success && c->shape.data_gradient)
        status = make_reorder(&c->pack_data, on, c->plain_layout, c->data_layout);
    return status;
}

static void conv_destroy(void *opaque)
{
    onednn_convolution *c = opaque;
    if (!c)
        return;
    for (int i = 0; i < c->program_count; i++)
        onednn_program_destroy(&c->programs[i]);
    dnnl_primitive_t primitives[] = {c->pack_forward, c->pack_data, c->unpack_gradient};
    for (int i = 0; i < 3; i++)
        if (primitives[i])
            dnnl_primitive_destroy(primitives[i]);
    dnnl_memory_t memories[] = {c->plain,        c->plain_gradient,   c->forward_weights,
                                c->data_weights, c->weights_gradient, c->bias};
    for (int i = 0; i < 6; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    onednn_layout layouts[] = {c->plain_layout, c->forward_layout, c->data_layout,
                               c->weights_layout};
    for (int i = 0; i < 4; i++)
        onednn_layout_destroy(layouts[i]);
    elm_free(c->packed);
    elm_free(c);
}

static int conv_create(void **opaque, void *e, const elm_conv_shape *shape, int max_images,
                       elm_error *err)
{
    onednn_convolution *c = elm_alloc(1, sizeof *c, err);
    if (!c)
        return -1;
    c->engine = e;
    c->shape = *shape;
    dnnl_status_t status = onednn_program_add(c, max_images);
    if (status == dnnl_success)
        status = make_weights(c);
    if (status != dnnl_success) {
        conv_destroy(c);
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "oneDNN refuses a convolution: %s (%d -> %d channels, kernel %d, %d "
                             "images): use run.backend = openblas",
                             onednn_status_text(status), shape->in_channels, shape->out_channels,
                             shape->kernel, max_images);
    }
    *opaque = c;
    return 0;
}

/* Points a memory object at the caller's data. */
static dnnl_memory_t at(dnnl_memory_t memory, const void *data)
{
    onednn_must(dnnl_memory_set_data_handle(memory, (void *)data), "data handle");
    return memory;
}

static void run(const onednn_convolution *c, dnnl_primitive_t primitive, int count,
                const dnnl_exec_arg_t *arguments, const char *what)
{
    onednn_must(dnnl_primitive_execute(primitive, c->engine->stream, count, arguments), what);
    onednn_must(dnnl_stream_wait(c->engine->stream), what);
}

static void conv_pack(void *opaque, const float *weights)
{
    onednn_convolution *c = opaque;
    at(c->plain, weights);
    run(c, c->pack_forward, 2,
        (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, c->plain}, {DNNL_ARG_TO, c->forward_weights}},
        "packing weights");
}

static void conv_forward(void *opaque, int images, const void *x, void *y)
{
    onednn_convolution *c = opaque;
    const onednn_program *p = onednn_program_for(c, images);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, at(p->x, x)},
                                         {DNNL_ARG_WEIGHTS, c->forward_weights},
                                         {DNNL_ARG_DST, at(p->y, y)}};
    run(c, p->forward, 3, arguments, "convolution forward");
}

static void conv_forward_folded(void *opaque, int images, const void *x, const float *bias,
                                const void *residual, void *y)
{
    onednn_convolution *c = opaque;
    const onednn_program *p = onednn_program_for(c, images);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, at(p->x, x)},
                                         {DNNL_ARG_WEIGHTS, c->forward_weights},
                                         {DNNL_ARG_BIAS, at(c->bias, bias)},
                                         {DNNL_ARG_DST, at(p->y, y)},
                                         {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                                          residual ? at(p->residual, residual) : NULL}};
    run(c, p->forward, residual ? 5 : 4, arguments, "convolution forward");
}

/* The data gradient wants the weights in another layout than the forward pass. Packing them here
 * instead of in conv_pack costs the same, since weights change between any two of training's
 * backward passes, and saves a copy of all weights. */
static void conv_backward_data(void *opaque, int images, const void *dy, void *dx)
{
    onednn_convolution *c = opaque;
    const onednn_program *p = onednn_program_for(c, images);
    at(c->data_weights, c->engine->scratch);
    run(c, c->pack_data, 2,
        (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, c->plain}, {DNNL_ARG_TO, c->data_weights}},
        "packing weights");
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_DIFF_DST, at(p->y, dy)},
                                         {DNNL_ARG_WEIGHTS, c->data_weights},
                                         {DNNL_ARG_DIFF_SRC, at(p->x, dx)}};
    run(c, p->data, 3, arguments, "convolution data gradient");
}

static void conv_backward_weights(void *opaque, int images, const void *x, const void *dy,
                                  float *dw)
{
    onednn_convolution *c = opaque;
    const onednn_program *p = onednn_program_for(c, images);
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, at(p->x, x)},
        {DNNL_ARG_DIFF_DST, at(p->y, dy)},
        {DNNL_ARG_DIFF_WEIGHTS, at(c->weights_gradient, c->engine->scratch)}};
    run(c, p->weights, 3, arguments, "convolution weight gradient");
    at(c->plain_gradient, dw);
    run(c, c->unpack_gradient, 2,
        (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, c->weights_gradient}, {DNNL_ARG_TO, c->plain_gradient}},
        "unpacking weight gradients");
}

static const char *implementation_of(dnnl_primitive_t primitive)
{
    const_dnnl_primitive_desc_t made;
    const char *text = NULL;
    if (!primitive || dnnl_primitive_get_primitive_desc(primitive, &made) != dnnl_success ||
        dnnl_primitive_desc_query(made, dnnl_query_impl_info_str, 0, &text) != dnnl_success)
        return NULL;
    return text;
}

static const char *implementation(void *opaque, char text[ELM_VERSION_SIZE])
{
    const onednn_convolution *c = opaque;
    const onednn_program *p = &c->programs[0];
    const dnnl_primitive_t primitives[] = {p->forward, p->data, p->weights};
    size_t used = 0;
    *text = '\0';
    for (int i = 0; i < 3; i++) {
        const char *name = implementation_of(primitives[i]);
        if (name && used < ELM_VERSION_SIZE)
            used += (size_t)snprintf(text + used, ELM_VERSION_SIZE - used, "%s%s", used ? ", " : "",
                                     name);
    }
    return text;
}

const elm_backend elm_backend_onednn = {
    .name = "onednn",
    .version = onednn_engine_version,
    .cpu = onednn_engine_cpu,
    .check_format = onednn_check_format,
    .open = onednn_engine_open,
    .close = onednn_engine_close,
    .create = conv_create,
    .destroy = conv_destroy,
    .pack = conv_pack,
    .forward = conv_forward,
    .forward_folded = conv_forward_folded,
    .backward_data = conv_backward_data,
    .backward_weights = conv_backward_weights,
    .implementation = implementation,
};
