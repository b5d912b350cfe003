/* Backend: who computes the convolutions. */
#ifndef ELMPI_NN_BACKEND_H
#define ELMPI_NN_BACKEND_H

#include <stdbool.h>

#include "elmpi/status.h"

typedef struct elm_conv_shape {
    int in_channels, in_height, in_width, in_block;
    int out_channels, out_height, out_width, out_block;
    int kernel, stride, padding;
    bool data_gradient; /* backward_data will be called */
} elm_conv_shape;

enum { ELM_VERSION_SIZE = 256 };

/** A backend in functions. Activations are in the blocked layout of layer.h; weights are OIHW outside and whatever the backend likes
 * inside. */
typedef struct elm_backend {
    const char *name;
    const char *(*version)(char text[ELM_VERSION_SIZE]); /* of the library behind it */
    /* One per network. `block` receives the channel block its kernels prefer. */
    int (*open)(void **engine, int *block, elm_error *err);
    void (*close)(void *engine);
    /* A convolution for up to max_images. */
    int (*create)(void **conv, void *engine, const elm_conv_shape *shape, int max_images, elm_error *err);
    void (*destroy)(void *conv);
    /* Takes over changed weights, which stay readable where they are. */
    void (*pack)(void *conv, const float *weights);
    void (*forward)(void *conv, int images, const float *x, float *y);
    void (*backward_data)(void *conv, int images, const float *dy, float *dx);
    /* Sets (does not add to) dw, OIHW. */
    void (*backward_weights)(void *conv, int images, const float *x, const float *dy, float *dw);
} elm_backend;

/** The backend of that name; "auto" is the fastest there is. */
const elm_backend *elm_backend_find(const char *name, elm_error *err);

extern const elm_backend elm_backend_openblas;
#ifdef ELMPI_HAVE_ONEDNN
extern const elm_backend elm_backend_onednn;
#endif

#endif
