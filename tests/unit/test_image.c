/* Images: headers, decoding of every kind of file, resizing against PIL's, crops drawn as
 * torchvision draws them. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <math.h>

#include "unit/image_files.h"

#include "elmpi/memory.h"
#include "golden/image_golden.h"
#include "image/header.h"
#include "image/resample.h"
#include "image/transform.h"

enum { CROP = 224, RESIZE = 256, VALUES = 3 * CROP * CROP };

/* Normalized values are bytes again. */
static const elm_image_format plain = {.channels = 3, .std = {1 / 255.f, 1 / 255.f, 1 / 255.f}};

static float out[VALUES], other[VALUES];
static elm_image_reader *reader;

static int open_reader(void **state)
{
    (void)state;
    elm_error err = {0};
    return elm_image_reader_create(&reader, &err);
}

static int close_reader(void **state)
{
    (void)state;
    elm_image_reader_destroy(reader);
    return elm_alloc_live() == 0 ? 0 : -1;
}

static uint8_t *painted(int width, int height)
{
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    paint(rgb, width, height);
    return rgb;
}

static elm_rng stream(uint64_t position)
{
    return elm_rng_stream(5, ELM_RNG_AUGMENT, 0, position);
}

static void read_good(const image_file *file, bool random, uint64_t position, float *to)
{
    const elm_image_transform transform = elm_image_transform_of(&plain, CROP, RESIZE, random);
    elm_rng rng = stream(position);
    elm_error err = {0};
    if (elm_image_read(reader, &transform, &rng, file->bytes, file->size_bytes, to, &err) != 0)
        fail_msg("%s", err.text);
}

/* Mean of the absolute difference, in bytes. */
static double difference(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < VALUES; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    return sum / VALUES;
}

static void expect_golden(const float *values, const unsigned char *golden, double tolerance)
{
    for (int i = 0; i * GOLDEN_EVERY < VALUES; i++)
        if (fabs((double)values[i * GOLDEN_EVERY] - golden[i]) > tolerance)
            fail_msg("value %d: %g instead of %d", i * GOLDEN_EVERY, values[i * GOLDEN_EVERY],
                     golden[i]);
}

/* Resize and center crop from a PNG file, which loses nothing. PIL rounds to bytes twice. */
static void evaluation_equals_torchvision(void **state)
{
    (void)state;
    for (int i = 0; i < GOLDEN_SIZES; i++) {
        const int width = golden_sizes[i][0], height = golden_sizes[i][1];
        uint8_t *rgb = painted(width, height);
        image_file file = make_png(rgb, width, height, 3);
        read_good(&file, false, 0, out);
        expect_golden(out, golden_evaluated[i], 1.1);
        free(file.bytes);
        free(rgb);
    }
}

static void resample_box(const uint8_t *rgbx, int width, int height, elm_image_box box, bool flip,
                         float *to)
{
    const elm_pixels pixels = {
        rgbx, (size_t)width * ELM_PIXEL_BYTES, 0, 0, width, height, width, height, false};
    elm_axis across = {0}, down = {0};
    elm_error err = {0};
    float *line = elm_alloc((size_t)width, ELM_PIXEL_BYTES * sizeof *line, &err);
    const elm_axis_view x = {box.x, box.width, box.x, box.x + box.width, CROP, 0, CROP};
    const elm_axis_view y = {box.y, box.height, box.y, box.y + box.height, CROP, 0, CROP};
    assert_int_equal(elm_axis_make(&across, &x, &err), 0);
    assert_int_equal(elm_axis_make(&down, &y, &err), 0);
    const elm_output_layout layout = {.plane = CROP * CROP,
                                      .start = flip ? CROP - 1 : 0,
                                      .step_x = flip ? -1 : 1,
                                      .step_y = CROP,
                                      .gain = {1, 1, 1}};
    elm_resampler()->resample(&pixels, &across, &down, line, &layout, to);
    elm_axis_free(&across);
    elm_axis_free(&down);
    elm_free(line);
}

static uint8_t *with_fourth(const uint8_t *rgb, int pixels)
{
    uint8_t *rgbx = malloc((size_t)pixels * 4);
    for (int i = 0; i < pixels; i++)
        memcpy(rgbx + 4 * i, rgb + 3 * i, 3);
    for (int i = 0; i < pixels; i++)
        rgbx[4 * i + 3] = 77;
    return rgbx;
}

static void crops_equal_torchvision(void **state)
{
    (void)state;
    uint8_t *rgb = painted(500, 375), *rgbx = with_fourth(rgb, 500 * 375);
    for (int i = 0; i < GOLDEN_BOXES; i++) {
        const int *b = golden_boxes[i];
        resample_box(rgbx, 500, 375, (elm_image_box){b[0], b[1], b[2], b[3]}, false, out);
        expect_golden(out, golden_cropped[i], 1.1);
    }
    free(rgb);
    free(rgbx);
}

/* The reader takes the box that is drawn, then flips half of them. */
static const double shares[2] = {0.08, 1};

static void training_takes_the_drawn_box(void **state)
{
    (void)state;
    const int width = 320, height = 210;
    uint8_t *rgb = painted(width, height), *rgbx = with_fourth(rgb, width * height);
    image_file file = make_png(rgb, width, height, 3);
    int flips = 0;
    for (uint64_t position = 0; position < 40; position++) {
        elm_rng rng = stream(position);
        const elm_image_box box = elm_image_draw_box(width, height, shares, &rng);
        const bool flip = elm_rng_u32(&rng) & 1;
        flips += flip;
        read_good(&file, true, position, out);
        resample_box(rgbx, width, height, box, flip, other);
        assert_memory_equal(out, other, sizeof out);
    }
    assert_in_range(flips, 8, 32);
    free(file.bytes);
    free(rgb);
    free(rgbx);
}

static void boxes_as_torchvision_draws_them(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    const int width = 400, height = 300;
    double area = 0, log_ratio = 0;
    int left = 0, right = 0, top = 0, bottom = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        elm_rng rng = stream(i);
        const elm_image_box box = elm_image_draw_box(width, height, shares, &rng);
        assert_true(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0);
        assert_true(box.x + box.width <= width && box.y + box.height <= height);
        const double part = (double)box.width * box.height / (width * height),
                     ratio = (double)box.width / box.height;
        assert_true(part > 0.078 && part <= 1 && ratio > 0.74 && ratio < 1.345);
        area += part;
        log_ratio += log(ratio);
        left += box.x == 0;
        right += box.x + box.width == width;
        top += box.y == 0;
        bottom += box.y + box.height == height;
    }
    /* torchvision 0.14 in 100,000 draws for 400 x 300: area 0.4321, log ratio 0.0301 */
    assert_true(fabs(area / DRAWS - 0.4321) < 0.005);
    assert_true(fabs(log_ratio / DRAWS - 0.0301) < 0.005);
    assert_true(left > 50 && right > 50 && top > 50 && bottom > 50);
    /* No box fits: the largest center within the ratios. */
    elm_rng rng = stream(0);
    const elm_image_box wide = elm_image_draw_box(1000, 10, shares, &rng),
                        high = elm_image_draw_box(9, 900, shares, &rng),
                        point = elm_image_draw_box(1, 1, shares, &rng);
    assert_true(wide.x == 493 && wide.y == 0 && wide.width == 13 && wide.height == 10);
    assert_true(high.x == 0 && high.y == 444 && high.width == 9 && high.height == 12);
    assert_true(point.x == 0 && point.y == 0 && point.width == 1 && point.height == 1);
}

/* Every kind of file shows the same scene. */
static void kinds_of_files(void **state)
{
    (void)state;
    const int width = 333, height = 251;
    uint8_t *rgb = painted(width, height);
    image_file sound = make_png(rgb, width, height, 3);
    const struct {
        jpeg_kind kind;
        double tolerance;
    } kinds[] = {
        {{.quality = 95, .sampling = 1}, 1},
        {{.quality = 95, .sampling = 2}, 2},
        {{.quality = 95, .sampling = 2, .progressive = true}, 2},
        {{.quality = 98, .cmyk = true}, 2.5},
        {{.quality = 98, .cmyk = true, .progressive = true}, 2.5},
    };
    for (int random = 0; random < 2; random++) {
        read_good(&sound, random, 3, other);
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            image_file file = make_jpeg(rgb, width, height, kinds[i].kind);
            read_good(&file, random, 3, out);
            if (difference(out, other) > kinds[i].tolerance)
                fail_msg("kind %zu differs by %g", i, difference(out, other));
            free(file.bytes);
        }
        image_file alpha = make_png(rgb, width, height, 4);
        read_good(&alpha, random, 3, out);
        assert_memory_equal(out, other, sizeof out);
        free(alpha.bytes);
    }
    image_file gray_jpeg = make_jpeg(rgb, width, height, (jpeg_kind){.quality = 95, .gray = true});
    image_file gray_png = make_png(rgb, width, height, 1);
    read_good(&gray_jpeg, false, 0, out);
    assert_memory_equal(out, out + CROP * CROP, CROP * CROP * sizeof *out);
    assert_memory_equal(out, out + 2 * CROP * CROP, CROP * CROP * sizeof *out);
    read_good(&gray_png, false, 0, out);
    assert_memory_equal(out, out + CROP * CROP, CROP * CROP * sizeof *out);
    free(gray_jpeg.bytes);
    free(gray_png.bytes);
    free(sound.bytes);
    free(rgb);
}

/* rgb as it must be stored so that a viewer who obeys `orientation` sees it upright. */
static uint8_t *stored_as(const uint8_t *rgb, int width, int height, int orientation)
{
    const bool exchange = orientation >= 5;
    const int w = exchange ? height : width, h = exchange ? width : height;
    uint8_t *stored = malloc((size_t)w * (size_t)h * 3);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            /* EXIF 2.3, tag 0x0112: which side of the scene row 0 and column 0 are. */
            const int places[9][2] = {{0},
                                      {x, y},
                                      {w - 1 - x, y},
                                      {w - 1 - x, h - 1 - y},
                                      {x, h - 1 - y},
                                      {y, x},
                                      {y, h - 1 - x},
                                      {w - 1 - y, h - 1 - x},
                                      {w - 1 - y, x}};
            const int *place = places[orientation];
            memcpy(stored + 3 * ((size_t)place[1] * (size_t)w + (size_t)place[0]),
                   rgb + 3 * ((size_t)y * (size_t)width + (size_t)x), 3);
        }
    return stored;
}

/* Appends to an image_file. */
static void append_bytes(png_structp png, png_bytep bytes, size_t count)
{
    image_file *file = png_get_io_ptr(png);
    file->bytes = realloc(file->bytes, file->size_bytes + count);
    memcpy(file->bytes + file->size_bytes, bytes, count);
    file->size_bytes += count;
}

/* One gray value everywhere, with a gamma that a viewer would apply; gamma 0: none said. */
static image_file make_flat_png(int side, int bits, unsigned value, double gamma)
{
    image_file file = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t row[256];
    for (int i = 0; i < side * bits / 8; i++)
        row[i] = (uint8_t)(bits == 8 || i % 2 ? value : value >> 8);
    png_set_write_fn(png, &file, append_bytes, NULL);
    png_set_IHDR(png, info, (png_uint_32)side, (png_uint_32)side, bits, PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_ADAM7, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (gamma > 0)
        png_set_gAMA(png, info, gamma);
    png_write_info(png, info);
    for (int pass = png_set_interlace_handling(png); pass > 0; pass--)
        for (int y = 0; y < side; y++)
            png_write_row(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return file;
}

/* PIL's values: gamma is not applied, of 16 bits the upper 8 count. */
static void png_values_as_they_stand(void **state)
{
    (void)state;
    enum { SIDE = 40 };
    static const struct {
        int bits;
        unsigned value;
        double gamma;
        int expected;
    } cases[] = {{8, 120, 0, 120}, {8, 120, 1.0, 120}, {16, 30840, 0, 120}, {16, 30840, 1.0, 120}};
    elm_decoder *decoder = NULL;
    elm_error err = {0};
    assert_int_equal(elm_decoder_create(&decoder, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        image_file file = make_flat_png(SIDE, cases[i].bits, cases[i].value, cases[i].gamma);
        const elm_image_header header = {.format = ELM_IMAGE_PNG, .width = SIDE, .height = SIDE};
        elm_pixels pixels;
        if (elm_decoder_read(decoder, file.bytes, file.size_bytes, &header,
                             (elm_image_box){0, 0, SIDE, SIDE}, 1, &pixels, &err) != 0)
            fail_msg("case %zu: %s", i, err.text);
        for (int p = 0; p < SIDE * SIDE; p++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(pixels.pixels[(p / SIDE) * (int)pixels.stride +
                                               (p % SIDE) * ELM_PIXEL_BYTES + c],
                                 cases[i].expected);
        assert_int_equal(elm_decoder_read(decoder, file.bytes, file.size_bytes / 2, &header,
                                          (elm_image_box){0, 0, SIDE, SIDE}, 1, &pixels, &err),
                         ELM_IMAGE_CORRUPT);
        free(file.bytes);
    }
    elm_decoder_destroy(decoder);
}

/* No memory is no matter of the image: it must not be left out or replaced because of it. */
static void no_memory_is_not_the_images_fault(void **state)
{
    (void)state;
    enum { HUGE_SIDE = 11000 };
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {400 << 20, 400 << 20};
        const elm_image_header header = {
            .format = ELM_IMAGE_PNG, .width = HUGE_SIDE, .height = HUGE_SIDE};
        const uint8_t bytes[64] = {0};
        elm_decoder *decoder = NULL;
        elm_pixels pixels;
        elm_error err = {0};
        if (elm_decoder_create(&decoder, &err) != 0 || setrlimit(RLIMIT_AS, &limit) != 0)
            _exit(2);
        _exit(elm_decoder_read(decoder, bytes, sizeof bytes, &header, (elm_image_box){0, 0, 1, 1},
                               1, &pixels, &err) == -1
                  ? 0
                  : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
#ifndef __SANITIZE_ADDRESS__ /* whose own memory is above any limit */
    assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

/* Data that libjpeg patches up with a warning. */
static void damage_is_told(void **state)
{
    (void)state;
    enum { SIDE = 200 };
    static uint8_t rgb[SIDE * SIDE * 3];
    paint(rgb, SIDE, SIDE);
    elm_decoder *decoder = NULL;
    elm_error err = {0};
    assert_int_equal(elm_decoder_create(&decoder, &err), 0);
    const elm_image_header header = {.format = ELM_IMAGE_JPEG, .width = SIDE, .height = SIDE};
    for (int damaged = 0; damaged < 2; damaged++) {
        image_file file = make_jpeg(rgb, SIDE, SIDE, (jpeg_kind){.quality = 90, .sampling = 1});
        elm_pixels pixels;
        if (damaged)
            memset(file.bytes + file.size_bytes / 3, 0, file.size_bytes - file.size_bytes / 3 - 2);
        assert_int_equal(elm_decoder_read(decoder, file.bytes, file.size_bytes, &header,
                                          (elm_image_box){0, 0, SIDE, SIDE}, 1, &pixels, &err),
                         0);
        assert_int_equal(pixels.damaged, damaged);
        free(file.bytes);
    }
    elm_decoder_destroy(decoder);
}

static void turned_by_exif(void **state)
{
    (void)state;
    const int width = 320, height = 240;
    uint8_t *rgb = painted(width, height);
    image_file sound = make_png(rgb, width, height, 3);
    for (uint64_t position = 0; position < 6; position++) {
        const bool random = position > 0;
        read_good(&sound, random, position, other);
        for (int orientation = 1; orientation <= 8; orientation++) {
            uint8_t *stored = stored_as(rgb, width, height, orientation);
            const int w = orientation >= 5 ? height : width, h = orientation >= 5 ? width : height;
            image_file file = make_jpeg(stored, w, h,
                                        (jpeg_kind){.quality = 98,
                                                    .sampling = 1,
                                                    .orientation = orientation,
                                                    .big_endian = orientation % 2});
            elm_image_header header;
            assert_null(elm_image_header_read(&header, file.bytes, file.size_bytes));
            assert_int_equal(header.orientation, orientation);
            assert_int_equal(header.width, w);
            read_good(&file, random, position, out);
            if (difference(out, other) > 1)
                fail_msg("orientation %d differs by %g", orientation, difference(out, other));
            free(file.bytes);
            free(stored);
        }
    }
    free(sound.bytes);
    free(rgb);
}

/* Part of an image decodes to exactly what stands there in the whole. */
static void part_equals_whole(void **state)
{
    (void)state;
    const int width = 403, height = 317;
    uint8_t *rgb = painted(width, height);
    elm_decoder *decoder = NULL;
    elm_error err = {0};
    assert_int_equal(elm_decoder_create(&decoder, &err), 0);
    for (int kind = 0; kind < 8; kind++) {
        image_file file = make_jpeg(rgb, width, height,
                                    (jpeg_kind){.quality = 90,
                                                .sampling = 1 + kind % 2,
                                                .progressive = kind & 2,
                                                .gray = kind & 4});
        elm_image_header header;
        assert_null(elm_image_header_read(&header, file.bytes, file.size_bytes));
        for (int reduction = 1; reduction <= 8; reduction *= 2) {
            elm_pixels whole, part;
            assert_int_equal(elm_decoder_read(decoder, file.bytes, file.size_bytes, &header,
                                              (elm_image_box){0, 0, width, height}, reduction,
                                              &whole, &err),
                             0);
            assert_int_equal(whole.width, (width + reduction - 1) / reduction);
            uint8_t *kept = malloc(whole.stride * (size_t)whole.height);
            memcpy(kept, whole.pixels, whole.stride * (size_t)whole.height);
            for (uint64_t i = 0; i < 50; i++) {
                elm_rng rng = stream(i);
                const elm_image_box box = elm_image_draw_box(width, height, shares, &rng);
                assert_int_equal(elm_decoder_read(decoder, file.bytes, file.size_bytes, &header,
                                                  box, reduction, &part, &err),
                                 0);
                const int x = box.x / reduction, y = box.y / reduction;
                const int w = (box.x + box.width + reduction - 1) / reduction - x,
                          h = (box.y + box.height + reduction - 1) / reduction - y;
                assert_true(part.x <= x && part.y <= y && part.x + part.width >= x + w &&
                            part.y + part.height >= y + h);
                for (int row = y; row < y + h; row++)
                    for (int c = x; c < x + w; c++)
                        assert_memory_equal(part.pixels + (size_t)(row - part.y) * part.stride +
                                                4 * (size_t)(c - part.x),
                                            kept + (size_t)row * whole.stride + 4 * (size_t)c, 3);
            }
            free(kept);
        }
        free(file.bytes);
    }
    elm_decoder_destroy(decoder);
    free(rgb);
}

/* An image far too large is decoded smaller, and looks the same. */
static void large_images(void **state)
{
    (void)state;
    const int width = 2900, height = 2300;
    uint8_t *rgb = painted(width, height);
    image_file sound = make_png(rgb, width, height, 3),
               file = make_jpeg(rgb, width, height, (jpeg_kind){.quality = 95, .sampling = 1});
    for (uint64_t position = 0; position < 3; position++) {
        read_good(&sound, position > 0, position, other);
        read_good(&file, position > 0, position, out);
        if (difference(out, other) > 3)
            fail_msg("position %d differs by %g", (int)position, difference(out, other));
    }
    free(sound.bytes);
    free(file.bytes);
    free(rgb);
}

static void tiny_images(void **state)
{
    (void)state;
    uint8_t rgb[3 * 9 * 9];
    for (int side = 1; side <= 9; side++) {
        memset(rgb, 200, sizeof rgb);
        image_file files[] = {
            make_jpeg(rgb, side, 10 - side, (jpeg_kind){.quality = 95, .sampling = 2}),
            make_png(rgb, 10 - side, side, 3)};
        for (int i = 0; i < 2; i++) {
            for (int random = 0; random < 2; random++) {
                read_good(&files[i], random, (uint64_t)side, out);
                for (int v = 0; v < VALUES; v++)
                    assert_true(fabs((double)out[v] - 200) < 2);
            }
            free(files[i].bytes);
        }
    }
}

static const char *problem_of(const uint8_t *bytes, size_t size_bytes)
{
    elm_image_header header;
    /* so that reading past the end is seen */
    uint8_t *exact = malloc(size_bytes > 0 ? size_bytes : 1);
    memcpy(exact, bytes, size_bytes);
    const char *problem = elm_image_header_read(&header, exact, size_bytes);
    free(exact);
    return problem;
}

/* Cut anywhere, a file is refused by its header alone. */
static void truncated_files(void **state)
{
    (void)state;
    uint8_t *rgb = painted(60, 50);
    image_file files[] = {
        make_jpeg(rgb, 60, 50, (jpeg_kind){.quality = 80, .sampling = 2, .orientation = 3}),
        make_jpeg(rgb, 60, 50, (jpeg_kind){.quality = 80, .sampling = 1, .progressive = true}),
        make_png(rgb, 60, 50, 3)};
    for (int i = 0; i < 3; i++) {
        assert_null(problem_of(files[i].bytes, files[i].size_bytes));
        for (size_t size = 0; size + 1 < files[i].size_bytes; size++)
            if (problem_of(files[i].bytes, size) == NULL &&
                !(i == 2 && size + 12 >= files[i].size_bytes))
                fail_msg("file %d, cut at %zu of %zu, passed", i, size, files[i].size_bytes);
        free(files[i].bytes);
    }
    free(rgb);
}

/* Whatever is flipped: refused in words or decoded to something, and nothing is read or written
 * out of bounds (sanitizers watch). */
static void flipped_files(void **state)
{
    (void)state;
    uint8_t *rgb = painted(60, 50);
    const elm_image_transform transform = elm_image_transform_of(&plain, CROP, RESIZE, true);
    image_file files[] = {
        make_jpeg(rgb, 60, 50, (jpeg_kind){.quality = 80, .sampling = 2, .orientation = 6}),
        make_jpeg(rgb, 60, 50, (jpeg_kind){.quality = 80, .sampling = 2, .progressive = true}),
        make_jpeg(rgb, 60, 50, (jpeg_kind){.quality = 80, .cmyk = true}), make_png(rgb, 60, 50, 3)};
    int refused = 0;
    for (int i = 0; i < 4; i++) {
        const uint64_t step = files[i].size_bytes / 300 + 1;
        for (uint64_t at = 0; at < files[i].size_bytes; at += at < 700 ? 1 : step) {
            elm_rng rng = stream(at);
            elm_error err = {0};
            const uint8_t before = files[i].bytes[at];
            files[i].bytes[at] = (uint8_t)(before ^ (1u << elm_rng_below(&rng, 8)));
            const int status = elm_image_read(reader, &transform, &rng, files[i].bytes,
                                              files[i].size_bytes, out, &err);
            refused += status != 0;
            assert_true(status == 0 || err.text[0] != '\0');
            files[i].bytes[at] = before;
        }
        free(files[i].bytes);
    }
    assert_true(refused > 100);
    free(rgb);
}

static void foreign_files(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        size_t size_bytes;
        const char *text;
    } cases[] = {
        {"", 0, "empty"},
        {"GIF89a", 6, "neither"},
        {"<html>404</html>", 16, "neither"},
        {"\xff\xd8\xff\xd9", 4, "without an image"},
        {"\xff\xd8\xff\xe0\x00\x01", 6, "broken"},
        {"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x01\x01\x11\x00\xff", 15, "no pixels"},
        {"\xff\xd8\xff\xc0\x00\x0b\x0c\x00\x10\x00\x10\x01\x11\x00\xff", 15, "8 bits"},
        {"\xff\xd8\xff\xc3\x00\x0b\x08\x00\x10\x00\x10\x01\x11\x00\xff", 15, "not supported"},
        {"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x11\x00\xff", 15, "too large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *problem = problem_of((const uint8_t *)cases[i].bytes, cases[i].size_bytes);
        assert_non_null(problem);
        if (strstr(problem, cases[i].text) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", problem, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_equals_torchvision),
        cmocka_unit_test(crops_equal_torchvision),
        cmocka_unit_test(training_takes_the_drawn_box),
        cmocka_unit_test(boxes_as_torchvision_draws_them),
        cmocka_unit_test(kinds_of_files),
        cmocka_unit_test(png_values_as_they_stand),
        cmocka_unit_test(no_memory_is_not_the_images_fault),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(turned_by_exif),
        cmocka_unit_test(part_equals_whole),
        cmocka_unit_test(large_images),
        cmocka_unit_test(tiny_images),
        cmocka_unit_test(truncated_files),
        cmocka_unit_test(flipped_files),
        cmocka_unit_test(foreign_files),
    };
    return cmocka_run_group_tests(tests, open_reader, close_reader);
}
