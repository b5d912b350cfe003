/* network_logits CHECKPOINT MODEL linear|cosine CHANNELS HEIGHT WIDTH FEATURES CLASSES <input
 * >logits: what elmpi's own network makes of raw float32 images, for comparison with other
 * programs' readings of the exported files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/checkpoint.h"
#include "elmpi/net.h"
#include "nn/weights.h"

enum { IMAGES_MAX = 16 };

static int run(elm_net *net, size_t image, elm_error *err)
{
    float *input = malloc(IMAGES_MAX * image * sizeof *input);
    if (input == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "out of memory (input): give less");
    const int images = (int)(fread(input, sizeof *input, IMAGES_MAX * image, stdin) / image);
    elm_net_embed_all(net, input, elm_partition_of(images, 1, 0), false);
    fwrite(elm_net_classify(net), sizeof(float), (size_t)images * elm_net_classes(net), stdout);
    free(input);
    return 0;
}

int main(int argc, char **argv)
{
    elm_error err = {0};
    elm_checkpoint *checkpoint = NULL;
    elm_net *net = NULL;
    if (argc != 9)
        return ELM_EXIT_USAGE;
    elm_model_options model = {
        .bn = "global", .head = strcmp(argv[3], "cosine") == 0 ? ELM_HEAD_COSINE : ELM_HEAD_LINEAR};
    snprintf(model.name, sizeof model.name, "%s", argv[2]);
    const elm_net_spec spec = {
        .model = &model,
        .channels = atoi(argv[4]),
        .height = atoi(argv[5]),
        .width = atoi(argv[6]),
        .features = atoi(argv[7]),
        .classes = atoi(argv[8]),
        .max_images = IMAGES_MAX,
        .ranks = 1,
        .backend = "auto",
    };
    const size_t image = spec.features > 0 ? (size_t)spec.features
                                           : (size_t)spec.channels * spec.height * spec.width;
    int status = elm_checkpoint_read(argv[1], &checkpoint, &err);
    if (status == 0)
        status = elm_net_create(&net, &spec, &err);
    if (status == 0)
        status = elm_weights_load(net, checkpoint->tensors, checkpoint->tensor_count, &err);
    if (status == 0)
        status = run(net, image, &err);
    if (status != 0)
        fprintf(stderr, "network_logits: %s\n", err.text);
    elm_net_destroy(net);
    elm_checkpoint_free(checkpoint);
    return status == 0 ? ELM_EXIT_SUCCESS : err.code;
}
