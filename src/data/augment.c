#include "data/augment.h"

/** A way to augment: a row in the order of ELM_AUGMENT_CHOICES. */
typedef struct augment_row {
    int pad;
    bool flip;
} augment_row;

static const augment_row rows[] = {
    [ELM_AUGMENT_NONE] = {0, false},
    [ELM_AUGMENT_CROP_FLIP] = {4, true}, /* He et al. 2016, section 4.2 */
    [ELM_AUGMENT_SHIFT] = {1, false},    /* a flipped digit is none */
};

static int resolve(int choice, const elm_store_info *info)
{
    if (choice != ELM_AUGMENT_AUTO)
        return choice;
    if (info->channels == 0)
        return ELM_AUGMENT_NONE;
    return info->channels == 1 ? ELM_AUGMENT_SHIFT : ELM_AUGMENT_CROP_FLIP;
}

int elm_augment_init(elm_augment *augment, int choice, const elm_store_info *info, elm_error *err)
{
    const int resolved = resolve(choice, info);
    if (info->channels == 0 && resolved != ELM_AUGMENT_NONE)
        return elm_error_set(err, ELM_EXIT_USAGE, "features cannot be cropped or shifted (data.augment): choose none or auto for %s",
                             info->dataset);
    if (resolved == ELM_AUGMENT_RESIZED_CROP)
        return elm_error_set(err, ELM_EXIT_USAGE, "resized-crop is for pictures in shards (data.augment): choose crop-flip or auto for %s",
                             info->dataset);
    *augment = (elm_augment){
        .channels = info->channels,
        .height = info->height,
        .width = info->width,
        .pad = rows[resolved].pad,
        .flip = rows[resolved].flip,
    };
    for (int c = 0; c < info->channels; c++)
        for (int x = 0; x < 256; x++)
            augment->value[c][x] = (float)(((double)x / 255.0 - info->mean[c]) / info->deviation[c]);
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
                    line[x] = value[0];
            if (from_y < 0 || from_y >= height)
                continue;
            const uint8_t *pixel = picture + (size_t)from_y * width * channels + c;
            for (int from = first, x = start; from < end; from++, x += step)
                line[x] = value[pixel[from * channels]];
        }
    }
}
