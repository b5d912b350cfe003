/* A convolution's primitives for one number of images. */
#include "nn/backends/onednn_parts.h"

static dnnl_format_tag_t activation_tag(int block, bool channels_last)
{
    return channels_last ? dnnl_nhwc
           : block == 16 ? dnnl_nChw16c
           : block == 8  ? dnnl_nChw8c
                         : dnnl_nchw;
}

static dnnl_status_t make_activations(onednn_layout *layout, const elm_conv_shape *s, int images,
                                      int channels, int height, int width, int block)
{
    const dnnl_dims_t dims = {images, channels, height, width};
    return onednn_layout_create(layout, dims, onednn_type_of(s->format),
                                activation_tag(block, s->channels_last));
}

dnnl_status_t onednn_make_weight_layout(onednn_layout *layout, const elm_conv_shape *s,
                                        elm_format format, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {s->out_channels, s->in_channels, s->kernel, s->kernel};
    return onednn_layout_create(layout, dims, onednn_type_of(format), tag);
}

/* Everything a convolution's three primitives are described by. */
typedef struct description {
    onednn_layout x, y, forward, data, weights, bias;
    dnnl_primitive_attr_t attributes; /* folded */
    dnnl_primitive_desc_t forward_pd, data_pd, weights_pd;
} description;

static void description_destroy(description *d)
{
    dnnl_primitive_desc_t all[] = {d->weights_pd, d->data_pd, d->forward_pd};
    for (int i = 0; i < 3; i++)
        if (all[i])
            dnnl_primitive_desc_destroy(all[i]);
    onednn_layout layouts[] = {d->x, d->y, d->forward, d->data, d->weights, d->bias};
    for (int i = 0; i < 6; i++)
        onednn_layout_destroy(layouts[i]);
    if (d->attributes)
        dnnl_primitive_attr_destroy(d->attributes);
}

/* The layout chosen before, or whatever oneDNN likes best. */
static dnnl_status_t weights_for(const onednn_convolution *c, onednn_const_layout chosen,
                                 elm_format format, onednn_layout *layout)
{
    return c->fixed ? onednn_layout_copy(layout, chosen)
                    : onednn_make_weight_layout(layout, &c->shape, format, dnnl_format_tag_any);
}

static dnnl_status_t describe_layouts(const onednn_convolution *c, int images, description *d)
{
    const elm_conv_shape *s = &c->shape;
    dnnl_status_t status =
        make_activations(&d->x, s, images, s->in_channels, s->in_height, s->in_width, s->in_block);
    if (status == dnnl_success)
        status = make_activations(&d->y, s, images, s->out_channels, s->out_height, s->out_width,
                                  s->out_block);
    if (status == dnnl_success)
        status = weights_for(c, c->forward_layout, s->format, &d->forward);
    if (status == dnnl_success && !s->folded)
        status = weights_for(c, c->weights_layout, ELM_FP32, &d->weights);
    if (status == dnnl_success && s->data_gradient)
        status = weights_for(c, c->data_layout, s->format, &d->data);
    if (status == dnnl_success && s->folded)
        status = onednn_layout_create_vector(&d->bias, s->out_channels);
    if (status == dnnl_success && s->folded)
        status = onednn_attributes_create(&d->attributes, s->residual ? d->y : NULL, s->relu);
    return status;
}

static dnnl_status_t describe(const onednn_convolution *c, int images, description *d)
{
    const elm_conv_shape *s = &c->shape;
    *d = (description){0};
    dnnl_status_t status = describe_layouts(c, images, d);
    if (status != dnnl_success)
        return status;
    onednn_conv conv = {
        .x = d->x,
        .w = d->forward,
        .y = d->y,
        .stride = {s->stride, s->stride},
        .before = {s->padding, s->padding},
        /* What the kernel really reads past the far edge: less than the padding when the stride
         * leaves pixels over. */
        .after = {(s->out_height - 1) * s->stride + s->kernel - s->in_height - s->padding,
                  (s->out_width - 1) * s->stride + s->kernel - s->in_width - s->padding},
        .bias = d->bias,
        .attributes = d->attributes,
    };
    dnnl_engine_t on = c->engine->engine;
    status = onednn_conv_forward(&d->forward_pd, on, &conv);
    if (status == dnnl_success && !s->folded) {
        conv.w = d->weights;
        status = onednn_conv_weight_gradient(&d->weights_pd, on, &conv, d->forward_pd);
    }
    if (status == dnnl_success && s->data_gradient) {
        conv.w = d->data;
        status = onednn_conv_data_gradient(&d->data_pd, on, &conv, d->forward_pd);
    }
    return status;
}

/* Keeps the weight layouts that oneDNN chose, for all later numbers of images. */
static dnnl_status_t fix_layouts(onednn_convolution *c, const description *d)
{
    dnnl_status_t status = onednn_layout_copy(
        &c->forward_layout, dnnl_primitive_desc_query_md(d->forward_pd, dnnl_query_weights_md, 0));
    if (status == dnnl_success && d->weights_pd)
        status = onednn_layout_copy(
            &c->weights_layout,
            dnnl_primitive_desc_query_md(d->weights_pd, dnnl_query_diff_weights_md, 0));
    if (status == dnnl_success && c->shape.data_gradient)
        status = onednn_layout_copy(
            &c->data_layout, dnnl_primitive_desc_query_md(d->data_pd, dnnl_query_weights_md, 0));
    c->fixed = true;
    return status;
}

dnnl_status_t onednn_program_add(onednn_convolution *c, int images)
{
    description d;
    dnnl_status_t status = describe(c, images, &d);
    if (status == dnnl_success && !c->fixed)
        status = fix_layouts(c, &d);
    onednn_program *p = &c->programs[c->program_count];
    *p = (onednn_program){.images = images};
    dnnl_engine_t on = c->engine->engine;
    if (status == dnnl_success)
        status = dnnl_primitive_create(&p->forward, d.forward_pd);
    if (status == dnnl_success && d.weights_pd)
        status = dnnl_primitive_create(&p->weights, d.weights_pd);
    if (status == dnnl_success && d.data_pd)
        status = dnnl_primitive_create(&p->data, d.data_pd);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->x, d.x, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->y, d.y, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success && c->shape.residual)
        status = dnnl_memory_create(&p->residual, d.y, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success && d.bias && !c->bias)
        status = dnnl_memory_create(&c->bias, d.bias, on, DNNL_MEMORY_NONE);
    c->program_count++; /* counted even when half made, so that destroy sees it */
    description_destroy(&d);
    return status;
}

void onednn_program_destroy(onednn_program *p)
{
    dnnl_primitive_t primitives[] = {p->forward, p->data, p->weights};
    for (int i = 0; i < 3; i++)
        if (primitives[i])
            dnnl_primitive_destroy(primitives[i]);
    if (p->x)
        dnnl_memory_destroy(p->x);
    if (p->y)
        dnnl_memory_destroy(p->y);
    if (p->residual)
        dnnl_memory_destroy(p->residual);
}

const onednn_program *onednn_program_for(onednn_convolution *c, int images)
{
    for (int i = 0; i < c->program_count; i++)
        if (c->programs[i].images == images)
            return &c->programs[i];
    /* the second: the first is the full share, which stays */
    if (c->program_count == ONEDNN_PROGRAMS_MAX) {
        onednn_program_destroy(&c->programs[1]);
        for (int i = 1; i + 1 < ONEDNN_PROGRAMS_MAX; i++)
            c->programs[i] = c->programs[i + 1];
        c->program_count--;
    }
    onednn_must(onednn_program_add(c, images), "convolution for a new number of images");
    return &c->programs[c->program_count - 1];
}
