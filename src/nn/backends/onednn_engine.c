/* oneDNN's engine: its version, the CPU it computes for, the formats and blocks it likes. */
#include <stdio.h>
#include <stdlib.h>

#include "elmpi/memory.h"
#include "nn/backends/onednn_parts.h"

const char *onednn_status_text(dnnl_status_t status)
{
    static const char *const texts[] = {"success",         "out of memory", "invalid arguments",
                                        "not implemented", "iterator ends", "run-time error",
                                        "not required"};
    return (unsigned)status < sizeof texts / sizeof *texts ? texts[status] : "unknown status";
}

void onednn_must_at(dnnl_status_t status, const char *what, const char *file, int line)
{
    if (status == dnnl_success)
        return;
    /* This module knows no ranks, but those who start processes leave word. */
    const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"};
    const char *rank = NULL;
    for (size_t i = 0; !rank && i < sizeof names / sizeof *names; i++)
        rank = getenv(names[i]);
    fprintf(stderr, "elmpi: fatal: rank %s, %s:%d: oneDNN: %s (%s)\n", rank ? rank : "0", file,
            line, onednn_status_text(status), what);
    abort();
}

const char *onednn_engine_cpu(void)
{
    return onednn_cpu_name(dnnl_get_effective_cpu_isa());
}

const char *onednn_engine_version(char text[ELM_VERSION_SIZE])
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, ELM_VERSION_SIZE, "oneDNN %d.%d.%d for %s", v->major, v->minor, v->patch,
             onednn_engine_cpu());
    return text;
}

void onednn_engine_close(void *opaque)
{
    onednn_engine *e = opaque;
    if (!e)
        return;
    if (e->stream)
        dnnl_stream_destroy(e->stream);
    if (e->engine)
        dnnl_engine_destroy(e->engine);
    elm_free(e->scratch);
    elm_free(e);
}

dnnl_data_type_t onednn_type_of(elm_format format)
{
    return format == ELM_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* oneDNN would also emulate bf16, several times slower than fp32: only units that multiply it
 * count. */
int onednn_check_format(elm_format format, elm_error *err)
{
    if (format == ELM_FP32 || (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
                                  dnnl_cpu_isa_avx512_core_bf16)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "this CPU does not multiply bf16 in hardware (run.precision = bf16 wants "
                         "AVX512-BF16 or AMX): use run.precision = fp32 or "
                         "auto, or another node");
}

/* Asks oneDNN which channel block its convolutions like best on this CPU; 1: it requests for no
 * block, which on AMX means channels last. */
static int preferred_block(const onednn_engine *e, elm_format format)
{
    const dnnl_dims_t x = {1, 32, 8, 8}, w = {32, 32, 3, 3};
    onednn_layout any_x = NULL, any_w = NULL;
    dnnl_primitive_desc_t description;
    onednn_must(onednn_layout_create(&any_x, x, onednn_type_of(format), dnnl_format_tag_any),
                "memory descriptor");
    onednn_must(onednn_layout_create(&any_w, w, onednn_type_of(format), dnnl_format_tag_any),
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
 * requests for, or NCHW, as it did before layouts could be chosen: checkpoints of then go on so. */
static int block_of(const onednn_engine *e, elm_format format, elm_layout layout)
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

int onednn_engine_open(void **opaque, elm_format format, elm_layout layout, int *block,
                       elm_error *err)
{
    onednn_engine *e = elm_alloc(1, sizeof *e, err);
    if (!e)
        return -1;
    dnnl_status_t status = dnnl_engine_create(&e->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&e->stream, e->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        onednn_engine_close(e);
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "oneDNN cannot start: %s (CPU engine): use run.backend = openblas",
                             onednn_status_text(status));
    }
    *block = block_of(e, format, layout);
    *opaque = e;
    return 0;
}
