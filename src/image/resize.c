#include "image/resize.h"

#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "elmpi/memory.h"
#include "image/resample.h"

struct elm_image_resizer {
    struct jpeg_error_mgr errors; /* first, so that a pointer to it is one to the resizer */
    jmp_buf failed;
    char reason[JMSG_LENGTH_MAX];
    struct jpeg_compress_struct jpeg;
    bool ready; /* jpeg has been made */
    elm_decoder *decoder;
    elm_axis across, down;
    /* a row of the decoded image; the resized image, red, green, blue side by side */
    float *line, *values;
    size_t line_capacity, value_capacity;
    uint8_t *row;
    size_t row_capacity;
};

static void leave(j_common_ptr jpeg)
{
    elm_image_resizer *resizer = (elm_image_resizer *)jpeg->err;
    jpeg->err->format_message(jpeg, resizer->reason);
    longjmp(resizer->failed, 1);
}

int elm_image_resizer_create(elm_image_resizer **out, elm_error *err)
{
    *out = NULL;
    elm_image_resizer *resizer = elm_alloc(1, sizeof *resizer, err);
    if (resizer == NULL)
        return -1;
    resizer->jpeg.err = jpeg_std_error(&resizer->errors);
    resizer->errors.error_exit = leave;
    if (elm_decoder_create(&resizer->decoder, err) != 0) {
        elm_image_resizer_destroy(resizer);
        return -1;
    }
    if (setjmp(resizer->failed) != 0) {
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "cannot start a JPEG encoder (%s): check that libjpeg and its headers are of "
                      "one version",
                      resizer->reason);
        elm_image_resizer_destroy(resizer);
        return -1;
    }
    jpeg_create_compress(&resizer->jpeg);
    resizer->ready = true;
    *out = resizer;
    return 0;
}

elm_decoder *elm_image_resizer_decoder(elm_image_resizer *resizer)
{
    return resizer->decoder;
}

void elm_image_resizer_destroy(elm_image_resizer *resizer)
{
    if (resizer == NULL)
        return;
    if (resizer->ready)
        jpeg_destroy_compress(&resizer->jpeg);
    elm_decoder_destroy(resizer->decoder);
    elm_axis_free(&resizer->across);
    elm_axis_free(&resizer->down);
    elm_free(resizer->line);
    elm_free(resizer->values);
    elm_free(resizer->row);
    elm_free(resizer);
}

static int grow(void *memory, size_t *capacity, size_t count, size_t size_bytes, elm_error *err)
{
    void **block = memory;
    if (count <= *capacity)
        return 0;
    elm_free(*block);
    *block = elm_alloc(count, size_bytes, err);
    *capacity = *block != NULL ? count : 0;
    return *block != NULL ? 0 : -1;
}

/* As much smaller as libjpeg can make it on the way with twice the pixels wanted left: no detail
 * of the result is lost. */
static int reduction_for(const elm_image_header *header, int shorter, int side)
{
    int reduction = 1;
    while (header->format == ELM_IMAGE_JPEG && reduction < 8 &&
           shorter / (2 * reduction) >= 2 * side)
        reduction *= 2;
    return reduction;
}

static elm_axis_view whole_view(int stored, int reduction, int image_side, int full)
{
    const double length = (double)stored / reduction;
    const int high = (int)ceil(length);
    return (elm_axis_view){0,
                           length,
                           .low = 0,
                           .high = high < image_side ? high : image_side,
                           .full = full,
                           .start = 0,
                           .count = full};
}

static int decode(elm_image_resizer *r, const uint8_t *bytes, size_t size_bytes,
                  const elm_image_header *header, int side, elm_resized *resized, elm_error *why)
{
    const elm_orientation turn = elm_orientation_of(header->orientation);
    const int shorter = elm_image_short_side(header),
              reduction = reduction_for(header, shorter, side);
    const int across =
        header->width == shorter ? side : (int)((double)side * header->width / shorter);
    const int down =
        header->height == shorter ? side : (int)((double)side * header->height / shorter);
    const elm_image_box whole = {0, 0, header->width, header->height};
    elm_pixels pixels;
    resized->width = turn.exchange ? down : across;
    resized->height = turn.exchange ? across : down;
    const int status =
        elm_decoder_read(r->decoder, bytes, size_bytes, header, whole, reduction, &pixels, why);
    if (status != ELM_IMAGE_DONE)
        return status;
    if (pixels.damaged)
        return elm_image_corrupt(why, elm_image_damaged);
    const elm_axis_view x = whole_view(header->width, reduction, pixels.whole_width, across);
    const elm_axis_view y = whole_view(header->height, reduction, pixels.whole_height, down);
    if (grow(&r->line, &r->line_capacity, (size_t)pixels.width * ELM_PIXEL_BYTES, sizeof *r->line,
             why) != 0 ||
        grow(&r->values, &r->value_capacity, 3 * (size_t)across * (size_t)down, sizeof *r->values,
             why) != 0 ||
        elm_axis_make(&r->across, &x, why) != 0 || elm_axis_make(&r->down, &y, why) != 0)
        return -1;
    const elm_output_layout layout = elm_layout_turned(turn, resized->width, resized->height);
    elm_resampler()->resample(&pixels, &r->across, &r->down, r->line, &layout, r->values);
    return 0;
}

static uint8_t byte_of(float value)
{
    return (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : value + 0.5F);
}

static bool is_gray(const elm_image_resizer *r, size_t plane)
{
    for (size_t i = 0; i < plane; i++)
        if (byte_of(r->values[i]) != byte_of(r->values[plane + i]) ||
            byte_of(r->values[i]) != byte_of(r->values[2 * plane + i]))
            return false;
    return true;
}

static void write_rows(elm_image_resizer *r, int width, int height, int channels)
{
    const size_t plane = (size_t)width * (size_t)height;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                r->row[x * channels + c] =
                    byte_of(r->values[(size_t)c * plane + (size_t)y * (size_t)width + (size_t)x]);
        JSAMPROW row = r->row;
        jpeg_write_scanlines(&r->jpeg, &row, 1);
    }
}

static int encode(elm_image_resizer *r, int channels, int quality, elm_resized *resized,
                  elm_error *why)
{
    struct jpeg_compress_struct *jpeg = &r->jpeg;
    unsigned char *made = NULL;
    unsigned long size_bytes = 0;
    if (setjmp(r->failed) != 0) {
        jpeg_abort_compress(jpeg);
        /* Its memory is libjpeg's secret now: the only errors here are of memory run out, and
         * the caller gives up. */
        return elm_error_set(why, ELM_EXIT_FAILURE, "%s", r->reason);
    }
    jpeg_mem_dest(jpeg, &made, &size_bytes);
    jpeg->image_width = (JDIMENSION)resized->width;
    jpeg->image_height = (JDIMENSION)resized->height;
    jpeg->input_components = channels;
    jpeg->in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(jpeg, TRUE);
    write_rows(r, resized->width, resized->height, channels);
    jpeg_finish_compress(jpeg);
    resized->bytes = made;
    resized->size_bytes = size_bytes;
    return 0;
}

int elm_image_reencode(elm_image_resizer *resizer, const uint8_t *bytes, size_t size_bytes,
                       const elm_image_header *header, int side, int quality, elm_resized *resized,
                       elm_error *why)
{
    *resized = (elm_resized){.width = header->width, .height = header->height};
    if (elm_image_short_side(header) <= side)
        return ELM_IMAGE_DONE;
    const int status = decode(resizer, bytes, size_bytes, header, side, resized, why);
    if (status != ELM_IMAGE_DONE)
        return status;
    if (grow(&resizer->row, &resizer->row_capacity, 3 * (size_t)resized->width, 1, why) != 0)
        return -1;
    const int channels = is_gray(resizer, (size_t)resized->width * (size_t)resized->height) ? 1 : 3;
    return encode(resizer, channels, quality, resized, why);
}
