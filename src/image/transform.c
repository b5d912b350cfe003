#include "image/transform.h"

#include <math.h>

#include "elmpi/memory.h"
#include "image/resample.h"

/* How many times more pixels than needed must remain when an image is decoded smaller.
 * Training: the crop is random anyhow. Evaluation: figures compare with those of others, who
 * decode in full. */
enum { SLACK_TRAINING = 1, SLACK_EVALUATION = 2 };

struct elm_image_reader {
    elm_decoder *decoder;
    elm_axis across, down;
    float *line;
    int line_pixels;
};

/** One direction of what is wanted of an image, as shown or as stored. */
typedef struct side_view {
    int size;         /* of the image */
    int first, count; /* the pixels that are resized */
    int full, start;  /* to so many, of which those from start on are wanted */
} side_view;

elm_image_transform elm_image_transform_of(const elm_image_format *format, int crop, int resize,
                                           bool random)
{
    elm_image_transform transform = {
        .crop = crop, .resize = resize, .random = random, .flip = true, .area = {0.08, 1}};
    for (int c = 0; c < 3; c++) {
        transform.gain[c] = 1 / (255 * format->std[c]);
        transform.offset[c] = -format->mean[c] / format->std[c];
    }
    return transform;
}

elm_image_box elm_image_draw_box(int width, int height, const double share[2], elm_rng *rng)
{
    enum { TRIES = 10 };
    const double area = (double)width * height, low = log(3.0 / 4), high = log(4.0 / 3);
    for (int i = 0; i < TRIES; i++) {
        const double part = area * (share[0] + (share[1] - share[0]) * elm_rng_uniform(rng));
        const double ratio = exp(low + (high - low) * elm_rng_uniform(rng));
        const double w = rint(sqrt(part * ratio)), h = rint(sqrt(part / ratio));
        if (w < 1 || w > width || h < 1 || h > height)
            continue;
        const int y = (int)elm_rng_below(rng, (uint32_t)(height - (int)h + 1));
        const int x = (int)elm_rng_below(rng, (uint32_t)(width - (int)w + 1));
        return (elm_image_box){x, y, (int)w, (int)h};
    }
    int w = width, h = height;
    if (4.0 * width < 3.0 * height)
        h = (int)rint(width / (3.0 / 4));
    else if (3.0 * width > 4.0 * height)
        w = (int)rint(height * (4.0 / 3));
    return (elm_image_box){(width - w) / 2, (height - h) / 2, w, h};
}

/* The short side becomes `resize`, the long one in proportion, rounded down. */
static int resized(int side, int shorter, int resize)
{
    return side == shorter ? resize : (int)((double)resize * side / shorter);
}

static side_view center_view(int side, int shorter, const elm_image_transform *transform)
{
    const int full = resized(side, shorter, transform->resize);
    return (side_view){side, 0, side, full, (int)rint((full - transform->crop) / 2.0)};
}

static side_view mirrored(side_view view, int crop)
{
    view.first = view.size - view.first - view.count;
    view.start = view.full - view.start - crop;
    return view;
}

/* Stored pixels that the wanted output reads. */
static void source_range(side_view view, int crop, int *from, int *count)
{
    const double scale = (double)view.count / view.full, support = scale > 1 ? scale : 1;
    double begin = floor((view.start + 0.5) * scale - support),
           end = ceil((view.start + crop - 0.5) * scale + support) + 1;
    if (begin < 0)
        begin = 0;
    if (end > view.count)
        end = view.count;
    *from = view.first + (int)begin;
    *count = (int)end - (int)begin;
}

static int reduction_for(const elm_image_header *header, side_view across, side_view down,
                         bool random)
{
    const double slack = random ? SLACK_TRAINING : SLACK_EVALUATION;
    const double x = (double)across.count / across.full, y = (double)down.count / down.full,
                 scale = (x < y ? x : y) / slack;
    if (header->format != ELM_IMAGE_JPEG)
        return 1;
    return scale >= 8 ? 8 : scale >= 4 ? 4 : scale >= 2 ? 2 : 1;
}

/* The same in an image `reduction` times smaller. */
static elm_axis_view reduced_view(side_view view, int crop, int reduction, int image_side)
{
    const double begin = (double)view.first / reduction, length = (double)view.count / reduction;
    const int high = (int)ceil(begin + length);
    return (elm_axis_view){begin,
                           length,
                           .low = (int)begin,
                           .high = high < image_side ? high : image_side,
                           .full = view.full,
                           .start = view.start,
                           .count = crop};
}

/* The network's input: turned, flipped or not, normalized. */
static elm_output_layout layout_of(const elm_image_transform *transform, elm_orientation row,
                                   bool flip)
{
    const int side = transform->crop;
    elm_output_layout layout = elm_layout_turned(row, side, side);
    if (flip) { /* shown columns: the direction whose step is 1 */
        int64_t *step = row.exchange ? &layout.step_y : &layout.step_x;
        layout.start += *step * (side - 1);
        *step = -*step;
    }
    for (int c = 0; c < 3; c++) {
        layout.gain[c] = transform->gain[c];
        layout.offset[c] = transform->offset[c];
    }
    return layout;
}

int elm_image_reader_create(elm_image_reader **out, elm_error *err)
{
    *out = NULL;
    elm_image_reader *reader = elm_alloc(1, sizeof *reader, err);
    if (reader == NULL)
        return -1;
    if (elm_decoder_create(&reader->decoder, err) != 0) {
        elm_free(reader);
        return -1;
    }
    *out = reader;
    return 0;
}

void elm_image_reader_destroy(elm_image_reader *reader)
{
    if (reader == NULL)
        return;
    elm_decoder_destroy(reader->decoder);
    elm_axis_free(&reader->across);
    elm_axis_free(&reader->down);
    elm_free(reader->line);
    elm_free(reader);
}

static float *line_for(elm_image_reader *reader, int pixels, elm_error *err)
{
    if (pixels > reader->line_pixels) {
        elm_free(reader->line);
        reader->line = elm_alloc((size_t)pixels, ELM_PIXEL_BYTES * sizeof *reader->line, err);
        reader->line_pixels = reader->line != NULL ? pixels : 0;
    }
    return reader->line;
}

/* Views of the image as it is shown, with flip or not. */
static void choose_views(const elm_image_transform *transform, elm_rng *rng, int width, int height,
                         side_view *across, side_view *down, bool *flip)
{
    *flip = false;
    if (transform->random) {
        const elm_image_box box = elm_image_draw_box(width, height, transform->area, rng);
        *across = (side_view){width, box.x, box.width, transform->crop, 0};
        *down = (side_view){height, box.y, box.height, transform->crop, 0};
        *flip = transform->flip && (elm_rng_u32(rng) & 1);
    } else {
        const int shorter = width < height ? width : height;
        *across = center_view(width, shorter, transform);
        *down = center_view(height, shorter, transform);
    }
}

int elm_image_read(elm_image_reader *reader, const elm_image_transform *transform, elm_rng *rng,
                   const uint8_t *bytes, size_t size_bytes, float *out, elm_error *err)
{
    elm_image_header header;
    const char *problem = elm_image_header_read(&header, bytes, size_bytes);
    if (problem != NULL)
        return elm_image_corrupt(err, problem);
    const elm_orientation row = elm_orientation_of(header.orientation);
    const int crop = transform->crop;
    side_view shown_across, shown_down;
    bool flip;
    choose_views(transform, rng, row.exchange ? header.height : header.width,
                 row.exchange ? header.width : header.height, &shown_across, &shown_down, &flip);
    side_view across = row.exchange ? shown_down : shown_across,
              down = row.exchange ? shown_across : shown_down;
    if (row.mirror_x)
        across = mirrored(across, crop);
    if (row.mirror_y)
        down = mirrored(down, crop);

    elm_image_box box;
    source_range(across, crop, &box.x, &box.width);
    source_range(down, crop, &box.y, &box.height);
    const int reduction = reduction_for(&header, across, down, transform->random);
    elm_pixels pixels;
    const int status =
        elm_decoder_read(reader->decoder, bytes, size_bytes, &header, box, reduction, &pixels, err);
    if (status != ELM_IMAGE_DONE)
        return status;
    const elm_axis_view x = reduced_view(across, crop, reduction, pixels.whole_width);
    const elm_axis_view y = reduced_view(down, crop, reduction, pixels.whole_height);
    float *line = line_for(reader, pixels.width, err);
    if (line == NULL || elm_axis_make(&reader->across, &x, err) != 0 ||
        elm_axis_make(&reader->down, &y, err) != 0)
        return -1;
    const elm_output_layout layout = layout_of(transform, row, flip);
    elm_resampler()->resample(&pixels, &reader->across, &reader->down, line, &layout, out);
    return 0;
}
