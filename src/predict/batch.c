/* Archives are read in their order by one thread; other files, and all decoding, by all threads.
 * Only so many bytes of an archive wait for decoding, whatever sizes it declares. */
#include "predict/batch.h"

#include <omp.h>
#include <string.h>

#include "base/text/text.h"
#include "elmpi/memory.h"
#include "image/transform.h"
#include "predict/image_bytes.h"

enum { WAITING_BYTES = 256 << 20 };

/* One thread's. */
typedef struct worker {
    elm_image_reader *reader;
    float *color; /* [3][side][side], for a network of one channel */
} worker;

struct elm_image_batches {
    const elm_image_list *list;
    elm_image_transform transform;
    int channels, size, threads;
    size_t floats; /* of an image */
    worker *workers;
    float *input;
    elm_image_bytes *bytes; /* [size] */
    int *status;            /* [size] of reading an image */
    elm_ordered_archive archive;
};

static int check_input(const elm_checkpoint_input *input, elm_error *err)
{
    if (input->features > 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the network classifies vectors of %d features, no images (%s): "
                             "evaluate it on a store with elmpi-evaluate",
                             input->features, input->dataset);
    if (input->height != input->width || (input->channels != 3 && input->channels != 1))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the network sees %d x %d pixels of %d channels (%s): images are "
                             "made square, with 1 or 3 channels; evaluate it on a store",
                             input->width, input->height, input->channels, input->dataset);
    return 0;
}

static elm_image_transform transform_of(const elm_checkpoint_input *input)
{
    elm_image_format format = {.dataset = input->dataset, .channels = 3};
    for (int c = 0; c < 3; c++) { /* a network of one channel: the same in all three */
        const int from = input->channels == 3 ? c : 0;
        format.mean[c] = input->mean[from];
        format.std[c] = input->std[from];
    }
    return elm_image_transform_of(&format, input->height,
                                  input->resize > 0 ? input->resize : input->height, false);
}

static int make_workers(elm_image_batches *b, elm_error *err)
{
    b->workers = elm_alloc((size_t)b->threads, sizeof *b->workers, err);
    int status = b->workers != NULL ? 0 : -1;
    for (int t = 0; status == 0 && t < b->threads; t++) {
        status = elm_image_reader_create(&b->workers[t].reader, err);
        if (status == 0 && b->channels == 1) {
            b->workers[t].color = elm_alloc(3 * b->floats, sizeof(float), err);
            status = b->workers[t].color != NULL ? 0 : -1;
        }
    }
    return status;
}

int elm_image_batches_create(elm_image_batches **out, const elm_image_list *list,
                             const elm_checkpoint_input *input, int size, elm_error *err)
{
    *out = NULL;
    if (check_input(input, err) != 0)
        return -1;
    elm_image_batches *b = elm_alloc(1, sizeof *b, err);
    if (b == NULL)
        return -1;
    b->list = list;
    b->transform = transform_of(input);
    b->channels = input->channels;
    b->size = size;
    b->threads = omp_get_max_threads();
    b->floats = (size_t)input->channels * (size_t)input->height * (size_t)input->width;
    const elm_need needs[] = {{&b->input, (size_t)size * b->floats, sizeof *b->input},
                              {&b->bytes, (size_t)size, sizeof *b->bytes},
                              {&b->status, (size_t)size, sizeof *b->status}};
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) != 0 ||
        make_workers(b, err) != 0) {
        elm_image_batches_destroy(b);
        return -1;
    }
    *out = b;
    return 0;
}

static void drop_bytes(elm_image_bytes *bytes)
{
    elm_free(bytes->bytes);
    *bytes = (elm_image_bytes){0};
}

void elm_image_batches_destroy(elm_image_batches *b)
{
    if (b == NULL)
        return;
    for (int i = 0; b->bytes != NULL && i < b->size; i++)
        drop_bytes(&b->bytes[i]);
    for (int t = 0; b->workers != NULL && t < b->threads; t++) {
        elm_image_reader_destroy(b->workers[t].reader);
        elm_free(b->workers[t].color);
    }
    elm_ordered_archive_close(&b->archive);
    elm_free(b->workers);
    elm_free(b->input);
    elm_free(b->bytes);
    elm_free(b->status);
    elm_free(b);
}

static void take_luma(const float *color, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = 0.299f * color[i] + 0.587f * color[count + i] + 0.114f * color[2 * count + i];
}

/* One image, by any thread. */
static int take_image(elm_image_batches *b, int64_t index, int i, elm_error *why)
{
    const elm_listed_image *image = &b->list->images[index];
    const worker *w = &b->workers[omp_get_thread_num()];
    float *out = b->input + (size_t)i * b->floats;
    if (image->problem >= 0)
        return elm_image_corrupt(why, b->list->texts + image->problem);
    if (b->bytes[i].bytes == NULL) {
        const int status = elm_image_bytes_read(b->list, image, &b->bytes[i], why);
        if (status != 0)
            return status;
    }
    const int status =
        elm_image_read(w->reader, &b->transform, NULL, b->bytes[i].bytes, b->bytes[i].size_bytes,
                       b->channels == 1 ? w->color : out, why);
    if (status == 0 && b->channels == 1)
        take_luma(w->color, out, b->floats);
    return status;
}

static void keep_reason(char *reason, const char *text)
{
    const size_t length = elm_text_cut(text, ELM_REASON_BYTES - 1);
    memcpy(reason, text, length);
    reason[length] = '\0';
}

/* Of archives that are read in order, this rank's images from `begin` on. Returns where it
 * stopped: at `count`, or where enough bytes wait; -1 after an error. */
static int read_archives(elm_image_batches *b, int64_t first, int begin, int count,
                         char (*reasons)[ELM_REASON_BYTES], elm_error *err)
{
    size_t waiting = 0;
    int i = begin;
    for (; i < count && waiting < WAITING_BYTES; i++) {
        const elm_listed_image *image = &b->list->images[first + i];
        if (image->offset >= 0 || image->problem >= 0)
            continue;
        b->status[i] = elm_image_bytes_next(&b->archive, b->list, image, &b->bytes[i], err);
        if (b->status[i] < 0)
            return -1;
        if (b->status[i] != 0)
            keep_reason(reasons[i], err->text);
        waiting += b->bytes[i].size_bytes;
    }
    return i;
}

/* Images begin .. end - 1 of a batch, by all threads. */
static int decode(elm_image_batches *b, int64_t first, int begin, int end,
                  char (*reasons)[ELM_REASON_BYTES], elm_error *err)
{
    bool failed = false;
#pragma omp parallel for schedule(dynamic, 1) num_threads(b->threads)
    for (int i = begin; i < end; i++) {
        elm_error why = {0};
        if (b->status[i] == 0) {
            b->status[i] = take_image(b, first + i, i, &why);
            if (b->status[i] != 0) {
                memset(b->input + (size_t)i * b->floats, 0, b->floats * sizeof *b->input);
                keep_reason(reasons[i], why.text[0] != '\0' ? why.text : "broken");
            }
        }
        drop_bytes(&b->bytes[i]);
        if (b->status[i] < 0) {
#pragma omp critical(elm_predict_failure)
            {
                failed = true;
                *err = why;
            }
        }
    }
    return failed ? -1 : 0;
}

const float *elm_image_batches_read(elm_image_batches *b, int64_t first, int count,
                                    char (*reasons)[ELM_REASON_BYTES], elm_error *err)
{
    memset(b->input, 0, (size_t)b->size * b->floats * sizeof *b->input);
    memset(b->status, 0, (size_t)b->size * sizeof *b->status);
    memset(reasons, 0, (size_t)count * sizeof *reasons);
    for (int begin = 0, end; begin < count; begin = end) {
        end = read_archives(b, first, begin, count, reasons, err);
        if (end < 0 || decode(b, first, begin, end, reasons, err) != 0)
            return NULL;
    }
    return b->input;
}
