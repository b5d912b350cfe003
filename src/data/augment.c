#include "data/augment.h"

#include <stdlib.h>
#include <string.h>

enum { PAD_MAX = 64, PAD_CROP = 4, PAD_SHIFT = 1, STEP_SIZE = 32 };

static int bad_step(const char *step, elm_error *err)
{
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "no augmentation \"%s\": use auto, none, resized-crop or steps of crop:<1 to %d>[:mean], flip, crop-flip and shift, "
        "such as \"crop:4, flip\"",
        step, PAD_MAX);
}

/* The value after a step's colon; `plain` without one. -1: not such a value. */
static int pad_of(const char *argument, int plain, bool *mean)
{
    char *end;
    if (argument == NULL)
        return plain;
    const long pad = strtol(argument, &end, 10);
    *mean = strcmp(end, ":mean") == 0;
    return argument[0] >= '0' && argument[0] <= '9' && (*mean || *end == '\0') && pad >= 1 && pad <= PAD_MAX ? (int)pad : -1;
}

/** A step: what it is called and what it adds to a plan. */
typedef struct augment_step {
    const char *name;
    bool argument; /* may have one */
    int pad;       /* without an argument; 0: moves nothing; -1: the argument must be given */
    bool flip;
} augment_step;

static const augment_step steps[] = {
    {"crop", true, -1, false},
    {"flip", false, 0, true},
    {"crop-flip", false, PAD_CROP, true}, /* He et al. 2016, section 4.2 */
    {"shift", true, PAD_SHIFT, false},    /* a flipped digit is none */
};

static int add_step(elm_augment_plan *plan, char *text, elm_error *err)
{
    char *argument = strchr(text, ':');
    const size_t length = argument != NULL ? (size_t)(argument - text) : strlen(text);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const augment_step *step = &steps[i];
        if (strlen(step->name) != length || strncmp(text, step->name, length) != 0)
            continue;
        const int pad = pad_of(argument != NULL ? argument + 1 : NULL, step->pad, &plan->pad_mean);
        if (pad < 0 || (argument != NULL && !step->argument))
            return bad_step(text, err);
        if ((pad > 0 && (plan->pad > 0 || plan->flip)) || (step->flip && plan->flip))
            return elm_error_set(err, ELM_EXIT_USAGE, "augmentation \"%s\" comes twice or after flip: give crop once, then flip", text);
        plan->pad += pad;
        plan->flip |= step->flip;
        return 0;
    }
    return bad_step(text, err);
}

int elm_augment_parse(const char *text, elm_augment_plan *plan, elm_error *err)
{
    *plan =
        (elm_augment_plan){.automatic = text[0] == '\0' || strcmp(text, "auto") == 0, .resized_crop = strcmp(text, "resized-crop") == 0};
    if (plan->automatic || plan->resized_crop || strcmp(text, "none") == 0)
        return 0;
    for (const char *at = text;; at++) {
        char step[STEP_SIZE];
        at += strspn(at, " \t");
        size_t length = strcspn(at, ",");
        const char *end = at + length;
        while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
            length--;
        if (length >= sizeof step)
            return bad_step(text, err);
        memcpy(step, at, length);
        step[length] = '\0';
        if (add_step(plan, step, err) != 0)
            return -1;
        if (*end == '\0')
            return 0;
        at = end;
    }
}

int elm_augment_check(const char *text, elm_error *err)
{
    elm_augment_plan plan;
    return elm_augment_parse(text, &plan, err);
}

/* auto: what suits the records. */
static elm_augment_plan suitable(const elm_store_info *info)
{
    elm_augment_plan plan = {.pad = info->channels == 0 ? 0 : info->channels == 1 ? PAD_SHIFT : PAD_CROP};
    plan.flip = info->channels > 1;
    return plan;
}

int elm_augment_init(elm_augment *augment, const char *text, const elm_store_info *info, elm_error *err)
{
    elm_augment_plan plan;
    if (elm_augment_parse(text, &plan, err) != 0)
        return -1;
    if (plan.automatic)
        plan = suitable(info);
    if (info->channels == 0 && (plan.pad > 0 || plan.flip || plan.resized_crop))
        return elm_error_set(err, ELM_EXIT_USAGE, "features cannot be cropped or shifted (data.augment): choose none or auto for %s",
                             info->dataset);
    if (plan.resized_crop)
        return elm_error_set(err, ELM_EXIT_USAGE, "resized-crop is for pictures in shards (data.augment): choose crop-flip or auto for %s",
                             info->dataset);
    *augment = (elm_augment){
        .channels = info->channels,
        .height = info->height,
        .width = info->width,
        .pad = plan.pad,
        .flip = plan.flip,
    };
    for (int c = 0; c < info->channels; c++) {
        for (int x = 0; x < 256; x++)
            augment->value[c][x] = (float)(((double)x / 255.0 - info->mean[c]) / info->deviation[c]);
        augment->border[c] = plan.pad_mean ? 0 : augment->value[c][0];
    }
    return 0;
}

void elm_augment_picture(const elm_augment *augment, elm_rng *rng, const uint8_t *picture, float *out)
{
    const int height = augment->height, width = augment->width, channels = augment->channels, pad = augment->pad;
    int down = 0, right = 0;
    bool flip = false;
    if (pad > 0) {
        down = (int)elm_rng_below(rng, 2 * (uint32_t)pad + 1) - pad;
        right = (int)elm_rng_below(rng, 2 * (uint32_t)pad + 1) - pad;
    }
    if (augment->flip)
        flip = elm_rng_u32(rng) & 1;
    /* Columns of the picture that stay in sight, and where the first of them goes. */
    const int first = right > 0 ? right : 0, end = right < 0 ? width + right : width;
    const int start = flip ? width - 1 - (first - right) : first - right, step = flip ? -1 : 1;
    for (int c = 0; c < channels; c++) {
        const float *value = augment->value[c];
        for (int y = 0; y < height; y++) {
            float *line = out + ((size_t)c * height + y) * width;
            const int from_y = y + down;
            if (first > 0 || end < width || from_y < 0 || from_y >= height)
                for (int x = 0; x < width; x++)
                    line[x] = augment->border[c];
            if (from_y < 0 || from_y >= height)
                continue;
            const uint8_t *pixel = picture + (size_t)from_y * width * channels + c;
            for (int from = first, x = start; from < end; from++, x += step)
                line[x] = value[pixel[from * channels]];
        }
    }
}
