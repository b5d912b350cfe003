/* Prediction: which classes come first and how probable they are, the lines that are written, and
 * lists of paths. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/memory.h"
#include "eval/prior.h"
#include "image/decode.h"
#include "predict/batch.h"
#include "predict/image_bytes.h"
#include "predict/image_list.h"
#include "predict/predictions.h"
#include "unit/scratch.h"

enum { CLASSES = 5 };

static void the_largest_come_first(void **state)
{
    (void)state;
    const float logits[CLASSES] = {1, 3, 2, 3, -1000};
    double scores[CLASSES], sum = 0;
    elm_ranked_class ranked[CLASSES];
    assert_int_equal(elm_classes_rank(logits, NULL, CLASSES, scores, ranked, CLASSES), 0);
    const int order[CLASSES] = {1, 3, 2, 0, 4}; /* of equals the first */
    for (int k = 0; k < CLASSES; k++) {
        assert_int_equal(ranked[k].index, order[k]);
        sum += ranked[k].probability;
    }
    assert_true(fabs(sum - 1) < 1e-12);
    assert_true(fabs(ranked[0].probability - 1 / (2 + exp(-1) + exp(-2))) < 1e-12);
    for (int top = 1; top < CLASSES; top++) {
        elm_ranked_class few[CLASSES];
        assert_int_equal(elm_classes_rank(logits, NULL, CLASSES, scores, few, top), 0);
        assert_memory_equal(few, ranked, (size_t)top * sizeof *few);
    }
    const float broken[CLASSES] = {1, NAN, 2, 3, 4};
    assert_int_equal(elm_classes_rank(broken, NULL, CLASSES, scores, ranked, 2), -1);
}

static void a_prior_shifts(void **state)
{
    (void)state;
    const int64_t counts[3] = {90, 9, 1};
    const float logits[3] = {2, 1, 0};
    double shift[3], scores[3];
    elm_ranked_class ranked[3];
    elm_error err = {0};
    assert_int_equal(elm_prior_shift(counts, 3, 1, shift, &err), 0);
    for (int c = 0; c < 3; c++)
        assert_true(fabs(shift[c] + log((double)counts[c] / 100)) < 1e-12);
    assert_int_equal(elm_classes_rank(logits, shift, 3, scores, ranked, 3), 0);
    assert_int_equal(ranked[0].index, 2); /* 0 + 4.6 is more than 2 + 0.1 and 1 + 2.4 */
    assert_int_equal(ranked[2].index, 0);
    const int64_t none[3] = {90, 0, 1};
    assert_int_equal(elm_prior_shift(none, 3, 1, shift, &err), -1);
    assert_non_null(strstr(err.text, "class 1"));
}

/* What a file holds after the predictions of one path. */
static char *written(const char *path, bool json, bool escaped)
{
    static const char *const names[] = {"plain", "a \"b\", c"};
    static char text[512];
    const elm_ranked_class ranked[] = {{0.75, 1}, {0.25, 0}};
    elm_error err = {0};
    elm_prediction_file file = {.class_names = names, .top = 2, .json = json, .escaped = escaped};
    assert_int_equal(elm_output_begin(&file.output, scratch_path("p.csv"), 0, &err), 0);
    elm_predictions_begin(&file);
    assert_int_equal(elm_predictions_put(&file, path, ranked, &err), 0);
    assert_int_equal(elm_output_commit(file.output, &err), 0);
    FILE *made = fopen(scratch_path("p.csv"), "r");
    assert_non_null(made);
    text[fread(text, 1, sizeof text - 1, made)] = '\0';
    fclose(made);
    return text;
}

static void lines_are_quoted(void **state)
{
    (void)state;
    static const char head[] = "path,class1,probability1,class2,probability2\n";
    char expected[512];
    snprintf(expected, sizeof expected, "%sx/y.jpg,\"a \"\"b\"\", c\",0.750000,plain,0.250000\n",
             head);
    assert_string_equal(written("x/y.jpg", false, false), expected);
    snprintf(expected, sizeof expected,
             "%s\"new\nline\",\"a \"\"b\"\", c\",0.750000,plain,0.250000\n", head);
    assert_string_equal(written("new\nline", false, false), expected);
    assert_null(strchr(written("esc\033[31m.jpg", false, true), '\033'));
    assert_string_equal(written("\xff.jpg", true, false),
                        "{\"path\":\"\\\\xFF.jpg\",\"predictions\":[{\"class\":\"a \\\"b\\\", "
                        "c\",\"index\":1,\"probability\":0.750000},{\"class\":\"plain\",\"index\":"
                        "0,\"probability\":0.250000}]}\n");
}

static void write_text(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static void lists_of_paths(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf"
                               "a.jpg\r\n\n b c.png \nlast.jpg";
    elm_image_list list = {0};
    elm_error err = {0};
    write_text(scratch_path("list.txt"), text, sizeof text - 1);
    assert_int_equal(elm_image_list_read_paths(&list, scratch_path("list.txt"), &err), 0);
    const char *const names[] = {"a.jpg", " b c.png ", "last.jpg"};
    assert_int_equal(list.count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(list.texts + list.images[i].name, names[i]);
    elm_image_list_release(&list);
    write_text(scratch_path("list.txt"), "a\0b\n", 4);
    assert_int_equal(elm_image_list_read_paths(&list, scratch_path("list.txt"), &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "list.txt, line 1"));
    elm_image_list_release(&list);
}

/* Many texts: places stay right while the list grows. */
static void a_long_list(void **state)
{
    (void)state;
    elm_image_list list = {0};
    char name[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "folder/%d.jpg", i);
        assert_int_equal(elm_image_list_add_image(&list, name, i % 7 ? NULL : "a reason", NULL), 0);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "folder/%d.jpg", i);
        assert_string_equal(list.texts + list.images[i].name, name);
        assert_int_equal(list.images[i].problem < 0, i % 7 != 0);
    }
    elm_image_list_release(&list);
}

static void bytes_and_reasons(void **state)
{
    (void)state;
    elm_image_list list = {0};
    elm_image_bytes bytes = {0};
    elm_error why = {0};
    write_text(scratch_path("five"), "01234", 5);
    elm_image_list_add_image(&list, scratch_path("five"), NULL, NULL);
    elm_image_list_add_image(&list, "/nowhere/x.jpg", NULL, NULL);
    elm_image_list_add_image(&list, "/", NULL, NULL);
    const int64_t file = elm_image_list_text(&list, scratch_path("five"), NULL);
    elm_image_list_add_member(&list, "part", file, (elm_listed_image){.offset = 1, .size_bytes = 3},
                              NULL, NULL);
    elm_image_list_add_member(&list, "beyond", file,
                              (elm_listed_image){.offset = 3, .size_bytes = 9}, NULL, NULL);
    assert_int_equal(elm_image_bytes_read(&list, &list.images[0], &bytes, &why), 0);
    assert_int_equal(bytes.size_bytes, 5);
    assert_memory_equal(bytes.bytes, "01234", 5);
    elm_free(bytes.bytes);
    assert_int_equal(elm_image_bytes_read(&list, &list.images[3], &bytes, &why), 0);
    assert_int_equal(bytes.size_bytes, 3);
    assert_memory_equal(bytes.bytes, "123", 3);
    elm_free(bytes.bytes);
    const char *const reasons[] = {"No such file", "a folder", NULL, "shorter"};
    for (int i = 1; i < 5; i++) {
        bytes = (elm_image_bytes){0};
        if (i == 3)
            continue;
        assert_int_equal(elm_image_bytes_read(&list, &list.images[i], &bytes, &why),
                         ELM_IMAGE_CORRUPT);
        assert_non_null(strstr(why.text, reasons[i - 1]));
        elm_free(bytes.bytes);
    }
    elm_image_list_release(&list);
}

static void only_square_images(void **state)
{
    (void)state;
    const elm_image_list list = {0};
    const elm_checkpoint_input wrong[] = {
        {"moons", .features = 2},
        {"wide", .channels = 3, .height = 8, .width = 9, .std = {1, 1, 1}},
        {"two", .channels = 2, .height = 8, .width = 8, .std = {1, 1}}};
    for (int i = 0; i < 3; i++) {
        elm_image_batches *batches = NULL;
        elm_error err = {0};
        assert_int_equal(elm_image_batches_create(&batches, &list, &wrong[i], 4, &err), -1);
        assert_null(batches);
        assert_int_equal(err.code, ELM_EXIT_USAGE);
        assert_non_null(strstr(err.text, wrong[i].dataset));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_come_first),
        cmocka_unit_test(a_prior_shifts),
        cmocka_unit_test(lines_are_quoted),
        cmocka_unit_test(lists_of_paths),
        cmocka_unit_test(a_long_list),
        cmocka_unit_test(bytes_and_reasons),
        cmocka_unit_test(only_square_images),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
