/* oneDNN's convolutions in its own blocked layouts and in channels last. What differs between
 * oneDNN's versions is in onednn_api.c.
 *
 * A primitive is bound to one number of images. Training meets few of them (a full share, the
 * epoch's last batch, evaluation), so each convolution keeps a short list of programs, made when
 * a number of images is first seen. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "elmpi/memory.h"
#include "nn/backends/backend.h"
#include "nn/backends/onednn_api.h"

enum { PROGRAMS_MAX = 8 };

typedef struct engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    /* as large as the largest convolution's weights: what one convolution needs while it runs
     * backwards */
    void *scratch;
    size_t scratch_bytes;
} engine;

/* The primitives for one number of images and the memory objects that they read and write; data
 * handles are set at each use. */
typedef struct program {
    int images;
    dnnl_primitive_t forward, data, weights;
    dnnl_memory_t x, y; /* also dx and dy: the same shapes */
} program;

typedef struct convolution {
    engine *engine;
    elm_conv_shape shape;
    bool fixed; /* the weight layouts below have been chosen */
    onednn_layout plain_layout, forward_layout, data_layout, weights_layout;
    dnnl_memory_t plain, plain_gradient; /* OIHW, the caller's */
    dnnl_memory_t forward_weights;
    dnnl_memory_t data_weights, weights_gradient; /* in the engine's scratch */
    void *packed;                                 /* behind forward_weights */
    dnnl_primitive_t pack_forward, pack_data, unpack_gradient;
    program programs[PROGRAMS_MAX];
    int program_count;
} convolution;

static const char *status_text(dnnl_status_t status)
{
    static const char *const texts[] = {"success",         "out of memory", "invalid arguments",
                                        "not implemented", "iterator ends", "run-time error",
                                        "not required"};
    return (unsigned)status < sizeof texts / sizeof *texts ? texts[status] : "unknown status";
}

/* Where no error can be returned (inside a pass) a failing primitive is a broken invariant: the
 * process ends, and mpirun ends the job. */
#define must(status, what) must_at((status), (what), __FILE__, __LINE__)

static void must_at(dnnl_status_t status, const char *what, const char *file, int line)
{
    if (status == dnnl_success)
        return;
    /* This room knows no ranks, but those who start processes leave word. */
    const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"};
    const char *rank = NULL;
    for (size_t i = 0; !rank && i < sizeof names / sizeof *names; i++)
        rank = getenv(names[i]);
    fprintf(stderr, "elmpi: fatal: rank %s, %s:%d: oneDNN: %s (%s)\n", rank ? rank : "0", file,
            line, status_text(status), what);
    abort();
}

static const char *cpu(void)
{
    return onednn_cpu_name(dnnl_get_effective_cpu_isa());
}

static const char *version(char text[ELM_VERSION_SIZE])
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, ELM_VERSION_SIZE, "oneDNN %d.%d.%d for %s", v->major, v->minor, v->patch, cpu());
    return text;
}

static void engine_close(void *opaque)
{
    engine *e = opaque;
    if (!e)
        return;
    if (e->stream)
        dnnl_stream_destroy(e->stream);
    if (e->engine)
        dnnl_engine_destroy(e->engine);
    elm_free(e->scratch);
    elm_free(e);
}

static dnnl_data_type_t type_of(elm_format format)
{
    return format == ELM_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* oneDNN would also emulate bf16, several times slower than fp32: only units that multiply it
 * count. */
static int check_format(elm_format format, elm_error *err)
{
    if (format == ELM_FP32 || (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
                                  dnnl_cpu_isa_avx512_core_bf16)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "this CPU does not multiply bf16 in hardware (run.precision = bf16 wants "
                         "AVX512-BF16 or AMX): use run.precision = fp32 or "
                         "auto, or another node");
}

/* Asks oneDNN which channel block its convolutions like best on this CPU; 1: it wishes for no
 * block, which on AMX means channels last. */
static int preferred_block(const engine *e, elm_format format)
{
    const dnnl_dims_t x = {1, 32, 8, 8}, w = {32, 32, 3, 3};
    onednn_layout any_x = NULL, any_w = NULL;
    dnnl_primitive_desc_t description;
    must(onednn_layout_create(&any_x, x, type_of(format), dnnl_format_tag_any),
         "memory descriptor");
    must(onednn_layout_create(&any_w, w, type_of(format), dnnl_format_tag_any),
         "memory descriptor");
    const onednn_conv conv = {
        .x = any_x, .w = any_w, .y = any_x, .stride = {1, 1}, .before = {1, 1}, .after = {1, 1}};
    int block = 1;
    if (onednn_conv_forward(&description, e->engine, &conv) == dnnl_success) {
        block =
            onednn_layout_block(dnnl_primitive_desc_query_md(description, dnnl_query_dst_md, 0));
        dnnl_primitive_desc_destroy(description);
    }
    onednn_layout_destroy(any_x);
    onednn_layout_destroy(any_w);
    return block == 8 || block == 16 ? block : 1;
}

/* The block of a layout. A network whose layout is left open gets the block that the library
 * wishes for, or NCHW, as it did before layouts could be chosen: checkpoints of then go on so. */
static int block_of(const engine *e, elm_format format, elm_layout layout)
{
    if (layout == ELM_LAYOUT_NHWC || layout == ELM_LAYOUT_NCHW)
        return layout == ELM_LAYOUT_NHWC ? ELM_BLOCK_ALL : 1;
    const int preferred = preferred_block(e, format);
    if (layout == ELM_LAYOUT_AUTO || preferred > 1)
        return preferred;
    const bool wide =
        (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    return wide ? 16 : 8;
}

static int engine_open(void **opaque, elm_format format, elm_layout layout, int *block,
                       elm_error *err)
{
    engine *e = elm_alloc(1, sizeof *e, err);
    if (!e)
        return -1;
    dnnl_status_t status = dnnl_engine_create(&e->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&e->stream, e->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        engine_close(e);
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "oneDNN cannot start: %s (CPU engine): use run.backend = openblas",
                             status_text(status));
    }
    *block = block_of(e, format, layout);
    *opaque = e;
    return 0;
}

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
    return onednn_layout_create(layout, dims, type_of(s->format),
                                activation_tag(block, s->channels_last));
}

static dnnl_status_t make_weight_layout(onednn_layout *layout, const elm_conv_shape *s,
                                        elm_format format, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {s->out_channels, s->in_channels, s->kernel, s->kernel};
    return onednn_layout_create(layout, dims, type_of(format), tag);
}

/* Everything a convolution's three primitives are described by. */
typedef struct description {
    onednn_layout x, y, forward, data, weights;
    dnnl_primitive_desc_t forward_pd, data_pd, weights_pd;
} description;

static void description_destroy(description *d)
{
    dnnl_primitive_desc_t all[] = {d->weights_pd, d->data_pd, d->forward_pd};
    for (int i = 0; i < 3; i++)
        if (all[i])
            dnnl_primitive_desc_destroy(all[i]);
    onednn_layout layouts[] = {d->x, d->y, d->forward, d->data, d->weights};
    for (int i = 0; i < 5; i++)
        onednn_layout_destroy(layouts[i]);
}

/* The layout chosen before, or whatever oneDNN likes best. */
static dnnl_status_t weights_for(const convolution *c, onednn_const_layout chosen,
                                 elm_format format, onednn_layout *layout)
{
    return c->fixed ? onednn_layout_copy(layout, chosen)
                    : make_weight_layout(layout, &c->shape, format, dnnl_format_tag_any);
}

static dnnl_status_t describe_layouts(const convolution *c, int images, description *d)
{
    const elm_conv_shape *s = &c->shape;
    dnnl_status_t status =
        make_activations(&d->x, s, images, s->in_channels, s->in_height, s->in_width, s->in_block);
    if (status == dnnl_success)
        status = make_activations(&d->y, s, images, s->out_channels, s->out_height, s->out_width,
                                  s->out_block);
    if (status == dnnl_success)
        status = weights_for(c, c->forward_layout, s->format, &d->forward);
    if (status == dnnl_success)
        status = weights_for(c, c->weights_layout, ELM_FP32, &d->weights);
    if (status == dnnl_success && s->data_gradient)
        status = weights_for(c, c->data_layout, s->format, &d->data);
    return status;
}

static dnnl_status_t describe(const convolution *c, int images, description *d)
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
    };
    dnnl_engine_t on = c->engine->engine;
    status = onednn_conv_forward(&d->forward_pd, on, &conv);
    if (status == dnnl_success) {
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
static dnnl_status_t fix_layouts(convolution *c, const description *d)
{
    dnnl_status_t status = onednn_layout_copy(
        &c->forward_layout, dnnl_primitive_desc_query_md(d->forward_pd, dnnl_query_weights_md, 0));
    if (status == dnnl_success)
        status = onednn_layout_copy(
            &c->weights_layout,
            dnnl_primitive_desc_query_md(d->weights_pd, dnnl_query_diff_weights_md, 0));
    if (status == dnnl_success && c->shape.data_gradient)
        status = onednn_layout_copy(
            &c->data_layout, dnnl_primitive_desc_query_md(d->data_pd, dnnl_query_weights_md, 0));
    c->fixed = true;
    return status;
}

/* Makes the primitives for `images` and appends them to the list. */
static dnnl_status_t program_add(convolution *c, int images)
{
    description d;
    dnnl_status_t status = describe(c, images, &d);
    if (status == dnnl_success && !c->fixed)
        status = fix_layouts(c, &d);
    program *p = &c->programs[c->program_count];
    *p = (program){.images = images};
    dnnl_engine_t on = c->engine->engine;
    if (status == dnnl_success)
        status = dnnl_primitive_create(&p->forward, d.forward_pd);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&p->weights, d.weights_pd);
    if (status == dnnl_success && d.data_pd)
        status = dnnl_primitive_create(&p->data, d.data_pd);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->x, d.x, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->y, d.y, on, DNNL_MEMORY_NONE);
    c->program_count++; /* counted even when half made, so that destroy sees it */
    description_destroy(&d);
    return status;
}

static void program_destroy(program *p)
{
    dnnl_primitive_t primitives[] = {p->forward, p->data, p->weights};
    for (int i = 0; i < 3; i++)
        if (primitives[i])
            dnnl_primitive_destroy(primitives[i]);
    if (p->x)
        dnnl_memory_destroy(p->x);
    if (p->y)
        dnnl_memory_destroy(p->y);
}

static const program *program_for(convolution *c, int images)
{
    for (int i = 0; i < c->program_count; i++)
        if (c->programs[i].images == images)
            return &c->programs[i];
    /* the second: the first is the full share, which stays */
    if (c->program_count == PROGRAMS_MAX) {
        program_destroy(&c->programs[1]);
        for (int i = 1; i + 1 < PROGRAMS_MAX; i++)
            c->programs[i] = c->programs[i + 1];
        c->program_count--;
    }
    must(program_add(c, images), "convolution for a new number of images");
    return &c->programs[c->program_count - 1];
}

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
static dnnl_status_t make_in_scratch(const convolution *c, onednn_const_layout layout,
                                     dnnl_memory_t *memory)
{
    engine *e = c->engine;
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

static dnnl_status_t make_weights(convolution *c)
{
    dnnl_engine_t on = c->engine->engine;
    dnnl_status_t status = make_weight_layout(&c->plain_layout, &c->shape, ELM_FP32, dnnl_oihw);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->plain, c->plain_layout, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->plain_gradient, c->plain_layout, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = (c->packed = elm_alloc(1, dnnl_memory_desc_get_size(c->forward_layout), NULL))
                     ? dnnl_success
                     : dnnl_out_of_memory;
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->forward_weights, c->forward_layout, on, c->packed);
    if (status == dnnl_success)
        status = make_in_scratch(c, c->weights_layout, &c->weights_gradient);
    if (status == dnnl_success)
        status = make_reorder(&c->pack_forward, on, c->plain_layout, c->forward_layout);
    if (status == dnnl_success)
        status = make_reorder(&c->unpack_gradient, on, c->weights_layout, c->plain_layout);
    if (status == dnnl_success && c->shape.data_gradient)
        status = make_in_scratch(c, c->data_layout, &c->data_weights);
    if (status == dnnl_success && c->shape.data_gradient)
        status = make_reorder(&c->pack_data, on, c->plain_layout, c->data_layout);
    return status;
}

static void conv_destroy(void *opaque)
{
    convolution *c = opaque;
    if (!c)
        return;
    for (int i = 0; i < c->program_count; i++)
        program_destroy(&c->programs[i]);
    dnnl_primitive_t primitives[] = {c->pack_forward, c->pack_data, c->unpack_gradient};
    for (int i = 0; i < 3; i++)
        if (primitives[i])
            dnnl_primitive_destroy(primitives[i]);
    dnnl_memory_t memories[] = {c->plain, c->plain_gradient, c->forward_weights, c->data_weights,
                                c->weights_gradient};
    for (int i = 0; i < 5; i++)
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
    convolution *c = elm_alloc(1, sizeof *c, err);
    if (!c)
        return -1;
    c->engine = e;
    c->shape = *shape;
    dnnl_status_t status = program_add(c, max_images);
    if (status == dnnl_success)
        status = make_weights(c);
    if (status != dnnl_success) {
        conv_destroy(c);
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "oneDNN refuses a convolution: %s (%d -> %d channels, kernel %d, %d "
                             "images): use run.backend = openblas",
                             status_text(status), shape->in_channels, shape->out_channels,
                             shape->kernel, max_images);
    }
    *opaque = c;
    return 0;
}

/* Points a memory object at the caller's data. */
static dnnl_memory_t at(dnnl_memory_t memory, const void *data)
{
    must(dnnl_memory_set_data_handle(memory, (void *)data), "data handle");
    return memory;
}

static void run(const convolution *c, dnnl_primitive_t primitive, int count,
                const dnnl_exec_arg_t *arguments, const char *what)
{
    must(dnnl_primitive_execute(primitive, c->engine->stream, count, arguments), what);
    must(dnnl_stream_wait(c->engine->stream), what);
}

static void conv_pack(void *opaque, const float *weights)
{
    convolution *c = opaque;
    at(c->plain, weights);
    run(c, c->pack_forward, 2,
        (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, c->plain}, {DNNL_ARG_TO, c->forward_weights}},
        "packing weights");
}

static void conv_forward(void *opaque, int images, const void *x, void *y)
{
    convolution *c = opaque;
    const program *p = program_for(c, images);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, at(p->x, x)},
                                         {DNNL_ARG_WEIGHTS, c->forward_weights},
                                         {DNNL_ARG_DST, at(p->y, y)}};
    run(c, p->forward, 3, arguments, "convolution forward");
}

/* The data gradient wants the weights in another layout than the forward pass. Packing them here
 * instead of in conv_pack costs the same, since weights change between any two of training's
 * backward passes, and saves a copy of all weights. */
static void conv_backward_data(void *opaque, int images, const void *dy, void *dx)
{
    convolution *c = opaque;
    const program *p = program_for(c, images);
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
    convolution *c = opaque;
    const program *p = program_for(c, images);
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
    const convolution *c = opaque;
    const program *p = &c->programs[0];
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
    .version = version,
    .cpu = cpu,
    .check_format = check_format,
    .open = engine_open,
    .close = engine_close,
    .create = conv_create,
    .destroy = conv_destroy,
    .pack = conv_pack,
    .forward = conv_forward,
    .backward_data = conv_backward_data,
    .backward_weights = conv_backward_weights,
    .implementation = implementation,
};
