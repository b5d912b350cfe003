/* Backend: the library that computes the convolutions. */
#ifndef ELMPI_NN_BACKENDS_BACKEND_H
#define ELMPI_NN_BACKENDS_BACKEND_H

#include <stdbool.h>

#include "elmpi/net.h"
#include "elmpi/status.h"
#include "nn/format.h"

typedef struct elm_conv_shape {
    int in_channels, in_height, in_width, in_block;
    int out_channels, out_height, out_width, out_block;
    int kernel, stride, padding;
    bool channels_last; /* the blocks are all channels, on either side */
    elm_format format;  /* of activations and their gradients */
    bool data_gradient; /* backward_data will be called */
    bool folded;        /* forward_folded will be called, and nothing else; */
    bool residual;      /* its residual is no NULL */
    bool relu;          /* it ends in max(y, 0) */
} elm_conv_shape;

enum { ELM_VERSION_SIZE = 256, ELM_BLOCK_ALL = 0 };

/** A backend in functions. Activations are in the blocked layout of layer.h; weights and their
 * gradients are OIHW and fp32 outside, and whatever the backend likes inside. Sums are fp32
 * whatever the format. */
typedef struct elm_backend {
    const char *name;
    const char *(*version)(char text[ELM_VERSION_SIZE]); /* of the library behind it */
    /* what the library computes for: an instruction set or a CPU */
    const char *(*cpu)(void);
    /* Whether this machine's units compute in the format; if not, err says what is missing. */
    int (*check_format)(elm_format format, elm_error *err);
    /* One per network, for activations in this layout. `block` receives its channel block: 8 or
     * 16, 1 (NCHW) or 0, all channels (NHWC). */
    int (*open)(void **engine, elm_format format, elm_layout layout, int *block, elm_error *err);
    void (*close)(void *engine);
    /* A convolution for up to max_images. */
    int (*create)(void **conv, void *engine, const elm_conv_shape *shape, int max_images,
                  elm_error *err);
    void (*destroy)(void *conv);
    /* Takes over changed weights, which stay readable where they are. */
    void (*pack)(void *conv, const float *weights);
    void (*forward)(void *conv, int images, const void *x, void *y);
    /* y = x * weights + bias [out_channels] [+ residual, of y's shape] [ReLU]. NULL: the backend
     * cannot. */
    void (*forward_folded)(void *conv, int images, const void *x, const float *bias,
                           const void *residual, void *y);
    void (*backward_data)(void *conv, int images, const void *dy, void *dx);
    /* Sets (does not add to) dw, OIHW. */
    void (*backward_weights)(void *conv, int images, const void *x, const void *dy, float *dw);
    /* The library's names for what computes the convolution: "forward, data gradient, weight
     * gradient". */
    const char *(*implementation)(void *conv, char text[ELM_VERSION_SIZE]);
} elm_backend;

/** The backend of that name; "auto" is the fastest there is. */
const elm_backend *elm_backend_find(const char *name, elm_error *err);

extern const elm_backend elm_backend_openblas;
#ifdef ELMPI_HAVE_ONEDNN
extern const elm_backend elm_backend_onednn;
#endif

#endif
