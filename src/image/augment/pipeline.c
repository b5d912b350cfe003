#include "image/augment/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

enum { KINDS = sizeof elm_step_kinds / sizeof *elm_step_kinds - 1, TEXT_SIZE = 512 };

static const elm_step_kind *find_kind(const char *name, elm_error *err)
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

/* Place of `text` among "a|b|c", or -1. */
static int choice_of(const char *choices, const char *text)
{
    const size_t length = strlen(text);
    int place = 0;
    for (const char *at = choices; *at != '\0'; place++) {
        const size_t span = strcspn(at, "|");
        if (span == length && strncmp(at, text, length) == 0)
            return place;
        at += span + (at[span] == '|');
    }
    return -1;
}

static int set_value(const elm_step_kind *kind, const elm_step_parameter *parameter,
                     const char *text, double *value, elm_error *err)
{
    if (parameter->choices != NULL) {
        const int place = choice_of(parameter->choices, text);
        *value = place;
        return place >= 0 ? 0
                          : elm_error_set(err, ELM_EXIT_USAGE,
                                          "no %s \"%.80s\" of augmentation %s: use one of %s",
                                          parameter->name, text, kind->name, parameter->choices);
    }
    char *end;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !(*value >= parameter->min && *value <= parameter->max))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "bad %s \"%.80s\" of augmentation %s: give a number from %g to %g",
                             parameter->name, text, kind->name, parameter->min, parameter->max);
    return 0;
}

static int parameter_count(const elm_step_kind *kind)
{
    int count = 0;
    while (count < ELM_STEP_PARAMETERS && kind->parameters[count].name != NULL)
        count++;
    return count;
}

/* Which parameter "name=value" or the next value in order is meant for; *text is left at the
 * value. */
static int place_of(const elm_step_kind *kind, int in_order, char **text, elm_error *err)
{
    char *equals = strchr(*text, '=');
    const int count = parameter_count(kind);
    if (equals == NULL && in_order < count)
        return in_order;
    if (equals == NULL) {
        elm_error_set(err, ELM_EXIT_USAGE,
                      "too many parameters (\"%.80s\") of augmentation %s: it has %d", *text,
                      kind->name, count);
        return -1;
    }
    *equals = '\0';
    for (int i = 0; i < count; i++)
        if (strcmp(*text, kind->parameters[i].name) == 0) {
            *text = equals + 1;
            return i;
        }
    const char *names[ELM_STEP_PARAMETERS];
    for (int i = 0; i < count; i++)
        names[i] = kind->parameters[i].name;
    const char *nearest = elm_nearest_name(*text, names, count);
    elm_error_set(err, ELM_EXIT_USAGE, "unknown parameter \"%.80s\" of augmentation %s%s%s", *text,
                  kind->name,
                  nearest ? ": did you mean "
                  : count ? ": its first is "
                          : ": it has none",
                  nearest ? nearest
                  : count ? names[0]
                          : "");
    return -1;
}

static int check_given(const elm_augment_step *step, elm_error *err)
{
    const elm_step_parameter *parameters = step->kind->parameters;
    for (int i = 0; i < parameter_count(step->kind); i++)
        if (isnan(step->value[i]))
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "augmentation %s needs its %s: write %s:<%g to %g>",
                                 step->kind->name, parameters[i].name, step->kind->name,
                                 parameters[i].min, parameters[i].max);
    for (int i = 0; i + 1 < parameter_count(step->kind); i++)
        if (strcmp(parameters[i].name, "least") == 0 && step->value[i] > step->value[i + 1])
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "least %g above most %g of augmentation %s: exchange them",
                                 step->value[i], step->value[i + 1], step->kind->name);
    return 0;
}

static int parse_step(elm_augment_step *step, char *text, elm_error *err)
{
    char *rest = strchr(text, ':');
    if (rest != NULL)
        *rest++ = '\0';
    step->kind = find_kind(text, err);
    if (step->kind == NULL)
        return -1;
    for (int i = 0; i < ELM_STEP_PARAMETERS; i++)
        step->value[i] = step->kind->parameters[i].fallback;
    for (int order = 0; rest != NULL; order++) {
        char *value = rest;
        rest = strchr(rest, ':');
        if (rest != NULL)
            *rest++ = '\0';
        const int place = place_of(step->kind, order, &value, err);
        if (place < 0 || set_value(step->kind, &step->kind->parameters[place], value,
                                   &step->value[place], err) != 0)
            return -1;
    }
    return check_given(step, err);
}

static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text;
}

static int add_step(elm_pipeline *pipeline, char *text, elm_error *err)
{
    if (pipeline->count == ELM_PIPELINE_STEPS_MAX)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "more than %d steps of augmentation: leave some out",
                             ELM_PIPELINE_STEPS_MAX);
    if (pipeline->count > 0 && pipeline->steps[pipeline->count - 1].kind->last)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "augmentation %s must be the last step: move it behind \"%.80s\"",
                             pipeline->steps[pipeline->count - 1].kind->name, text);
    /* the name of both together, from when there was nothing else */
    if (strcmp(text, "crop-flip") == 0)
        return add_step(pipeline, (char[]){"crop:4"}, err) == 0
                   ? add_step(pipeline, (char[]){"flip"}, err)
                   : -1;
    if (*text == '\0')
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "an empty step of augmentation: write steps such as \"crop:4, flip\"");
    return parse_step(&pipeline->steps[pipeline->count++], text, err);
}

int elm_pipeline_parse(elm_pipeline *pipeline, const char *text, elm_error *err)
{
    char copy[TEXT_SIZE];
    *pipeline = (elm_pipeline){0};
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "augmentation of more than %d letters: shorten it", TEXT_SIZE - 1);
    if (strcmp(trimmed(copy), "none") == 0 || *trimmed(copy) == '\0')
        return 0;
    for (char *step = copy; step != NULL;) {
        char *next = strchr(step, ',');
        if (next != NULL)
            *next++ = '\0';
        if (add_step(pipeline, trimmed(step), err) != 0)
            return -1;
        step = next;
    }
    return 0;
}

bool elm_pipeline_step_is(const elm_pipeline *pipeline, int place, const char *name)
{
    return place < pipeline->count && strcmp(pipeline->steps[place].kind->name, name) == 0;
}

int elm_pipeline_check(const elm_pipeline *pipeline, elm_image_size size, elm_error *err)
{
    for (int i = 0; i < pipeline->count; i++) {
        const elm_augment_step *step = &pipeline->steps[i];
        const bool tints =
            step->kind->apply == elm_step_jitter && (step->value[2] > 0 || step->value[3] > 0);
        if (size.channels != 3 && (step->kind->needs_color || tints))
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "augmentation %s changes colors, and the pictures have %d channel%s: leave it out",
                step->kind->name, size.channels, size.channels == 1 ? "" : "s");
        if (size.channels != 3 && size.channels != 1)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "augmentation %s is for 1 or 3 channels, not %d: use crop and flip alone",
                step->kind->name, size.channels);
        const int smaller = size.height < size.width ? size.height : size.width;
        if (step->kind->apply == elm_step_crop && step->value[0] >= smaller)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "augmentation %s pads pictures of %d x %d by %g: give less than %d",
                step->kind->name, size.width, size.height, step->value[0], smaller);
        if (step->kind->apply == elm_step_cutout && step->value[0] > 2 * smaller)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "a hole of %g pixels covers pictures of %d x %d (cutout): give less",
                step->value[0], size.width, size.height);
    }
    return 0;
}

void elm_pipeline_apply(const elm_pipeline *pipeline, elm_canvas *canvas, elm_rng *rng)
{
    memset(canvas->erased, 0, sizeof canvas->erased);
    for (int i = 0; i < pipeline->count; i++)
        pipeline->steps[i].kind->apply(&pipeline->steps[i], canvas, rng);
}
