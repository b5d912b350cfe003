#include "image/decode.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include "elmpi/memory.h"

/* libjpeg's own interface and not TurboJPEG's: only there can the rows and columns outside a
 * crop be left out, and truncated files be told from sound ones. */

/* of a progressive image; encoders make 10 or so, and each goes over all its pixels */
enum { SCANS_MAX = 200 };
/* pixels: chroma is interpolated from neighbors, which must be there at the edge of the box,
 * too */
enum { MARGIN = 2 };

struct elm_decoder {
    /* libjpeg's; first, so that a pointer to it is one to the decoder */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    struct jpeg_decompress_struct jpeg;
    char reason[JMSG_LENGTH_MAX];
    uint8_t *buffer; /* pixels */
    size_t capacity; /* bytes */
    bool ready;      /* jpeg has been made */
    bool damaged;    /* the image at hand */
};

const char elm_image_damaged[] = "its data are damaged: part of it cannot be decoded";

int elm_image_corrupt(elm_error *err, const char *reason)
{
    elm_error_set(err, ELM_EXIT_FAILURE, "%s", reason);
    return ELM_IMAGE_CORRUPT;
}

/* libjpeg would end the program. */
static void leave(j_common_ptr jpeg)
{
    elm_decoder *decoder = (elm_decoder *)jpeg->err;
    jpeg->err->format_message(jpeg, decoder->reason);
    longjmp(decoder->failed, 1);
}

/* libjpeg goes on after these with gray or wrong pixels. Other warnings are of things that
 * change no pixel, such as bytes too many between two segments, which many cameras' files have. */
static void note_damage(j_common_ptr jpeg, int level)
{
    static const int damage[] = {JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF,
                                 JWRN_MUST_RESYNC};
    for (size_t i = 0; level < 0 && i < sizeof damage / sizeof *damage; i++)
        if (jpeg->err->msg_code == damage[i])
            ((elm_decoder *)jpeg->err)->damaged = true;
}

/* libjpeg calls this now and then. A file of a megabyte can hold scans for hours. */
static void limit_scans(j_common_ptr jpeg)
{
    elm_decoder *decoder = (elm_decoder *)jpeg->err;
    if (decoder->jpeg.input_scan_number <= SCANS_MAX)
        return;
    snprintf(decoder->reason, sizeof decoder->reason, "more than %d scans", SCANS_MAX);
    longjmp(decoder->failed, 1);
}

int elm_decoder_create(elm_decoder **out, elm_error *err)
{
    *out = NULL;
    elm_decoder *decoder = elm_alloc(1, sizeof *decoder, err);
    if (decoder == NULL)
        return -1;
    decoder->jpeg.err = jpeg_std_error(&decoder->errors);
    decoder->errors.error_exit = leave;
    decoder->errors.emit_message = note_damage;
    if (setjmp(decoder->failed) != 0) {
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "cannot start a JPEG decoder (%s): check that libjpeg and its headers are of "
                      "one version",
                      decoder->reason);
        elm_decoder_destroy(decoder);
        return -1;
    }
    jpeg_create_decompress(&decoder->jpeg);
    decoder->progress.progress_monitor = limit_scans;
    decoder->jpeg.progress = &decoder->progress;
    decoder->ready = true;
    *out = decoder;
    return 0;
}

void elm_decoder_destroy(elm_decoder *decoder)
{
    if (decoder == NULL)
        return;
    if (decoder->ready)
        jpeg_destroy_decompress(&decoder->jpeg);
    elm_free(decoder->buffer);
    elm_free(decoder);
}

/* Room for `height` rows of `width` pixels. It grows by half at least, so that it soon stays as
 * it is. */
static uint8_t *pixels_for(elm_decoder *decoder, size_t width, size_t height, elm_error *err)
{
    const size_t needed = width * height * ELM_PIXEL_BYTES,
                 grown = decoder->capacity + decoder->capacity / 2;
    if (needed <= decoder->capacity)
        return decoder->buffer;
    elm_free(decoder->buffer);
    decoder->capacity = needed > grown ? needed : grown;
    decoder->buffer = elm_alloc(decoder->capacity, 1, err);
    if (decoder->buffer == NULL)
        decoder->capacity = 0;
    return decoder->buffer;
}

/* first .. first + count of `whole` stored pixels, in the smaller image and with a margin. */
static void reduce(int first, int count, int reduction, int whole, int *from, int *to)
{
    *from = first / reduction - MARGIN;
    *to = (first + count + reduction - 1) / reduction + MARGIN;
    if (*from < 0)
        *from = 0;
    if (*to > whole)
        *to = whole;
}

/* Adobe writes CMYK inverted: 255 is no ink. Whoever writes it the other way round does not
 * leave Adobe's mark. */
static void cmyk_to_rgb(uint8_t *pixels, size_t count, bool inverted)
{
    for (uint8_t *at = pixels; count > 0; at += ELM_PIXEL_BYTES, count--) {
        const unsigned key = inverted ? at[3] : 255u - at[3];
        for (int c = 0; c < 3; c++) {
            const unsigned light = inverted ? at[c] : 255u - at[c];
            at[c] = (uint8_t)((light * key + 127) / 255);
        }
    }
}

static bool is_cmyk(const struct jpeg_decompress_struct *jpeg)
{
    return jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
}

/* Before anything is allocated for the image. */
static bool is_as_told(const struct jpeg_decompress_struct *jpeg, const elm_image_header *header)
{
    return (int)jpeg->image_width == header->width && (int)jpeg->image_height == header->height;
}

/* Everything up to the first row. libjpeg's functions may leave by longjmp: nothing between here
 * and setjmp is changed and used again. */
static bool start_jpeg(struct jpeg_decompress_struct *jpeg, const uint8_t *bytes, size_t size_bytes,
                       const elm_image_header *header, int reduction)
{
    jpeg_mem_src(jpeg, bytes, (unsigned long)size_bytes);
    jpeg_read_header(jpeg, TRUE);
    if (!is_as_told(jpeg, header))
        return false;
    jpeg->scale_num = 1;
    jpeg->scale_denom = (unsigned)reduction;
    /* as PIL and OpenCV decode; the fast one saves little where there is SIMD */
    jpeg->dct_method = JDCT_ISLOW;
    jpeg->out_color_space = is_cmyk(jpeg) ? JCS_CMYK : JCS_EXT_RGBX;
    jpeg_start_decompress(jpeg);
    return true;
}

static void read_rows(struct jpeg_decompress_struct *jpeg, uint8_t *buffer, size_t stride,
                      JDIMENSION skip, int rows)
{
    if (skip > 0)
        jpeg_skip_scanlines(jpeg, skip);
    for (int row = 0; row < rows;) {
        JSAMPROW line = buffer + (size_t)row * stride;
        row += (int)jpeg_read_scanlines(jpeg, &line, 1);
    }
    jpeg_abort_decompress(jpeg); /* what is below the box stays undecoded */
}

static int read_jpeg(elm_decoder *decoder, const uint8_t *bytes, size_t size_bytes,
                     const elm_image_header *header, elm_image_box box, int reduction,
                     elm_pixels *out, elm_error *err)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->failed) != 0) {
        jpeg_abort_decompress(jpeg);
        if (decoder->errors.msg_code == JERR_OUT_OF_MEMORY)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "no memory to decode an image: use fewer threads, or a host with more memory");
        return elm_image_corrupt(err, decoder->reason);
    }
    decoder->damaged = false;
    if (!start_jpeg(jpeg, bytes, size_bytes, header, reduction)) {
        jpeg_abort_decompress(jpeg);
        return elm_image_corrupt(err, "two headers that contradict each other");
    }
    out->whole_width = (int)jpeg->output_width;
    out->whole_height = (int)jpeg->output_height;
    int x_end, y_end;
    reduce(box.x, box.width, reduction, out->whole_width, &out->x, &x_end);
    reduce(box.y, box.height, reduction, out->whole_height, &out->y, &y_end);
    JDIMENSION x = (JDIMENSION)out->x, width = (JDIMENSION)(x_end - out->x);
    if ((int)width < out->whole_width)
        jpeg_crop_scanline(jpeg, &x, &width); /* moves x left to where a block begins */
    out->x = (int)x;
    out->width = (int)width;
    out->height = y_end - out->y;
    out->stride = (size_t)width * ELM_PIXEL_BYTES;
    out->pixels = pixels_for(decoder, width, (size_t)out->height, err);
    if (out->pixels == NULL) {
        jpeg_abort_decompress(jpeg);
        return -1;
    }
    read_rows(jpeg, decoder->buffer, out->stride, (JDIMENSION)out->y, out->height);
    out->damaged = decoder->damaged;
    if (is_cmyk(jpeg))
        cmyk_to_rgb(decoder->buffer, (size_t)out->width * (size_t)out->height,
                    jpeg->saw_Adobe_marker);
    return 0;
}

/* libpng would print, and end the program. */
static void leave_png(png_structp png, png_const_charp reason)
{
    elm_decoder *decoder = png_get_error_ptr(png);
    snprintf(decoder->reason, sizeof decoder->reason, "%s", reason);
    longjmp(decoder->failed, 1);
}

static void keep_quiet(png_structp png, png_const_charp reason)
{
    (void)png;
    (void)reason;
}

/* What of a file in memory has not been read yet. */
typedef struct unread {
    const uint8_t *bytes;
    size_t size_bytes;
} unread;

static void take_bytes(png_structp png, png_bytep to, size_t count)
{
    unread *rest = png_get_io_ptr(png);
    if (count > rest->size_bytes)
        png_error(png, "the file ends early");
    memcpy(to, rest->bytes, count);
    rest->bytes += count;
    rest->size_bytes -= count;
}

/* Values as they stand in the file, as PIL gives them: no gamma is applied, of 16 bits the upper
 * 8 count. Transparency becomes the byte without meaning. */
static void decode_png(png_structp png, png_infop info, const elm_image_header *header,
                       elm_decoder *decoder, elm_pixels *out)
{
    png_set_user_limits(png, (png_uint_32)header->width, (png_uint_32)header->height);
    png_read_info(png, info);
    if (png_get_image_width(png, info) != (png_uint_32)header->width ||
        png_get_image_height(png, info) != (png_uint_32)header->height)
        png_error(png, "two headers that contradict each other");
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != out->stride)
        png_error(png, "rows of an unexpected length");
    for (int pass = 0; pass < passes; pass++)
        for (int row = 0; row < header->height; row++)
            png_read_row(png, decoder->buffer + (size_t)row * out->stride, NULL);
    png_read_end(png, NULL);
}

static int read_png(elm_decoder *decoder, const uint8_t *bytes, size_t size_bytes,
                    const elm_image_header *header, elm_pixels *out, elm_error *err)
{
    *out = (elm_pixels){.stride = (size_t)header->width * ELM_PIXEL_BYTES,
                        .width = header->width,
                        .height = header->height,
                        .whole_width = header->width,
                        .whole_height = header->height};
    out->pixels = pixels_for(decoder, (size_t)header->width, (size_t)header->height, err);
    if (out->pixels == NULL)
        return -1;
    unread rest = {bytes, size_bytes};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, decoder, leave_png, keep_quiet);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    int status = 0;
    if (info == NULL) {
        status = elm_error_set(
            err, ELM_EXIT_FAILURE,
            "no memory to decode an image: use fewer threads, or a host with more memory");
    } else if (setjmp(decoder->failed) != 0) {
        status = elm_image_corrupt(err, decoder->reason);
    } else {
        png_set_read_fn(png, &rest, take_bytes);
        decode_png(png, info, header, decoder, out);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return status;
}

int elm_decoder_read(elm_decoder *decoder, const uint8_t *bytes, size_t size_bytes,
                     const elm_image_header *header, elm_image_box box, int reduction,
                     elm_pixels *pixels, elm_error *err)
{
    *pixels = (elm_pixels){0};
    return header->format == ELM_IMAGE_JPEG
               ? read_jpeg(decoder, bytes, size_bytes, header, box, reduction, pixels, err)
               : read_png(decoder, bytes, size_bytes, header, pixels, err);
}
