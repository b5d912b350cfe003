/* Export: a trained network as a file for other programs. */
#ifndef ELMPI_EXPORT_H
#define ELMPI_EXPORT_H

#include "elmpi/checkpoint.h"
#include "elmpi/net.h"
#include "elmpi/store.h"

/** What is exported, and what the file's metadata say of it. Borrowed. */
typedef struct elm_export_request {
    const elm_checkpoint *checkpoint;
    const char *weights; /* which of its weights have been chosen: "last" (or NULL) or "ema" */
    const elm_model_options *model; /* of the checkpoint's job */
    /* of the store that it was trained on; height and width as the network sees images */
    const elm_store_info *data;
    /* images in shards: data.crop and elm_data_resize; 0: the network sees the store's
     * images */
    int crop, resize;
    const char *version;            /* elmpi's */
    const char *const *class_names; /* [classes] instead of the checkpoint's, or NULL */
} elm_export_request;

/** Checks that a file's name ends in a format that elmpi can write: .safetensors or .onnx.
 *  Errors: ELM_EXIT_USAGE with the valid ones */
int elm_export_check_name(const char *path, elm_error *err);

/** Writes the network by way of a temporary file; `path` changes in one instant or not at all.
 * Factors on the logits (fc.scale) are multiplied into the last layer. Format: by the name's end.
 * safetensors: the checkpoint's names, which are torchvision's, with num_batches_tracked. ONNX:
 * opset 13, input float "input" [batch, channels, height, width] or [batch, features] as the
 * metadata say (resize, crop, mean, std), output "logits" [batch, classes]
 *  Errors: weights that do not fit the model, memory, a file that cannot be written */
int elm_export_write(const elm_export_request *request, const char *path, elm_error *err);

#endif
