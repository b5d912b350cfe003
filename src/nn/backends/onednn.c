/* oneDNN's convolutions in its own blocked layouts. The only file that knows oneDNN's API: written for 2.x, where a primitive is made from
 * an operation descriptor (`*_desc_init`); 3.x makes it from its arguments at once, which changes `describe_*` below and nothing else.
 *
 * A primitive is bound to one number of images. Training meets few of them (a full share, the epoch's last batch, evaluation), so each
 * convolution keeps a short list of programs, made when a number of images is first seen. */
#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#include "elmpi/memory.h"
#include "nn/backends/backend.h"

enum { PROGRAMS_MAX = 8 };

typedef struct engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratch; /* as large as the largest convolution's weights: what one convolution needs while it runs backwards */
    size_t scratch_bytes;
} engine;

/* The primitives for one number of images and the memory objects that they read and write; data handles are set at each use. */
typedef struct program {
    int images;
    dnnl_primitive_t forward, data, weights;
    dnnl_memory_t x, y; /* also dx and dy: the same shapes */
} program;

typedef struct convolution {
    engine *engine;
    elm_conv_shape shape;
    bool fixed; /* the weight layouts below have been chosen */
    dnnl_memory_desc_t forward_layout, data_layout, weights_layout;
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
    static const char *const texts[] = {"success",       "out of memory",  "invalid arguments", "not implemented",
                                        "iterator ends", "run-time error", "not required"};
    return (unsigned)status < sizeof texts / sizeof *texts ? texts[status] : "unknown status";
}

/* Where no error can be returned (inside a pass) a failing primitive is a broken invariant: the process ends, and mpirun ends the job. */
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
    fprintf(stderr, "elmpi: fatal: rank %s, %s:%d: oneDNN: %s (%s)\n", rank ? rank : "0", file, line, status_text(status), what);
    abort();
}

static const char *version(char text[ELM_VERSION_SIZE])
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, ELM_VERSION_SIZE, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
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

/* oneDNN would also emulate bf16, several times slower than fp32: only units that multiply it count. */
static int check_format(elm_format format, elm_error *err)
{
    if (format == ELM_FP32 || (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16)
        return 0;
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "this CPU does not multiply bf16 in hardware (run.precision = bf16 wants AVX512-BF16 or AMX): use run.precision = fp32 or "
        "auto, or another node");
}

/* Asks oneDNN which channel block its convolutions like best on this CPU. */
static int preferred_block(const engine *e, elm_format format)
{
    const dnnl_dims_t x = {1, 32, 8, 8}, w = {32, 32, 3, 3}, one = {1, 1};
    dnnl_memory_desc_t any_x, any_w;
    dnnl_convolution_desc_t operation;
    dnnl_primitive_desc_t description;
    must(dnnl_memory_desc_init_by_tag(&any_x, 4, x, type_of(format), dnnl_format_tag_any), "memory descriptor");
    must(dnnl_memory_desc_init_by_tag(&any_w, 4, w, type_of(format), dnnl_format_tag_any), "memory descriptor");
    must(dnnl_convolution_forward_desc_init(&operation, dnnl_forward_training, dnnl_convolution_direct, &any_x, &any_w, NULL, &any_x, one,
                                            one, one),
         "convolution descriptor");
    if (dnnl_primitive_desc_create(&description, &operation, NULL, e->engine, NULL) != dnnl_success)
        return 1;
    const dnnl_memory_desc_t *chosen = dnnl_primitive_desc_query_md(description, dnnl_query_dst_md, 0);
    const dnnl_blocking_desc_t *blocking = &chosen->format_desc.blocking;
    const bool blocked = chosen->format_kind == dnnl_blocked && blocking->inner_nblks == 1 && blocking->inner_idxs[0] == 1;
    const int block = blocked ? (int)blocking->inner_blks[0] : 1;
    dnnl_primitive_desc_destroy(description);
    return block == 8 || block == 16 ? block : 1;
}

static int engine_open(void **opaque, elm_format format, int *block, elm_error *err)
{
    engine *e = elm_alloc(1, sizeof *e, err);
    if (!e)
        return -1;
    dnnl_status_t status = dnnl_engine_create(&e->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&e->stream, e->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        engine_close(e);
        return elm_error_set(err, ELM_EXIT_FAILURE, "oneDNN cannot start: %s (CPU engine): use run.backend = openblas",
                             status_text(status));
    }
    *block = preferred_block(e, format);
    *opaque = e;
    return 0;
}

static dnnl_format_tag_t activation_tag(int block)
{
    return block == 16 ? dnnl_nChw16c : block == 8 ? dnnl_nChw8c : dnnl_nchw;
}

static dnnl_memory_desc_t activations(elm_format format, int images, int channels, int height, int width, int block)
{
    const dnnl_dims_t dims = {images, channels, height, width};
    dnnl_memory_desc_t layout;
    must(dnnl_memory_desc_init_by_tag(&layout, 4, dims, type_of(format), activation_tag(block)), "memory descriptor");
    return layout;
}

static dnnl_memory_desc_t weights_of(const elm_conv_shape *s, elm_format format, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {s->out_channels, s->in_channels, s->kernel, s->kernel};
    dnnl_memory_desc_t layout;
    must(dnnl_memory_desc_init_by_tag(&layout, 4, dims, type_of(format), tag), "memory descriptor");
    return layout;
}

/* Everything a convolution's three primitives are described by. */
typedef struct description {
    dnnl_memory_desc_t x, y, forward, data, weights;
    dnnl_primitive_desc_t forward_pd, data_pd, weights_pd;
} description;

static void description_destroy(description *d)
{
    dnnl_primitive_desc_t all[] = {d->weights_pd, d->data_pd, d->forward_pd};
    for (int i = 0; i < 3; i++)
        if (all[i])
            dnnl_primitive_desc_destroy(all[i]);
}

static dnnl_status_t describe(const convolution *c, int images, description *d)
{
    const elm_conv_shape *s = &c->shape;
    const dnnl_dims_t stride = {s->stride, s->stride}, before = {s->padding, s->padding};
    /* What the kernel really reads past the far edge: less than the padding when the stride leaves pixels over. */
    const dnnl_dims_t after = {(s->out_height - 1) * s->stride + s->kernel - s->in_height - s->padding,
                               (s->out_width - 1) * s->stride + s->kernel - s->in_width - s->padding};
    *d = (description){.x = activations(s->format, images, s->in_channels, s->in_height, s->in_width, s->in_block),
                       .y = activations(s->format, images, s->out_channels, s->out_height, s->out_width, s->out_block)};
    d->forward = c->fixed ? c->forward_layout : weights_of(s, s->format, dnnl_format_tag_any);
    d->data = c->fixed ? c->data_layout : weights_of(s, s->format, dnnl_format_tag_any);
    d->weights = c->fixed ? c->weights_layout : weights_of(s, ELM_FP32, dnnl_format_tag_any);

    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(&operation, dnnl_forward_training, dnnl_convolution_direct, &d->x,
                                                              &d->forward, NULL, &d->y, stride, before, after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&d->forward_pd, &operation, NULL, c->engine->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_convolution_backward_weights_desc_init(&operation, dnnl_convolution_direct, &d->x, &d->weights, NULL, &d->y, stride,
                                                             before, after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&d->weights_pd, &operation, NULL, c->engine->engine, d->forward_pd);
    if (status != dnnl_success || !s->data_gradient)
        return status;
    status = dnnl_convolution_backward_data_desc_init(&operation, dnnl_convolution_direct, &d->x, &d->data, &d->y, stride, before, after);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&d->data_pd, &operation, NULL, c->engine->engine, d->forward_pd);
    return status;
}

/* Makes the primitives for `images` and appends them to the list. */
static dnnl_status_t program_add(convolution *c, int images)
{
    description d;
    dnnl_status_t status = describe(c, images, &d);
    if (status == dnnl_success && !c->fixed) {
        c->forward_layout = *dnnl_primitive_desc_query_md(d.forward_pd, dnnl_query_weights_md, 0);
        c->weights_layout = *dnnl_primitive_desc_query_md(d.weights_pd, dnnl_query_diff_weights_md, 0);
        if (c->shape.data_gradient)
            c->data_layout = *dnnl_primitive_desc_query_md(d.data_pd, dnnl_query_weights_md, 0);
        c->fixed = true;
    }
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
        status = dnnl_memory_create(&p->x, &d.x, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->y, &d.y, on, DNNL_MEMORY_NONE);
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
    if (c->program_count == PROGRAMS_MAX) { /* the second: the first is the full share, which stays */
        program_destroy(&c->programs[1]);
        for (int i = 1; i + 1 < PROGRAMS_MAX; i++)
            c->programs[i] = c->programs[i + 1];
        c->program_count--;
    }
    must(program_add(c, images), "convolution for a new number of images");
    return &c->programs[c->program_count - 1];
}

static dnnl_status_t make_reorder(dnnl_primitive_t *reorder, dnnl_engine_t on, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to)
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
static dnnl_status_t make_in_scratch(const convolution *c, const dnnl_memory_desc_t *layout, dnnl_memory_t *memory)
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
    const dnnl_memory_desc_t oihw = weights_of(&c->shape, ELM_FP32, dnnl_oihw);
    dnnl_engine_t on = c->engine->engine;
    dnnl_status_t status = dnnl_memory_create(&c->plain, &oihw, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->plain_gradient, &oihw, on, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = (c->packed = elm_alloc(1, dnnl_memory_desc_get_size(&c->forward_layout), NULL)) ? dnnl_success : dnnl_out_of_memory;
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->forward_weights, &c->forward_layout, on, c->packed);
    if (status == dnnl_success)
        status = make_in_scratch(c, &c->weights_layout, &c->weights_gradient);
    if (status == dnnl_success)
        status = make_reorder(&c->pack_forward, on, &oihw, &c->forward_layout);
    if (status == dnnl_success)
        status = make_reorder(&c->unpack_gradient, on, &c->weights_layout, &oihw);
    if (status == dnnl_success && c->shape.data_gradient)
        status = make_in_scratch(c, &c->data_layout, &c->data_weights);
    if (status == dnnl_success && c->shape.data_gradient)
        status = make_reorder(&c->pack_data, on, &oihw, &c->data_layout);
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
    dnnl_memory_t memories[] = {c->plain, c->plain_gradient, c->forward_weights, c->data_weights, c->weights_gradient};
    for (int i = 0; i < 5; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    elm_free(c->packed);
    elm_free(c);
}

static int conv_create(void **opaque, void *e, const elm_conv_shape *shape, int max_images, elm_error *err)
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
                             "oneDNN refuses a convolution: %s (%d -> %d channels, kernel %d, %d images): use run.backend = openblas",
                             status_text(status), shape->in_channels, shape->out_channels, shape->kernel, max_images);
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

static void run(const convolution *c, dnnl_primitive_t primitive, int count, const dnnl_exec_arg_t *arguments, const char *what)
{
    must(dnnl_primitive_execute(primitive, c->engine->stream, count, arguments), what);
    must(dnnl_stream_wait(c->engine->stream), what);
}

static void conv_pack(void *opaque, const float *weights)
{
    convolution *c = opaque;
    at(c->plain, weights);
    run(c, c->pack_forward, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, c->plain}, {DNNL_ARG_TO, c->forward_weights}}, "packing weights");
}

static void conv_forward(void *opaque, int images, const void *x, void *y)
{
    convolution *c = opaque;
    const program *p = program_for(c, images);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, at(p->x, x)}, {DNNL_ARG_WEIGHTS, c->forward_weights}, {DNNL_ARG_DST, at(p->y, y)}};
    run(c, p->forward, 3, arguments, "convolution forward");
}

/* The data gradient wants the weights in another layout than the forward pass. Packing them here instead of in conv_pack costs the same,
 * since weights change between any two of training's backward passes, and saves a copy of all weights. */
static void conv_backward_data(void *opaque, int images, const void *dy, void *dx)
{
    convolution *c = opaque;
    const program *p = program_for(c, images);
    at(c->data_weights, c->engine->scratch);
    run(c, c->pack_data, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, c->plain}, {DNNL_ARG_TO, c->data_weights}}, "packing weights");
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_DIFF_DST, at(p->y, dy)}, {DNNL_ARG_WEIGHTS, c->data_weights}, {DNNL_ARG_DIFF_SRC, at(p->x, dx)}};
    run(c, p->data, 3, arguments, "convolution data gradient");
}

static void conv_backward_weights(void *opaque, int images, const void *x, const void *dy, float *dw)
{
    convolution *c = opaque;
    const program *p = program_for(c, images);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, at(p->x, x)},
                                         {DNNL_ARG_DIFF_DST, at(p->y, dy)},
                                         {DNNL_ARG_DIFF_WEIGHTS, at(c->weights_gradient, c->engine->scratch)}};
    run(c, p->weights, 3, arguments, "convolution weight gradient");
    at(c->plain_gradient, dw);
    run(c, c->unpack_gradient, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, c->weights_gradient}, {DNNL_ARG_TO, c->plain_gradient}},
        "unpacking weight gradients");
}

const elm_backend elm_backend_onednn = {
    .name = "onednn",
    .version = version,
    .check_format = check_format,
    .open = engine_open,
    .close = engine_close,
    .create = conv_create,
    .destroy = conv_destroy,
    .pack = conv_pack,
    .forward = conv_forward,
    .backward_data = conv_backward_data,
    .backward_weights = conv_backward_weights,
};
