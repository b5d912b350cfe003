/* What differs between oneDNN 2.x and 3.x, behind one interface. In 2.x a memory descriptor is a
 * struct that the caller holds, and a primitive descriptor is made from an operation descriptor;
 * in 3.x memory descriptors are opaque objects with a destructor, and a primitive descriptor is
 * made from its arguments at once. Everything else that elmpi calls is the same in both. */
#ifndef ELMPI_NN_BACKENDS_ONEDNN_API_H
#define ELMPI_NN_BACKENDS_ONEDNN_API_H

#include <stdbool.h>
#include <stdint.h>

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR == 2
typedef dnnl_memory_desc_t *onednn_layout;
typedef const dnnl_memory_desc_t *onednn_const_layout;
#else
typedef dnnl_memory_desc_t onednn_layout;
typedef const_dnnl_memory_desc_t onednn_const_layout;
#endif

/** A layout of four dimensions; what oneDNN's own functions take in either version.
 * onednn_layout_destroy frees it. */
dnnl_status_t onednn_layout_create(onednn_layout *layout, const dnnl_dims_t dims,
                                   dnnl_data_type_t type, dnnl_format_tag_t tag);

dnnl_status_t onednn_layout_copy(onednn_layout *layout, onednn_const_layout from);

void onednn_layout_destroy(onednn_layout layout);

/** Channels in the innermost block of an activation's layout: 8 or 16 for nChw8c and nChw16c; 1
 * where channels are not blocked. */
int onednn_layout_block(onednn_const_layout layout);

/** A convolution's layouts and geometry. `w` is the layout of the weights or of their gradient. */
typedef struct onednn_conv {
    onednn_const_layout x, w, y;
    dnnl_dims_t stride, before, after; /* padding before and after, in height and width */
    /* forward, for inference alone: NULL: neither bias nor what follows it */
    onednn_const_layout bias;
    const_dnnl_primitive_attr_t attributes;
} onednn_conv;

/** A vector's layout, fp32. */
dnnl_status_t onednn_layout_create_vector(onednn_layout *layout, int64_t count);

/** What a convolution does to its sums: adds a residual (NULL: none), then max(y, 0).
 * dnnl_primitive_attr_destroy frees it. */
dnnl_status_t onednn_attributes_create(dnnl_primitive_attr_t *attributes,
                                       onednn_const_layout residual, bool relu);

dnnl_status_t onednn_conv_forward(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                  const onednn_conv *conv);

/** The two gradients; `forward` is the hint that oneDNN wants. */
dnnl_status_t onednn_conv_data_gradient(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                        const onednn_conv *conv,
                                        const_dnnl_primitive_desc_t forward);
dnnl_status_t onednn_conv_weight_gradient(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                          const onednn_conv *conv,
                                          const_dnnl_primitive_desc_t forward);

/** An instruction set as ONEDNN_MAX_CPU_ISA names it. */
const char *onednn_cpu_name(dnnl_cpu_isa_t isa);

#endif
