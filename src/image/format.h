/* Format: what images of a data set are like before they become the network's input. */
#ifndef ELMPI_IMAGE_FORMAT_H
#define ELMPI_IMAGE_FORMAT_H

#include <stdbool.h>

enum { ELM_FORMAT_CHANNELS_MAX = 4 };

typedef struct elm_image_format {
    const char *dataset;                 /* for messages, borrowed */
    int channels, height, width;         /* 0 channels: features, no images */
    bool in_shards;                      /* encoded images of any size */
    float mean[ELM_FORMAT_CHANNELS_MAX]; /* of x / 255, by channel */
    float std[ELM_FORMAT_CHANNELS_MAX];
} elm_image_format;

#endif
