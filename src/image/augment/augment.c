#include "image/augment/augment.h"

#include <string.h>

#include "elmpi/memory.h"

static bool is_auto(const char *text)
{
    return text[0] == '\0' || strcmp(text, "auto") == 0;
}

/* Names from when there were no steps. */
static const char *as_steps(const char *text, const elm_image_format *format)
{
    if (strcmp(text, "resized-crop") == 0 || (is_auto(text) && format->in_shards))
        return "resized-crop, flip";
    if (!is_auto(text))
        return text;
    /* a flipped digit is none */
    return format->channels == 0 ? "none" : format->channels == 1 ? "shift" : "crop, flip";
}

int elm_augment_check(const char *text, elm_error *err)
{
    elm_pipeline pipeline;
    return is_auto(text) ? 0 : elm_pipeline_parse(&pipeline, text, err);
}

static bool moves(const elm_pipeline *pipeline, int place)
{
    return elm_pipeline_step_is(pipeline, place, "crop") ||
           elm_pipeline_step_is(pipeline, place, "shift");
}

static bool flips_half(const elm_pipeline *pipeline, int place)
{
    return elm_pipeline_step_is(pipeline, place, "flip") && pipeline->steps[place].value[0] == 0.5;
}

/* Crop, flip or both, and nothing else, are done while pixels are normalized: the same draws,
 * the same numbers. */
static bool take_plain(elm_augment *augment, bool *mean)
{
    const elm_pipeline *pipeline = &augment->pipeline;
    const int move = moves(pipeline, 0), flip = flips_half(pipeline, move);
    *mean = false;
    for (int i = 0; i < pipeline->count; i++)
        *mean |= elm_pipeline_step_is(pipeline, i, "crop") && pipeline->steps[i].value[1] > 0;
    if (move + flip != pipeline->count)
        return false;
    augment->pad = move ? (int)pipeline->steps[0].value[0] : 0;
    augment->flip = flip;
    augment->pipeline.count = 0;
    return true;
}

static void make_values(elm_augment *augment, const elm_image_format *format, bool mean)
{
    for (int c = 0; c < format->channels; c++) {
        for (int x = 0; x < 256; x++)
            augment->value[c][x] = (float)(((double)x / 255.0 - format->mean[c]) / format->std[c]);
        augment->border[c] = mean ? 0 : augment->value[c][0];
    }
}

int elm_augment_init(elm_augment *augment, const char *text, const elm_image_format *format,
                     elm_error *err)
{
    *augment = (elm_augment){
        .channels = format->channels, .height = format->height, .width = format->width};
    if (elm_pipeline_parse(&augment->pipeline, as_steps(text, format), err) != 0)
        return -1;
    if (format->channels == 0)
        return augment->pipeline.count == 0
                   ? 0
                   : elm_error_set(err, ELM_EXIT_USAGE,
                                   "features cannot be cropped or shifted (data.augment): choose "
                                   "none or auto for %s",
                                   format->dataset);
    bool mean;
    const elm_image_size size = {format->height, format->width, format->channels};
    const int smaller = size.height < size.width ? size.height : size.width;
    if (!take_plain(augment, &mean) && mean)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "a border of the mean goes with crop and flip alone (data.augment): use black");
    if (augment->pad >= smaller)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "images of %d x %d cannot be padded by %d (data.augment): give less than %d",
            size.width, size.height, augment->pad, smaller);
    if (elm_pipeline_check(&augment->pipeline, size, err) != 0)
        return -1;
    make_values(augment, format, mean);
    return 0;
}

int elm_augment_init_shards(elm_augment *augment, const char *text, const elm_image_format *format,
                            double area[2], bool *flip, elm_error *err)
{
    const elm_image_size size = {format->height, format->width, format->channels};
    elm_pipeline *pipeline = &augment->pipeline;
    *augment = (elm_augment){
        .channels = format->channels, .height = format->height, .width = format->width};
    area[0] = area[1] = 0;
    *flip = false;
    if (elm_pipeline_parse(pipeline, as_steps(text, format), err) != 0)
        return -1;
    if (pipeline->count == 0)
        return 0;
    if (!elm_pipeline_step_is(pipeline, 0, "resized-crop"))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "images in shards are of any size (data.augment): begin with "
                             "resized-crop, or use none or auto");
    area[0] = pipeline->steps[0].value[0];
    area[1] = pipeline->steps[0].value[1];
    *flip = flips_half(pipeline, 1);
    pipeline->count -= 1 + *flip;
    memmove(pipeline->steps, pipeline->steps + 1 + *flip,
            (size_t)pipeline->count * sizeof *pipeline->steps);
    for (int i = 0; i < pipeline->count; i++)
        if (elm_pipeline_step_is(pipeline, i, "crop") && pipeline->steps[i].value[1] > 0)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "a border of the mean is not for images in shards (data.augment): use black");
    make_values(augment, format, false);
    return elm_pipeline_check(pipeline, size, err);
}

int elm_augment_work_init(elm_augment_work *work, const elm_augment *augment, elm_error *err)
{
    const elm_image_size size = {augment->height, augment->width, augment->channels};
    *work = (elm_augment_work){.canvas.size = size};
    if (augment->pipeline.count == 0)
        return 0;
    const size_t image = (elm_image_bytes(size) + 63) / 64 * 64,
                 resize = elm_canvas_work_bytes(size);
    work->block = elm_alloc(2 * image + resize, 1, err);
    if (work->block == NULL)
        return -1;
    work->canvas.image = work->block;
    work->canvas.other = work->canvas.image + image;
    work->canvas.work = work->canvas.other + image;
    return 0;
}

void elm_augment_work_release(elm_augment_work *work)
{
    elm_free(work->block);
    work->block = NULL;
}

/* What a step gave up becomes the mean. */
static void erase(const elm_augment *augment, const int erased[4], float *out)
{
    for (int c = 0; c < augment->channels; c++)
        for (int y = erased[0]; y < erased[0] + erased[1]; y++)
            memset(out + ((size_t)c * augment->height + y) * augment->width + erased[2], 0,
                   (size_t)erased[3] * sizeof *out);
}

/* Moved, flipped, normalized in one pass. */
static void normalize(const elm_augment *augment, elm_rng *rng, const uint8_t *image, float *out)
{
    const int height = augment->height, width = augment->width, channels = augment->channels,
              pad = augment->pad;
    int down = 0, right = 0;
    bool flip = false;
    if (pad > 0) {
        down = (int)elm_rng_below(rng, 2 * (uint32_t)pad + 1) - pad;
        right = (int)elm_rng_below(rng, 2 * (uint32_t)pad + 1) - pad;
    }
    if (augment->flip)
        flip = elm_rng_u32(rng) & 1;
    /* Columns of the image that stay in sight, and where the first of them goes. */
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
            const uint8_t *pixel = image + (size_t)from_y * width * channels + c;
            for (int from = first, x = start; from < end; from++, x += step)
                line[x] = value[pixel[from * channels]];
        }
    }
}

static void run_pipeline(const elm_augment *augment, elm_augment_work *work, elm_rng *rng,
                         float *out)
{
    elm_pipeline_apply(&augment->pipeline, &work->canvas, rng);
    normalize(augment, rng, work->canvas.image, out);
    erase(augment, work->canvas.erased, out);
}

void elm_augment_image(const elm_augment *augment, elm_augment_work *work, elm_rng *rng,
                       const uint8_t *image, float *out)
{
    if (augment->pipeline.count == 0) {
        normalize(augment, rng, image, out);
        return;
    }
    memcpy(work->canvas.image, image, elm_image_bytes(work->canvas.size));
    run_pipeline(augment, work, rng, out);
}

void elm_augment_pixels(const elm_augment *augment, elm_augment_work *work, elm_rng *rng,
                        float *out)
{
    const size_t pixels = (size_t)augment->height * augment->width,
                 channels = (size_t)augment->channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++) {
            const float v = out[c * pixels + i] + 0.5f;
            work->canvas.image[i * channels + c] = (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v);
        }
    run_pipeline(augment, work, rng, out);
}
