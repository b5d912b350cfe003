/* What the files of the oneDNN backend share: onednn_engine.c (the library, its CPU and formats),
 * onednn_program.c (primitives for one number of images) and onednn.c (the convolutions). */
#ifndef ELMPI_NN_BACKENDS_ONEDNN_PARTS_H
#define ELMPI_NN_BACKENDS_ONEDNN_PARTS_H

#include "nn/backends/backend.h"
#include "nn/backends/onednn_api.h"

enum { ONEDNN_PROGRAMS_MAX = 8 };

typedef struct onednn_engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    /* as large as the largest convolution's weights: what one convolution needs while it runs
     * backwards */
    void *scratch;
    size_t scratch_bytes;
} onednn_engine;

/* The primitives for one number of images and the memory objects that they read and write; data
 * handles are set at each use. */
typedef struct onednn_program {
    int images;
    dnnl_primitive_t forward, data, weights;
    dnnl_memory_t x, y;     /* also dx and dy: the same shapes */
    dnnl_memory_t residual; /* folded: y's shape; else NULL */
} onednn_program;

typedef struct onednn_convolution {
    onednn_engine *engine;
    elm_conv_shape shape;
    bool fixed; /* the weight layouts below have been chosen */
    onednn_layout plain_layout, forward_layout, data_layout, weights_layout;
    dnnl_memory_t plain, plain_gradient; /* OIHW, the caller's */
    dnnl_memory_t forward_weights;
    dnnl_memory_t bias;                           /* folded; else NULL */
    dnnl_memory_t data_weights, weights_gradient; /* in the engine's scratch */
    void *packed;                                 /* behind forward_weights */
    dnnl_primitive_t pack_forward, pack_data, unpack_gradient;
    onednn_program programs[ONEDNN_PROGRAMS_MAX];
    int program_count;
} onednn_convolution;

/* Where no error can be returned (inside a pass) a failing primitive is a broken invariant: the
 * process ends, and mpirun ends the job. */
#define onednn_must(status, what) onednn_must_at((status), (what), __FILE__, __LINE__)
void onednn_must_at(dnnl_status_t status, const char *what, const char *file, int line);
const char *onednn_status_text(dnnl_status_t status);

/** The engine's functions of elm_backend. */
const char *onednn_engine_cpu(void);
const char *onednn_engine_version(char text[ELM_VERSION_SIZE]);
int onednn_check_format(elm_format format, elm_error *err);
int onednn_engine_open(void **opaque, elm_format format, elm_layout layout, int *block,
                       elm_error *err);
void onednn_engine_close(void *opaque);

dnnl_data_type_t onednn_type_of(elm_format format);

/** A layout of the convolution's weights. */
dnnl_status_t onednn_make_weight_layout(onednn_layout *layout, const elm_conv_shape *s,
                                        elm_format format, dnnl_format_tag_t tag);

/** Makes the primitives for `images` and appends them to the list. */
dnnl_status_t onednn_program_add(onednn_convolution *c, int images);
void onednn_program_destroy(onednn_program *p);
/** The primitives for `images`, made if there are none. */
const onednn_program *onednn_program_for(onednn_convolution *c, int images);

#endif
