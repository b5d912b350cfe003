#include "elmpi/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <yajl/yajl_gen.h>

#include "base/file/io.h"
#include "base/text/utf8.h"
#include "checkpoint/safetensors/safetensors.h"
#include "elmpi/memory.h"
#include "elmpi/output.h"
#include "export/onnx.h"
#include "nn/weights.h"

/* A network and its metadata. */
typedef struct subject {
    const elm_export_request *request;
    elm_net *net;
    const elm_metadata *metadata;
} subject;

/* Tensors as the network has them: under their own names, factors on the logits folded in. */
static int build_safetensors(const subject *s, elm_bytes *file, elm_error *err)
{
    const elm_net_parameters view = elm_net_view(s->net);
    elm_tensor *tensors =
        elm_alloc((size_t)view.count + (size_t)view.state_count, sizeof *tensors, err);
    if (tensors == NULL)
        return -1;
    memcpy(tensors, view.tensors, (size_t)view.count * sizeof *tensors);
    if (view.state_count > 0)
        memcpy(tensors + view.count, view.state_tensors,
               (size_t)view.state_count * sizeof *tensors);
    const int status = elm_safetensors_build(tensors, view.count + view.state_count,
                                             s->request->checkpoint->step, s->metadata, file, err);
    elm_free(tensors);
    return status;
}

static int build_onnx(const subject *s, elm_bytes *file, elm_error *err)
{
    const elm_store_info *data = s->request->data;
    const elm_onnx_input input = {data->channels, data->height, data->width, data->features};
    return elm_onnx_build(s->net, &input, s->request->model->name, s->request->version, s->metadata,
                          file, err);
}

static const struct {
    const char *suffix;
    int (*build)(const subject *s, elm_bytes *file, elm_error *err);
} formats[] = {{".safetensors", build_safetensors}, {".onnx", build_onnx}};
enum { FORMATS = sizeof formats / sizeof *formats, TEXT_BYTES = 1 << 15 };

/* Place in `formats`, or FORMATS. */
static int format_of(const char *path)
{
    int f = 0;
    for (; f < FORMATS; f++) {
        const size_t length = strlen(path), end = strlen(formats[f].suffix);
        if (length > end && strcasecmp(path + length - end, formats[f].suffix) == 0)
            break;
    }
    return f;
}

int elm_export_check_name(const char *path, elm_error *err)
{
    if (format_of(path) < FORMATS)
        return 0;
    const bool pytorch = elm_safetensors_check_other(path, NULL) != 0;
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "the file's name says no known format (%s): end it with .safetensors or .onnx%s", path,
        pytorch ? "; PyTorch reads the former (safetensors.torch.load_file)" : "");
}

/* "[0.5071,0.4867,0.4408]" */
static void print_reals(char *text, size_t size_bytes, const float *values, int count)
{
    size_t used = (size_t)snprintf(text, size_bytes, "[");
    for (int i = 0; i < count && used < size_bytes; i++)
        used += (size_t)snprintf(text + used, size_bytes - used, i > 0 ? ",%.9g" : "%.9g",
                                 (double)values[i]);
    if (used < size_bytes)
        snprintf(text + used, size_bytes - used, "]");
}

/* The classes' names as a JSON list, copied out of the generator; NULL with err where they
 * cannot be. */
static char *class_list(const elm_export_request *request, elm_error *err)
{
    const elm_checkpoint *checkpoint = request->checkpoint;
    const char *const *names =
        request->class_names != NULL ? request->class_names : checkpoint->class_names;
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t length = 0;
    bool sound = gen != NULL && yajl_gen_config(gen, yajl_gen_validate_utf8, 1) &&
                 yajl_gen_array_open(gen) == yajl_gen_status_ok;
    char escaped[TEXT_BYTES];
    for (int c = 0; sound && names != NULL && c < checkpoint->classes; c++) {
        const char *name = elm_utf8_is_valid(names[c])
                               ? names[c]
                               : elm_utf8_escape(escaped, sizeof escaped, names[c]);
        sound =
            yajl_gen_string(gen, (const unsigned char *)name, strlen(name)) == yajl_gen_status_ok;
    }
    sound = sound && yajl_gen_array_close(gen) == yajl_gen_status_ok &&
            yajl_gen_get_buf(gen, &text, &length) == yajl_gen_status_ok;
    char *list = NULL;
    if (!sound)
        elm_error_set(err, ELM_EXIT_FAILURE, "memory ran out (metadata): close other programs");
    else if ((list = elm_alloc(length + 1, 1, err)) != NULL)
        memcpy(list, text, length);
    if (gen != NULL)
        yajl_gen_free(gen);
    return list;
}

static int load_net(subject *s, elm_error *err)
{
    const elm_export_request *r = s->request;
    elm_model_options model = *r->model;
    model.train = ELM_TRAIN_ALL; /* without factors on the logits: they are folded in */
    const elm_net_spec spec = {
        .model = &model,
        .channels = r->data->channels,
        .height = r->data->height,
        .width = r->data->width,
        .features = r->data->features,
        .classes = r->data->classes,
        .max_images = 1,
        .ranks = 1,
        .backend = "openblas", /* nothing is computed */
    };
    return elm_net_create(&s->net, &spec, err) != 0
               ? -1
               : elm_weights_load_pretrained(s->net, r->checkpoint->tensors,
                                             r->checkpoint->tensor_count, false, err);
}

/* What is done to an image before the network sees it. */
static void describe_input(const elm_export_request *request, char *text, size_t size_bytes)
{
    const elm_store_info *data = request->data;
    if (data->features > 0)
        snprintf(text, size_bytes, "float32 [batch, %d], as in the data set", data->features);
    else if (request->resize > 0)
        snprintf(text, size_bytes,
                 "float32 [batch, %d, %d, %d]: torchvision's Resize(%d, bilinear, antialias) of "
                 "the upright image, CenterCrop(%d), then "
                 "(pixel / 255 - mean) / std by channel, pixel 0..255",
                 data->channels, data->height, data->width, request->resize, request->crop);
    else
        snprintf(text, size_bytes,
                 "float32 [batch, %d, %d, %d]: (pixel / 255 - mean) / std by channel, pixel 0..255",
                 data->channels, data->height, data->width);
}

int elm_export_write(const elm_export_request *request, const char *path, elm_error *err)
{
    const elm_store_info *data = request->data;
    char mean[96], std[96], input[320], step[32], resize[16], crop[16];
    if (elm_export_check_name(path, err) != 0)
        return -1;
    print_reals(mean, sizeof mean, data->mean, data->channels);
    print_reals(std, sizeof std, data->std, data->channels);
    describe_input(request, input, sizeof input);
    snprintf(resize, sizeof resize, "%d", request->resize);
    snprintf(crop, sizeof crop, "%d", request->crop);
    snprintf(step, sizeof step, "%" PRId64, request->checkpoint->step);
    char *classes = class_list(request, err);
    if (classes == NULL)
        return -1;
    const elm_metadata metadata[] = {
        {"format", "pt"},
        {"elmpi", request->version},
        {"model", request->model->name},
        {"head", request->model->head == ELM_HEAD_COSINE ? "cosine" : "linear"},
        {"dataset", data->dataset},
        {"classes", classes},
        {"resize", resize},
        {"crop", crop},
        {"interpolation", request->resize > 0 ? "bilinear, antialias" : "none"},
        {"mean", mean},
        {"std", std},
        {"deviation", std}, /* std's name in files of earlier versions */
        {"input", input},
        {"step", step},
        {"weights", request->weights != NULL ? request->weights : "last"},
        {NULL, NULL},
    };
    subject s = {.request = request, .metadata = metadata};
    elm_bytes file = {0};
    int status = load_net(&s, err);
    if (status == 0)
        status = formats[format_of(path)].build(&s, &file, err);
    if (status == 0)
        status = elm_output_write_file(path, file.data, file.size, err);
    elm_bytes_free(&file);
    elm_net_destroy(s.net);
    elm_free(classes);
    return status;
}
