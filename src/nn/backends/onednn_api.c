#include "nn/backends/onednn_api.h"

#if DNNL_VERSION_MAJOR == 2

#include "elmpi/memory.h"

dnnl_status_t onednn_layout_create(onednn_layout *layout, const dnnl_dims_t dims,
                                   dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    *layout = elm_alloc(1, sizeof **layout, NULL);
    return *layout ? dnnl_memory_desc_init_by_tag(*layout, 4, dims, type, tag) : dnnl_out_of_memory;
}

dnnl_status_t onednn_layout_create_vector(onednn_layout *layout, int64_t count)
{
    const dnnl_dims_t dims = {count};
    *layout = elm_alloc(1, sizeof **layout, NULL);
    return *layout ? dnnl_memory_desc_init_by_tag(*layout, 1, dims, dnnl_f32, dnnl_a)
                   : dnnl_out_of_memory;
}

static dnnl_status_t append_relu(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_eltwise(operations, 1, dnnl_eltwise_relu, 0, 0);
}

dnnl_status_t onednn_layout_copy(onednn_layout *layout, onednn_const_layout from)
{
    *layout = elm_alloc(1, sizeof **layout, NULL);
    if (!*layout)
        return dnnl_out_of_memory;
    **layout = *from;
    return dnnl_success;
}

void onednn_layout_destroy(onednn_layout layout)
{
    elm_free(layout);
}

int onednn_layout_block(onednn_const_layout layout)
{
    const dnnl_blocking_desc_t *blocking = &layout->format_desc.blocking;
    const int by_channels = layout->format_kind == dnnl_blocked && blocking->inner_nblks == 1 &&
                            blocking->inner_idxs[0] == 1;
    return by_channels ? (int)blocking->inner_blks[0] : 1;
}

dnnl_status_t onednn_conv_forward(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                  const onednn_conv *conv)
{
    dnnl_convolution_desc_t operation;
    const dnnl_status_t status = dnnl_convolution_forward_desc_init(
        &operation, conv->bias ? dnnl_forward_inference : dnnl_forward_training,
        dnnl_convolution_direct, conv->x, conv->w, conv->bias, conv->y, conv->stride, conv->before,
        conv->after);
    return status == dnnl_success
               ? dnnl_primitive_desc_create(made, &operation, conv->attributes, engine, NULL)
               : status;
}

dnnl_status_t onednn_conv_data_gradient(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                        const onednn_conv *conv,
                                        const_dnnl_primitive_desc_t forward)
{
    dnnl_convolution_desc_t operation;
    const dnnl_status_t status = dnnl_convolution_backward_data_desc_init(
        &operation, dnnl_convolution_direct, conv->x, conv->w, conv->y, conv->stride, conv->before,
        conv->after);
    return status == dnnl_success
               ? dnnl_primitive_desc_create(made, &operation, NULL, engine, forward)
               : status;
}

dnnl_status_t onednn_conv_weight_gradient(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                          const onednn_conv *conv,
                                          const_dnnl_primitive_desc_t forward)
{
    dnnl_convolution_desc_t operation;
    const dnnl_status_t status = dnnl_convolution_backward_weights_desc_init(
        &operation, dnnl_convolution_direct, conv->x, conv->w, NULL, conv->y, conv->stride,
        conv->before, conv->after);
    return status == dnnl_success
               ? dnnl_primitive_desc_create(made, &operation, NULL, engine, forward)
               : status;
}

#elif DNNL_VERSION_MAJOR == 3

static const dnnl_dims_t dense = {0, 0}; /* no dilation */

dnnl_status_t onednn_layout_create(onednn_layout *layout, const dnnl_dims_t dims,
                                   dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(layout, 4, dims, type, tag);
}

dnnl_status_t onednn_layout_create_vector(onednn_layout *layout, int64_t count)
{
    const dnnl_dims_t dims = {count};
    return dnnl_memory_desc_create_with_tag(layout, 1, dims, dnnl_f32, dnnl_a);
}

static dnnl_status_t append_relu(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_eltwise(operations, dnnl_eltwise_relu, 0, 0);
}

dnnl_status_t onednn_layout_copy(onednn_layout *layout, onednn_const_layout from)
{
    return dnnl_memory_desc_clone(layout, from);
}

void onednn_layout_destroy(onednn_layout layout)
{
    if (layout)
        dnnl_memory_desc_destroy(layout);
}

int onednn_layout_block(onednn_const_layout layout)
{
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    int blocks = 0;
    dnnl_dims_t which, size;
    if (dnnl_memory_desc_query(layout, dnnl_query_format_kind, &kind) != dnnl_success ||
        kind != dnnl_blocked ||
        dnnl_memory_desc_query(layout, dnnl_query_inner_nblks_s32, &blocks) != dnnl_success ||
        blocks != 1 ||
        dnnl_memory_desc_query(layout, dnnl_query_inner_idxs, &which) != dnnl_success ||
        which[0] != 1 ||
        dnnl_memory_desc_query(layout, dnnl_query_inner_blks, &size) != dnnl_success)
        return 1;
    return (int)size[0];
}

dnnl_status_t onednn_conv_forward(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                  const onednn_conv *conv)
{
    return dnnl_convolution_forward_primitive_desc_create(
        made, engine, conv->bias ? dnnl_forward_inference : dnnl_forward_training,
        dnnl_convolution_direct, conv->x, conv->w, conv->bias, conv->y, conv->stride, dense,
        conv->before, conv->after, conv->attributes);
}

dnnl_status_t onednn_conv_data_gradient(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                        const onednn_conv *conv,
                                        const_dnnl_primitive_desc_t forward)
{
    return dnnl_convolution_backward_data_primitive_desc_create(
        made, engine, dnnl_convolution_direct, conv->x, conv->w, conv->y, conv->stride, dense,
        conv->before, conv->after, forward, NULL);
}

dnnl_status_t onednn_conv_weight_gradient(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                          const onednn_conv *conv,
                                          const_dnnl_primitive_desc_t forward)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(
        made, engine, dnnl_convolution_direct, conv->x, conv->w, NULL, conv->y, conv->stride, dense,
        conv->before, conv->after, forward, NULL);
}

#else
#error "elmpi is written for oneDNN 2.6 to 3.x: CMake refuses others"
#endif

dnnl_status_t onednn_attributes_create(dnnl_primitive_attr_t *attributes,
                                       onednn_const_layout residual, bool relu)
{
    dnnl_post_ops_t operations = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attributes);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&operations);
    if (status == dnnl_success && residual)
        status = dnnl_post_ops_append_binary(operations, dnnl_binary_add, residual);
    if (status == dnnl_success && relu)
        status = append_relu(operations);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attributes, operations);
    if (operations)
        dnnl_post_ops_destroy(operations);
    return status;
}

/* The versions number them differently, and each knows some that the other does not. */
const char *onednn_cpu_name(dnnl_cpu_isa_t isa)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {
        {dnnl_cpu_isa_sse41, "SSE41"},
        {dnnl_cpu_isa_avx, "AVX"},
        {dnnl_cpu_isa_avx2, "AVX2"},
        {dnnl_cpu_isa_avx2_vnni, "AVX2_VNNI"},
        {dnnl_cpu_isa_avx512_core, "AVX512_CORE"},
        {dnnl_cpu_isa_avx512_core_vnni, "AVX512_CORE_VNNI"},
        {dnnl_cpu_isa_avx512_core_bf16, "AVX512_CORE_BF16"},
        {dnnl_cpu_isa_avx512_core_amx, "AVX512_CORE_AMX"},
#if DNNL_VERSION_MAJOR > 2
        {dnnl_cpu_isa_avx2_vnni_2, "AVX2_VNNI_2"},
        {dnnl_cpu_isa_avx512_core_fp16, "AVX512_CORE_FP16"},
        {dnnl_cpu_isa_avx512_core_amx_fp16, "AVX512_CORE_AMX_FP16"},
#endif
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].isa == isa)
            return names[i].name;
    return isa == 0 ? "any CPU" : "an instruction set without a name";
}
