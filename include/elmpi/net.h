/* Net: a network and its execution plan on one rank. */
#ifndef ELMPI_NET_H
#define ELMPI_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/option.h"
#include "elmpi/partition.h"
#include "elmpi/reduce.h"
#include "elmpi/status.h"
#include "elmpi/tensor.h"
#include "elmpi/timeline.h"

/** [model] of a job file. */
typedef struct elm_model_options {
    /* cifar-resnet32, mlp:16,8,2, ..., or ELM_NET_AUTO until it is resolved */
    char name[ELM_TEXT_SIZE];
    char bn[ELM_TEXT_SIZE]; /* global | rank | group:<n> */
    bool zero_init_gamma;   /* last gamma of each residual block */
    int train;              /* elm_net_train */
    int head;               /* elm_net_head */
} elm_model_options;

/** The last layer: model.head. */
typedef enum elm_net_head {
    /* what the loss wants; whoever knows the loss resolves it, and a network takes it for linear */
    ELM_HEAD_AUTO,
    ELM_HEAD_LINEAR, /* fc.weight and fc.bias */
    /* fc.weight alone; embeddings and class vectors are scaled to length 1, logits are their
     * cosines */
    ELM_HEAD_COSINE,
} elm_net_head;

/** Format of the activations and their gradients: run.precision. Weights, their gradients,
 * BatchNorm's statistics, embeddings and logits are fp32, and so are all sums. */
typedef enum elm_precision {
    /* the fastest that this machine has; whoever asks elm_net_resolve_precision, and a network
     * takes it for fp32 */
    ELM_PRECISION_AUTO,
    ELM_PRECISION_FP32,
    ELM_PRECISION_BF16, /* where the CPU multiplies bf16 in hardware (AVX512-BF16, AMX) */
} elm_precision;
extern const char *const elm_precision_names[]; /* by value */

/** Where the numbers of an activation lie: run.layout. Which is quickest depends on CPU, shapes
 * and library. */
typedef enum elm_layout {
    /* the quickest as measured (choice.h); a network takes it for what the backend's library
     * asks for, or NCHW */
    ELM_LAYOUT_AUTO,
    /* [image][channel / block][h][w][block], block 8 or 16 as the backend prefers */
    ELM_LAYOUT_BLOCKED,
    ELM_LAYOUT_NHWC, /* [image][h][w][channel]: channels last */
    ELM_LAYOUT_NCHW, /* [image][channel][h][w] */
} elm_layout;
extern const char *const elm_layout_names[]; /* by value */

/** What of a network learns: model.train. The rest keeps its values; a backbone that does not
 * learn normalizes by its running statistics. */
typedef enum elm_net_train {
    ELM_TRAIN_ALL,
    ELM_TRAIN_BACKBONE,   /* all but the last layer */
    ELM_TRAIN_CLASSIFIER, /* the last layer alone */
    ELM_TRAIN_SCALE,      /* a factor on each class's logit, fc.scale, which no other setting has */
} elm_net_train;
extern const elm_option elm_model_option_rows[];

/** What a network is built for. */
typedef struct elm_net_spec {
    const elm_model_options *model;
    int channels, height, width; /* of an image, or */
    int features;                /* length of an input vector */
    int classes;
    int max_images;      /* most images a forward pass sees on this rank */
    int64_t max_batch;   /* most images of a global batch; 0: no training */
    int ranks;           /* that share it */
    const char *backend; /* auto | onednn | openblas */
    elm_precision precision;
    elm_layout layout;
    uint64_t seed; /* of the initial weights */
    /* BatchNorm is folded into the convolutions where the backend can: the same within rounding, by
     * running statistics alone; not with max_batch */
    bool fold_norms;
    elm_reducer reducer; /* global sums for BatchNorm; callbacks NULL on one rank */
} elm_net_spec;

typedef struct elm_net elm_net;

/** Builds the network with its initial weights, all buffers included.
 *  Ranks:  local
 *  Errors: unknown model or backend (with the valid ones), memory, impossible image size */
int elm_net_create(elm_net **net, const elm_net_spec *spec, elm_error *err);
void elm_net_destroy(elm_net *net);

/** The parameters, in forward order, as views of one contiguous block each for weights and
 * gradients (same offsets). `state` is the second block: BatchNorm's running mean and variance. */
typedef struct elm_net_parameters {
    int count;
    const elm_tensor *tensors; /* data points into weights */
    const bool *is_norm;       /* [count] BatchNorm's gamma and beta */
    float *weights, *gradients;
    int64_t size;                   /* floats in each block */
    int trainable_first, learn_end; /* parameters that learn: a run of them */
    int state_count;
    const elm_tensor *state_tensors;
    float *state;
    int64_t state_size;
} elm_net_parameters;
elm_net_parameters elm_net_view(elm_net *net);

/** To be called after writing into `weights` or `state`. */
void elm_net_weights_changed(elm_net *net);

/** Images -> embeddings. Training: batch statistics (synchronized over ranks by bn scope; every
 * rank must call, also with share.local == 0) and running statistics updated; otherwise running
 * statistics, no communication.
 *  Shape:  input [share.local][C][H][W]; returns Phi [share.local][K] float32, borrowed until
 *          the next call */
const float *elm_net_embed_all(elm_net *net, const float *input, elm_partition share,
                               bool training);

/** Embeddings of the last elm_net_embed_all -> logits [share.local][L], borrowed. Local. */
const float *elm_net_classify(elm_net *net);

/** Gradient blocks for the losses to add to; zeroed by elm_net_classify. */
float *elm_net_logits_gradient(elm_net *net);     /* [local][L] */
float *elm_net_embeddings_gradient(elm_net *net); /* [local][K] */

/** Callbacks of the backward pass, through which communication overlaps with it. */
typedef struct elm_backward_hooks {
    /* all from `first` to the block's end are final */
    void (*gradients_final)(void *context, int64_t first);
    void (*poll)(void *context); /* called between layers */
    void *context;
} elm_backward_hooks;

/** Gradients of the parameters that learn from the two gradient blocks; sets (does not add to) the
 * gradient block.
 *  Ranks:  collective where BatchNorm is synchronized */
void elm_net_backward_all(elm_net *net, const elm_backward_hooks *watch);

/** Records every layer's passes from now on; NULL: no more. Borrowed. */
void elm_net_set_timeline(elm_net *net, elm_timeline *timeline);

int elm_net_width(const elm_net *net);   /* K */
int elm_net_classes(const elm_net *net); /* L */
const char *elm_net_backend(const elm_net *net);
/** What computes most of the convolutions (by operations), as the library names it: "forward,
 * data gradient, weight gradient"; "" without convolutions. */
void elm_net_implementation(const elm_net *net, char *text, size_t size_bytes);
/** Of the activations; never ELM_LAYOUT_AUTO. */
elm_layout elm_net_layout(const elm_net *net);
/** Floating-point operations of one training step an image: 2 x multiply-adds of convolutions and
 * FC, forward + data gradient (not the first layer's) + weight gradient. */
double elm_net_training_flops(const elm_net *net);
/** True when ranks compute running statistics of their own (bn = rank or group), so that `state`
 * has to be averaged over ranks, weighted by images. */
bool elm_net_state_differs(const elm_net *net);
/** Checks a backend's name; err lists the valid ones. */
int elm_net_check_backend(const char *name, elm_error *err);
/** The backend that a name stands for, "auto" above all; NULL with the valid ones in err. */
const char *elm_net_resolve_backend(const char *name, elm_error *err);
/** What "auto" stands for on this machine with that backend; an explicit format is checked.
 *  Errors: -1 when this machine computes bf16 only by emulation, with the remedy in err */
int elm_net_resolve_precision(elm_precision precision, const char *backend, elm_precision *resolved,
                              elm_error *err);
/** Versions of the libraries that compute the network, and the kind of CPU they compute for. */
void elm_net_describe(const elm_net *net, char *text, size_t size_bytes);
/** Kinds of CPU that these libraries compute for here; ranks must agree. */
void elm_net_cpu(char *text, size_t size_bytes);
/** The same as each library names it; empty for oneDNN where the build has none. */
void elm_net_cpu_names(char *onednn, size_t onednn_bytes, char *openblas, size_t openblas_bytes);
/** model.name of a job that leaves the network open, and the network that it stands for with
 * input of that many pixels a side, or features. */
#define ELM_NET_AUTO "auto"
const char *elm_net_name_for(int side, int features);
/** Checks a model name without building it; err lists the valid ones. */
int elm_net_check_name(const char *name, elm_error *err);

#endif
