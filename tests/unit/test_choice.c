/* The choice of backend, layout and precision: which candidates there are, which of them wins,
 * what a cache may say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/choice.h"
#include "elmpi/memory.h"
#include "scratch.h"

static bool has_onednn(void)
{
    return elm_net_check_backend("onednn", NULL) == 0;
}

static int list_for(const char *backend, elm_layout layout, elm_precision precision,
                    elm_candidate *list)
{
    const elm_choice_request request = {backend, layout, precision};
    elm_error err;
    int count = -1;
    return elm_choice_list(&request, list, &count, &err) ? -1 : count;
}

static void requests_narrow_the_list(void **unused)
{
    (void)unused;
    elm_candidate list[ELM_CANDIDATES_MAX];
    const int all = has_onednn() ? 5 : 1;
    assert_int_equal(all, list_for("auto", ELM_LAYOUT_AUTO, ELM_PRECISION_AUTO, list));
    assert_true(list[0].precision == ELM_PRECISION_FP32 &&
                list[0].layout == (all > 1 ? ELM_LAYOUT_BLOCKED : ELM_LAYOUT_NCHW));
    assert_int_equal(1, list_for("openblas", ELM_LAYOUT_AUTO, ELM_PRECISION_AUTO, list));
    assert_int_equal(1, list_for("openblas", ELM_LAYOUT_NCHW, ELM_PRECISION_FP32, list));
    assert_int_equal(-1, list_for("openblas", ELM_LAYOUT_NHWC, ELM_PRECISION_FP32, list));
    assert_int_equal(-1, list_for("openblas", ELM_LAYOUT_AUTO, ELM_PRECISION_BF16, list));
    assert_int_equal(-1, list_for("cuda", ELM_LAYOUT_AUTO, ELM_PRECISION_AUTO, list));
    if (!has_onednn())
        return;
    assert_int_equal(2, list_for("onednn", ELM_LAYOUT_NHWC, ELM_PRECISION_AUTO, list));
    assert_int_equal(2, list_for("onednn", ELM_LAYOUT_AUTO, ELM_PRECISION_FP32, list));
    /* over oneDNN only when asked for */
    assert_int_equal(2, list_for("onednn", ELM_LAYOUT_NCHW, ELM_PRECISION_AUTO, list));
    assert_int_equal(1, list_for("onednn", ELM_LAYOUT_NHWC, ELM_PRECISION_BF16, list));
    assert_int_equal(elm_choice_can(&list[0]), isfinite(list[0].seconds));
}

static int pick(const double *seconds, const bool *cut)
{
    elm_candidate list[3] = {
        {.seconds = seconds[0]}, {.seconds = seconds[1]}, {.seconds = seconds[2]}};
    for (int c = 0; c < 3; c++)
        list[c].cut = cut[c];
    return elm_choice_pick(list, 3);
}

/* Whatever is picked takes at most 1 / 0.95 of the quickest's time, and timing noise moves
 * nothing. */
static void only_a_clear_win_counts(void **unused)
{
    (void)unused;
    const bool whole[3] = {false, false, false}, cut[3] = {false, true, false};
    assert_int_equal(0, pick((const double[]){1, 1, 1}, whole));
    assert_int_equal(0, pick((const double[]){1, 0.98, 0.97}, whole));
    assert_int_equal(1, pick((const double[]){1, 0.94, 0.92}, whole));
    assert_int_equal(2, pick((const double[]){1, 0.94, 0.9}, whole));
    assert_int_equal(2, pick((const double[]){1, 2, 0.5}, whole));
    assert_int_equal(0, pick((const double[]){1, 0.1, 1}, cut)); /* 0.1 is where it was given up */
    assert_int_equal(1, pick((const double[]){INFINITY, 1, 1}, whole));
    assert_int_equal(0, pick((const double[]){0, 0, 0}, whole)); /* not measured */
    for (int a = 0; a < 200; a++) {
        const double seconds[] = {1 + a % 7 * 0.013, 1 + a % 11 * 0.011, 1 + a % 13 * 0.009};
        const int chosen = pick(seconds, whole);
        for (int c = 0; c < 3; c++)
            assert_true(seconds[c] / seconds[chosen] >= 0.95);
    }
}

static void everything_that_can_is_measured(void **unused)
{
    (void)unused;
    static const elm_model_options conv = {.name = "cifar-resnet8", .bn = "global"},
                                   perceptron = {.name = "mlp:8,4", .bn = "global"};
    for (int batch = 0; batch <= 4; batch += 4) {
        const elm_net_spec spec = {.model = &conv,
                                   .channels = 3,
                                   .height = 8,
                                   .width = 8,
                                   .classes = 5,
                                   .max_images = 4,
                                   .max_batch = batch};
        const elm_net_spec vectors = {
            .model = &perceptron, .features = 2, .classes = 2, .max_images = 4, .max_batch = batch};
        elm_candidate list[ELM_CANDIDATES_MAX];
        elm_error err;
        const int count = list_for("auto", ELM_LAYOUT_AUTO, ELM_PRECISION_AUTO, list);
        assert_int_equal(0, elm_choice_measure(list, count, &spec, &err));
        for (int c = 0; c < count; c++)
            assert_true(elm_choice_can(&list[c]) ? list[c].seconds > 0 : isinf(list[c].seconds));
        const int chosen = elm_choice_pick(list, count);
        assert_true(isfinite(list[chosen].seconds) && !list[chosen].cut);
        assert_int_equal(count, list_for("auto", ELM_LAYOUT_AUTO, ELM_PRECISION_AUTO, list));
        /* no convolutions: nothing to choose */
        assert_int_equal(0, elm_choice_measure(list, count, &vectors, &err));
        assert_true(list[0].seconds == 0);
    }
    const elm_model_options wrong = {.name = "resnet18", .bn = "global"};
    const elm_net_spec small = {
        .model = &wrong, .channels = 3, .height = 8, .width = 8, .classes = 5, .max_images = 4};
    elm_candidate list[ELM_CANDIDATES_MAX];
    elm_error err;
    const int count = list_for("auto", ELM_LAYOUT_AUTO, ELM_PRECISION_AUTO, list);
    assert_int_equal(-1, elm_choice_measure(list, count, &small, &err));
    assert_int_equal(ELM_EXIT_USAGE, err.code);
}

static const elm_candidate measured[2] = {
    {"onednn", ELM_LAYOUT_BLOCKED, ELM_PRECISION_FP32, 0.0012345678901234567, false},
    {"onednn", ELM_LAYOUT_NHWC, ELM_PRECISION_FP32, 0.02, true},
};

static bool read_back(elm_candidate list[2], char note[256])
{
    for (int c = 0; c < 2; c++) {
        list[c] = measured[c];
        list[c].seconds = 0;
        list[c].cut = false;
    }
    return elm_choice_cache_read("key 1\n", list, 2, note, 256);
}

static void set_file(const char *folder, const char *text)
{
    char command[512];
    FILE *file;
    snprintf(command, sizeof command, "ls %s/choice-*.txt", folder);
    FILE *names = popen(command, "r");
    assert_non_null(names);
    char path[512] = "";
    assert_non_null(fgets(path, sizeof path, names));
    pclose(names);
    path[strcspn(path, "\n")] = '\0';
    assert_non_null(file = fopen(path, "w"));
    fputs(text, file);
    fclose(file);
}

/* What was written comes back to the last bit; whatever else a file holds is told and ignored. */
static void a_cache_is_right_or_ignored(void **unused)
{
    (void)unused;
    elm_candidate list[2];
    char note[256], inner[300];
    snprintf(inner, sizeof inner, "%s/a/b", scratch_folder);
    setenv("ELMPI_CACHE", inner, 1);
    assert_false(read_back(list, note));
    assert_string_equal("", note); /* there is none yet */
    elm_choice_cache_write("key 1\n", measured, 2, note, sizeof note);
    assert_string_equal("", note);
    assert_true(read_back(list, note));
    assert_true(list[0].seconds == measured[0].seconds && list[1].seconds == measured[1].seconds &&
                list[1].cut && !list[0].cut);
    static const char *const broken[] = {
        "",
        "rubbish",
        "elmpi choice 1\nkey 2\nonednn blocked fp32 1 0\nonednn nhwc fp32 1 0\nend\n",
        "elmpi choice 1\nkey 1\nonednn blocked fp32 1 0\nend\n",
        "elmpi choice 1\nkey 1\nonednn blocked fp32 1 0\nonednn nhwc fp32 1 0\n",
        "elmpi choice 1\nkey 1\nonednn blocked fp32 -1 0\nonednn nhwc fp32 1 0\nend\n",
        "elmpi choice 1\nkey 1\nonednn blocked fp32 nan 0\nonednn nhwc fp32 1 0\nend\n",
        "elmpi choice 1\nkey 1\nonednn blocked fp32 inf 0\nonednn nhwc fp32 1 0\nend\n",
        "elmpi choice 1\nkey 1\nonednn blocked fp32 1 1\nonednn nhwc fp32 1 1\nend\n",
        "elmpi choice 1\nkey 1\nonednn nhwc fp32 1 0\nonednn blocked fp32 1 0\nend\n",
    };
    for (size_t b = 0; b < sizeof broken / sizeof *broken; b++) {
        set_file(inner, broken[b]);
        if (read_back(list, note))
            fail_msg("taken for whole: %s", broken[b]);
        assert_true(list[0].seconds == 0 && list[1].seconds == 0);
        assert_non_null(strstr(note, "damaged"));
    }
    set_file(inner, "elmpi choice 1\nkey 1\nonednn blocked fp32 2 0\nonednn nhwc fp32 1 0\nend\n");
    assert_true(read_back(list, note) && list[0].seconds == 2);
    /* A pipe in its place would wait for ever. */
    char command[700];
    snprintf(command, sizeof command,
             "for f in %s/choice-*.txt; do rm \"$f\" && mkfifo \"$f\"; done", inner);
    assert_int_equal(system(command), 0);
    assert_false(read_back(list, note));
    assert_non_null(strstr(note, "no regular file"));
    elm_choice_cache_write("key 1\n", measured, 2, note, sizeof note);
    setenv("ELMPI_CACHE", "/proc/none", 1); /* where nothing can be made */
    elm_choice_cache_write("key 1\n", measured, 2, note, sizeof note);
    assert_non_null(strstr(note, "cannot be written"));
    setenv("ELMPI_CACHE", "off", 1);
    elm_choice_cache_write("key 1\n", measured, 2, note, sizeof note);
    assert_string_equal("", note);
    assert_false(read_back(list, note));
    unsetenv("ELMPI_CACHE");
}

/* Other images, threads or ranks are other measurements. */
static void keys_name_what_matters(void **unused)
{
    (void)unused;
    const elm_model_options model = {.name = "cifar-resnet8", .bn = "global"};
    elm_net_spec spec = {.model = &model,
                         .channels = 3,
                         .height = 8,
                         .width = 8,
                         .classes = 5,
                         .max_images = 4,
                         .max_batch = 8,
                         .ranks = 2};
    char first[4096], other[4096];
    elm_choice_key(&spec, first, sizeof first);
    assert_non_null(strstr(first, "cifar-resnet8"));
    elm_choice_key(&spec, other, sizeof other);
    assert_string_equal(first, other);
    spec.max_images = 5;
    elm_choice_key(&spec, other, sizeof other);
    assert_string_not_equal(first, other);
    spec.max_images = 4;
    spec.ranks = 3;
    elm_choice_key(&spec, other, sizeof other);
    assert_string_not_equal(first, other);
    spec.ranks = 2;
    spec.max_batch = 0;
    elm_choice_key(&spec, other, sizeof other);
    assert_string_not_equal(first, other);
}

static void nothing_is_left_allocated(void **unused)
{
    (void)unused;
    assert_int_equal(0, elm_alloc_live());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_narrow_the_list),
        cmocka_unit_test(only_a_clear_win_counts),
        cmocka_unit_test(everything_that_can_is_measured),
        cmocka_unit_test(a_cache_is_right_or_ignored),
        cmocka_unit_test(keys_name_what_matters),
        cmocka_unit_test(nothing_is_left_allocated),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
