#include "predict/predictions.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_gen.h>

#include "base/text/text.h"
#include "base/text/utf8.h"
#include "elmpi/memory.h"

enum { TEXT_BYTES = 1 << 15, NUMBER_BYTES = 32 };

int elm_classes_rank(const float *logits, const double *shift, int classes, double *scores,
                     elm_ranked_class *ranked, int top)
{
    double largest = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++) {
        scores[c] = (double)logits[c] + (shift != NULL ? shift[c] : 0);
        if (!isfinite(scores[c]))
            return -1;
        largest = scores[c] > largest ? scores[c] : largest;
    }
    for (int c = 0; c < classes; c++)
        sum += exp(scores[c] - largest);
    int count = 0;
    for (int c = 0; c < classes; c++) { /* inserted behind what is no worse */
        int at = count;
        while (at > 0 && scores[c] > scores[ranked[at - 1].index])
            at--;
        if (at == top)
            continue;
        count += count < top;
        memmove(ranked + at + 1, ranked + at, (size_t)(count - 1 - at) * sizeof *ranked);
        ranked[at] = (elm_ranked_class){exp(scores[c] - largest) / sum, c};
    }
    return 0;
}

static const char *class_name(const elm_prediction_file *file, int64_t c, char number[NUMBER_BYTES])
{
    if (file->class_names != NULL)
        return file->class_names[c];
    snprintf(number, NUMBER_BYTES, "%" PRId64, c);
    return number;
}

/* RFC 4180: in quotes where a separator, a quote or a line's end is in it. */
static void put_field(const elm_prediction_file *file, const char *text)
{
    char shown[TEXT_BYTES];
    if (file->escaped) {
        elm_text_escape(shown, sizeof shown, text);
        text = shown;
    }
    if (strpbrk(text, ",\"\r\n") == NULL && text[0] != ' ') {
        elm_output_write(file->output, text, strlen(text));
        return;
    }
    elm_output_write(file->output, "\"", 1);
    for (size_t part; *text != '\0'; text += part) {
        part = strcspn(text, "\"");
        elm_output_write(file->output, text, part);
        if (text[part] == '"') {
            elm_output_write(file->output, "\"\"", 2);
            part++;
        }
    }
    elm_output_write(file->output, "\"", 1);
}

void elm_predictions_begin(const elm_prediction_file *file)
{
    char columns[64];
    if (file->json)
        return;
    elm_output_write(file->output, "path", 4);
    for (int k = 1; k <= file->top; k++) {
        const int length = snprintf(columns, sizeof columns, ",class%d,probability%d", k, k);
        elm_output_write(file->output, columns, (size_t)length);
    }
    elm_output_write(file->output, "\n", 1);
}

static void put_csv(const elm_prediction_file *file, const char *path,
                    const elm_ranked_class *ranked)
{
    char number[NUMBER_BYTES];
    put_field(file, path);
    for (int k = 0; k < file->top; k++) {
        elm_output_write(file->output, ",", 1);
        put_field(file, class_name(file, ranked[k].index, number));
        const int length = snprintf(number, sizeof number, ",%.6f", ranked[k].probability);
        elm_output_write(file->output, number, (size_t)length);
    }
    elm_output_write(file->output, "\n", 1);
}

static bool json_text(yajl_gen gen, const char *text)
{
    char escaped[TEXT_BYTES];
    const char *valid =
        elm_utf8_is_valid(text) ? text : elm_utf8_escape(escaped, sizeof escaped, text);
    return yajl_gen_string(gen, (const unsigned char *)valid, strlen(valid)) == yajl_gen_status_ok;
}

static bool json_number(yajl_gen gen, const char *key, const char *format, double value)
{
    char number[NUMBER_BYTES];
    /* NOLINT(clang-diagnostic-format-nonliteral): one of two below */
    const int length = snprintf(number, sizeof number, format, value);
    return json_text(gen, key) &&
           yajl_gen_number(gen, number, (size_t)length) == yajl_gen_status_ok;
}

static bool fill_object(yajl_gen gen, const elm_prediction_file *file, const char *path,
                        const elm_ranked_class *ranked)
{
    char number[NUMBER_BYTES];
    bool sound = yajl_gen_map_open(gen) == yajl_gen_status_ok && json_text(gen, "path") &&
                 json_text(gen, path) && json_text(gen, "predictions") &&
                 yajl_gen_array_open(gen) == yajl_gen_status_ok;
    for (int k = 0; sound && k < file->top; k++)
        sound = yajl_gen_map_open(gen) == yajl_gen_status_ok && json_text(gen, "class") &&
                json_text(gen, class_name(file, ranked[k].index, number)) &&
                json_number(gen, "index", "%.0f", (double)ranked[k].index) &&
                json_number(gen, "probability", "%.6f", ranked[k].probability) &&
                yajl_gen_map_close(gen) == yajl_gen_status_ok;
    return sound && yajl_gen_array_close(gen) == yajl_gen_status_ok &&
           yajl_gen_map_close(gen) == yajl_gen_status_ok;
}

static int put_json(const elm_prediction_file *file, const char *path,
                    const elm_ranked_class *ranked, elm_error *err)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t length = 0;
    const bool sound = gen != NULL && fill_object(gen, file, path, ranked) &&
                       yajl_gen_get_buf(gen, &text, &length) == yajl_gen_status_ok;
    if (sound) {
        elm_output_write(file->output, text, length);
        elm_output_write(file->output, "\n", 1);
    }
    if (gen != NULL)
        yajl_gen_free(gen);
    return sound ? 0
                 : elm_error_set(err, ELM_EXIT_FAILURE,
                                 "memory ran out (predictions): close other programs");
}

int elm_predictions_put(const elm_prediction_file *file, const char *path,
                        const elm_ranked_class *ranked, elm_error *err)
{
    if (file->json)
        return put_json(file, path, ranked, err);
    put_csv(file, path, ranked);
    return 0;
}
