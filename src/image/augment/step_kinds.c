#include "image/augment/step_kinds.h"

#include <math.h>
#include <string.h>

#include "image/augment/policies.h"
#include "image/augment/steps.h"

#define REQUIRED NAN
#define RESAMPLING                                                                                 \
    {                                                                                              \
        "resampling", ELM_RESAMPLING_CHOICES, 0, 0, 0                                              \
    }
#define FACTOR                                                                                     \
    {                                                                                              \
        "factor", NULL, REQUIRED, 0, 10                                                            \
    }
#define PROBABILITY(p)                                                                             \
    {                                                                                              \
        "probability", NULL, p, 0, 1                                                               \
    }

static const char geometry[] = "a fixed geometric operation, black from outside";
static const char color[] = "a fixed operation on colors";
static const char pillow[] = "Pillow 9.4";

const elm_step_kind elm_step_kinds[] = {
    {"crop",
     {{"pad", NULL, 4, 1, 256}, {"border", "black|mean", 0, 0, 0}},
     false,
     false,
     elm_step_crop,
     "pads by so many black pixels and cuts the image's size out at random",
     "He et al. 2016, section 4.2"},
    {"shift",
     {{"pad", NULL, 1, 1, 256}},
     false,
     false,
     elm_step_crop,
     "crop by a pixel",
     "for digits"},
    {"flip",
     {PROBABILITY(.5)},
     false,
     false,
     elm_step_flip,
     "left to right",
     "He et al. 2016, section 4.2"},
    {"resized-crop",
     {{"least", NULL, .08, 0.0001, 1}, {"most", NULL, 1, 0.0001, 1}},
     false,
     false,
     elm_step_resized_crop,
     "a random part, of least to most of the area and a ratio of 3/4 to 4/3, resized",
     "torchvision's RandomResizedCrop"},
    {"autoaugment",
     {{"policy", ELM_AUTOAUGMENT_CHOICES, 0, 0, 0}},
     false,
     false,
     elm_step_autoaugment,
     "one of 25 pairs of operations; cifar10 as the public long-tail code, fill 128",
     "Cubuk et al. 2019"},
    {"randaugment",
     {{"n", NULL, 2, 1, 15}, {"m", NULL, 9, 0, 30}, {"variant", ELM_RANDAUGMENT_CHOICES, 0, 0, 0}},
     false,
     false,
     elm_step_randaugment,
     "n operations of magnitude m (torchvision 0 to 30, timm 0 to 10)",
     "Cubuk et al. 2020"},
    {"trivialaugment",
     {{0}},
     false,
     false,
     elm_step_trivialaugment,
     "one operation of any magnitude (Wide)",
     "Müller and Hutter 2021"},
    {"jitter",
     {{"brightness", NULL, REQUIRED, 0, 10},
      {"contrast", NULL, 0, 0, 10},
      {"saturation", NULL, 0, 0, 10},
      {"hue", NULL, 0, 0, .5},
      PROBABILITY(1)},
     false,
     false,
     elm_step_jitter,
     "brightness, contrast, saturation, hue in random order, each by a random factor",
     "torchvision's ColorJitter"},
    {"gray",
     {PROBABILITY(.2)},
     true,
     false,
     elm_step_gray,
     "the same gray in all channels",
     "torchvision's RandomGrayscale"},
    {"blur",
     {PROBABILITY(.5), {"least", NULL, .1, 0.01, 20}, {"most", NULL, 2, 0.01, 20}},
     false,
     false,
     elm_step_blur,
     "Gaussian, its deviation drawn between least and most",
     "Chen et al. 2020, Pillow's GaussianBlur"},
    {"cutout",
     {{"side", NULL, 16, 1, 4096}},
     false,
     false,
     elm_step_cutout,
     "a black square, cut off at the edges",
     "DeVries and Taylor 2017"},
    {"erasing",
     {PROBABILITY(.5), {"least", NULL, .02, 0.0001, 1}, {"most", NULL, .33, 0.0001, 1}},
     false,
     true,
     elm_step_erasing,
     "a rectangle of the mean, of least to most of the area",
     "torchvision's RandomErasing"},
    {"rotate",
     {{"degrees", NULL, REQUIRED, -360, 360}, RESAMPLING},
     false,
     false,
     elm_step_rotate,
     geometry,
     pillow},
    {"shear-x",
     {{"by", NULL, REQUIRED, -2, 2}, RESAMPLING},
     false,
     false,
     elm_step_shear_x,
     geometry,
     pillow},
    {"shear-y",
     {{"by", NULL, REQUIRED, -2, 2}, RESAMPLING},
     false,
     false,
     elm_step_shear_y,
     geometry,
     pillow},
    {"translate-x",
     {{"pixels", NULL, REQUIRED, -4096, 4096}, RESAMPLING},
     false,
     false,
     elm_step_translate_x,
     geometry,
     pillow},
    {"translate-y",
     {{"pixels", NULL, REQUIRED, -4096, 4096}, RESAMPLING},
     false,
     false,
     elm_step_translate_y,
     geometry,
     pillow},
    {"brightness", {FACTOR}, false, false, elm_step_brightness, color, pillow},
    {"color", {FACTOR}, true, false, elm_step_color, color, pillow},
    {"contrast", {FACTOR}, false, false, elm_step_contrast, color, pillow},
    {"sharpness", {FACTOR}, false, false, elm_step_sharpness, color, pillow},
    {"posterize",
     {{"bits", NULL, REQUIRED, 0, 8}},
     false,
     false,
     elm_step_posterize,
     color,
     pillow},
    {"solarize",
     {{"threshold", NULL, REQUIRED, 0, 256}},
     false,
     false,
     elm_step_solarize,
     color,
     pillow},
    {"solarize-add",
     {{"by", NULL, REQUIRED, 0, 255}},
     false,
     false,
     elm_step_solarize_add,
     color,
     "timm"},
    {"autocontrast", {{0}}, false, false, elm_step_autocontrast, color, pillow},
    {"equalize", {{0}}, false, false, elm_step_equalize, color, pillow},
    {"invert", {{0}}, false, false, elm_step_invert, color, pillow},
    {"hue",
     {{"turns", NULL, REQUIRED, -.5, .5}},
     true,
     false,
     elm_step_hue,
     color,
     "torchvision's adjust_hue"},
    {0},
};

enum { KINDS = sizeof elm_step_kinds / sizeof *elm_step_kinds - 1 };

const elm_step_kind *elm_step_kind_find(const char *name, elm_error *err)
{
    const char *names[KINDS], *nearest;
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(name, elm_step_kinds[i].name) == 0)
            return &elm_step_kinds[i];
        names[i] = elm_step_kinds[i].name;
    }
    nearest = elm_nearest_name(name, names, KINDS);
    if (nearest != NULL)
        elm_error_set(err, ELM_EXIT_USAGE, "unknown augmentation \"%.80s\": did you mean %s?", name,
                      nearest);
    else
        elm_error_set(err, ELM_EXIT_USAGE,
                      "unknown augmentation \"%.80s\": elmpi-methods lists them (crop, flip, "
                      "autoaugment, cutout, ...)",
                      name);
    return NULL;
}
