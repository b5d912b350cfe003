/* Images made smaller: their sizes, their content against the scene painted small, every kind
 * of file, and the queue's order on any number of threads. */
#include <math.h>

#include "elmpi/memory.h"
#include "image/resize.h"
#include "unit/image_files.h"

enum { WIDE = 420, HIGH = 300, SIDE = 100 };

static image_file kinds[7];
enum { PLAIN, PROGRESSIVE, GRAY, CMYK, TURNED, PNG, SMALL, KINDS };

static int paint_all(void **state)
{
    (void)state;
    static uint8_t rgb[WIDE * HIGH * 3];
    paint(rgb, WIDE, HIGH);
    kinds[PLAIN] = make_jpeg(rgb, WIDE, HIGH, (jpeg_kind){.quality = 95, .sampling = 1});
    kinds[PROGRESSIVE] =
        make_jpeg(rgb, WIDE, HIGH, (jpeg_kind){.quality = 95, .sampling = 1, .progressive = true});
    kinds[GRAY] = make_jpeg(rgb, WIDE, HIGH, (jpeg_kind){.quality = 95, .gray = true});
    kinds[CMYK] = make_jpeg(rgb, WIDE, HIGH, (jpeg_kind){.quality = 95, .cmyk = true});
    kinds[TURNED] =
        make_jpeg(rgb, WIDE, HIGH, (jpeg_kind){.quality = 95, .sampling = 1, .orientation = 6});
    kinds[PNG] = make_png(rgb, WIDE, HIGH, 3);
    paint(rgb, SIDE, 2 * SIDE);
    kinds[SMALL] = make_jpeg(rgb, SIDE, 2 * SIDE, (jpeg_kind){.quality = 95});
    return 0;
}

static int release_all(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++)
        free(kinds[k].bytes);
    return 0;
}

static elm_resized resize(elm_image_resizer *resizer, const image_file *file)
{
    elm_image_header header;
    elm_resized made;
    elm_error err = {0};
    assert_null(elm_image_header_read(&header, file->bytes, file->size_bytes));
    if (elm_image_reencode(resizer, file->bytes, file->size_bytes, &header, SIDE, 95, &made,
                           &err) != 0)
        fail_msg("%s", err.text);
    return made;
}

/* Mean of the image's 3 x 3 fields by color, as shares of 255: what is where, whatever the
 * size. */
static void fields(const uint8_t *bytes, size_t size_bytes, double mean[3][3][3])
{
    elm_decoder *decoder = NULL;
    elm_image_header header;
    elm_pixels pixels;
    elm_error err = {0};
    double count[3][3] = {{0}};
    memset(mean, 0, 27 * sizeof(double));
    assert_null(elm_image_header_read(&header, bytes, size_bytes));
    assert_int_equal(header.orientation, 1);
    assert_int_equal(elm_decoder_create(&decoder, &err), 0);
    const elm_image_box whole = {0, 0, header.width, header.height};
    assert_int_equal(elm_decoder_read(decoder, bytes, size_bytes, &header, whole, 1, &pixels, &err),
                     0);
    for (int y = 0; y < header.height; y++)
        for (int x = 0; x < header.width; x++) {
            const int row = 3 * y / header.height, column = 3 * x / header.width;
            count[row][column]++;
            for (int c = 0; c < 3; c++)
                mean[row][column][c] += pixels.pixels[(size_t)y * pixels.stride +
                                                      (size_t)x * ELM_PIXEL_BYTES + (size_t)c] /
                                        255.0;
        }
    for (int i = 0; i < 9; i++)
        for (int c = 0; c < 3; c++)
            mean[i / 3][i % 3][c] /= count[i / 3][i % 3];
    elm_decoder_destroy(decoder);
}

static void kinds_keep_what_they_show(void **state)
{
    (void)state;
    elm_image_resizer *resizer = NULL;
    elm_error err = {0};
    double before[3][3][3], after[3][3][3];
    assert_int_equal(elm_image_resizer_create(&resizer, &err), 0);
    fields(kinds[PLAIN].bytes, kinds[PLAIN].size_bytes, before);
    for (int k = PLAIN; k <= PNG; k++) {
        elm_resized made = resize(resizer, &kinds[k]);
        assert_non_null(made.bytes);
        assert_int_equal(made.width, k == TURNED ? SIDE : SIDE * WIDE / HIGH);
        assert_int_equal(made.height, k == TURNED ? SIDE * WIDE / HIGH : SIDE);
        fields(made.bytes, made.size_bytes, after);
        for (int i = 0; i < 27; i++) {
            /* Orientation 6: to be turned clockwise: the shown row is the stored column, the
             * shown column the stored row from below. */
            const int row = i / 9, column = i / 3 % 3, c = i % 3;
            const double *stored = k == TURNED ? before[2 - column][row] : before[row][column];
            const double gray = 0.299 * stored[0] + 0.587 * stored[1] + 0.114 * stored[2];
            const double expected = k == GRAY ? gray : stored[c];
            if (fabs(after[row][column][c] - expected) > 0.015)
                fail_msg("kind %d, field %d %d, color %d: %.3f, expected %.3f", k, row, column, c,
                         after[row][column][c], expected);
        }
        free(made.bytes);
    }
    elm_resized made = resize(resizer, &kinds[SMALL]);
    assert_null(made.bytes);
    assert_int_equal(made.width, SIDE);
    assert_int_equal(made.height, 2 * SIDE);
    elm_image_resizer_destroy(resizer);
}

/* Damaged data is told, not made into a sound file; the resizer goes on with the next image. */
static void damage_is_refused(void **state)
{
    (void)state;
    elm_image_resizer *resizer = NULL;
    elm_image_header header;
    elm_resized made;
    elm_error err = {0};
    image_file broken = {malloc(kinds[PLAIN].size_bytes), kinds[PLAIN].size_bytes};
    memcpy(broken.bytes, kinds[PLAIN].bytes, broken.size_bytes);
    memset(broken.bytes + broken.size_bytes / 3, 0, broken.size_bytes / 2);
    assert_int_equal(elm_image_resizer_create(&resizer, &err), 0);
    assert_null(elm_image_header_read(&header, broken.bytes, broken.size_bytes));
    assert_int_equal(elm_image_reencode(resizer, broken.bytes, broken.size_bytes, &header, SIDE, 95,
                                        &made, &err),
                     ELM_IMAGE_CORRUPT);
    made = resize(resizer, &kinds[PLAIN]);
    free(made.bytes);
    free(broken.bytes);
    elm_image_resizer_destroy(resizer);
}

typedef struct taken {
    int count;
    size_t sizes[400];
    uint32_t sums[400];
} taken;

static int take(void *context, const elm_queued_image *image, elm_error *err)
{
    (void)err;
    taken *t = context;
    const uint8_t *bytes = image->resized.bytes != NULL ? image->resized.bytes : image->bytes;
    assert_ptr_equal(image->item, &kinds[t->count % KINDS]);
    assert_int_equal(image->status, ELM_IMAGE_DONE);
    t->sizes[t->count] =
        image->resized.bytes != NULL ? image->resized.size_bytes : image->size_bytes;
    for (size_t i = 0; i < t->sizes[t->count]; i++)
        t->sums[t->count] = t->sums[t->count] * 31 + bytes[i];
    t->count++;
    return 0;
}

static void pass(int threads, taken *t)
{
    elm_resize_queue *queue = NULL;
    elm_error err = {0};
    bool full = false;
    assert_int_equal(elm_resize_queue_create(&queue, threads, SIDE, 95, true, &err), 0);
    for (int i = 0; i < 400; i++) {
        image_file *file = &kinds[i % KINDS];
        elm_image_header header;
        assert_null(elm_image_header_read(&header, file->bytes, file->size_bytes));
        assert_int_equal(elm_resize_queue_add(queue, file, "name", file->bytes, file->size_bytes,
                                              &header, &full, &err),
                         0);
        if (full)
            assert_int_equal(elm_resize_queue_flush(queue, take, t, &err), 0);
    }
    assert_int_equal(elm_resize_queue_flush(queue, take, t, &err), 0);
    elm_resize_queue_destroy(queue);
}

static void queue_keeps_the_order(void **state)
{
    (void)state;
    static taken one, three;
    const int64_t live = elm_alloc_live();
    pass(1, &one);
    pass(3, &three);
    assert_int_equal(one.count, 400);
    assert_memory_equal(&one, &three, sizeof one);
    assert_int_equal(elm_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_keep_what_they_show),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(queue_keeps_the_order),
    };
    return cmocka_run_group_tests(tests, paint_all, release_all);
}
