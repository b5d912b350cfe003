/* Old keys of options: what a job that holds them means, what the log says, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elmpi/dataset.h"
#include "elmpi/job.h"
#include "elmpi/loss.h"
#include "elmpi/memory.h"

#define START "[data]\nstore = a.h5\n"

/* What is left of a job. */
typedef struct result {
    elm_data_options data;
    elm_loss_options loss;
    elm_job *job;
    elm_error err;
} result;

static int parse(result *r, const char *text, const char *const *overrides, int count)
{
    *r = (result){0};
    const elm_option_set sets[] = {{elm_data_option_rows, &r->data},
                                   {elm_loss_option_rows, &r->loss}};
    return elm_job_parse(&r->job, text, "a.ini", overrides, count, sets, 2, &r->err);
}

/* Overrides, NULL-terminated. */
#define SETS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int count_of(const char *const *overrides)
{
    int count = 0;
    while (overrides && overrides[count])
        count++;
    return count;
}

static void sampler_is(const char *text, const char *const *overrides, const char *sampler)
{
    result r;
    if (parse(&r, text, overrides, count_of(overrides)))
        fail_msg("%s", r.err.text);
    assert_string_equal(r.data.sampler, sampler);
    char line[128];
    snprintf(line, sizeof line, "\nsampler = %s\n", sampler);
    assert_non_null(strstr(elm_job_text(r.job), line));
    assert_null(strstr(elm_job_text(r.job), "\norder ="));
    assert_null(strstr(elm_job_text(r.job), "\nshuffle ="));
    elm_job_destroy(r.job);
}

static void refused(const char *text, const char *const *overrides, const char *expected)
{
    result r;
    assert_int_equal(parse(&r, text, overrides, count_of(overrides)), -1);
    assert_int_equal(r.err.code, ELM_EXIT_USAGE);
    if (!strstr(r.err.text, expected))
        fail_msg("\"%s\" does not hold \"%s\"", r.err.text, expected);
}

static void orders_and_shuffles_are_samplers(void **state)
{
    (void)state;
    sampler_is(START "order = sequential\n", NULL, "sequential");
    sampler_is(START "order = shuffle\n", NULL, "instance");
    sampler_is(START "shuffle = window:100\n", NULL, "window:100");
    sampler_is(START "shuffle = full\nsampler = sqrt\n", NULL, "sqrt");
    sampler_is(START "sampler = sqrt\norder = shuffle\n", NULL, "sqrt");
    sampler_is(START, SETS("data.order=sequential"), "sequential");
    sampler_is(START "order = sequential\n", SETS("data.order=shuffle"), "instance");
    sampler_is(START "sampler = sequential\n", SETS("data.order=sequential"), "sequential");
}

/* A resolved job of before gives all three. */
static void resolved_jobs_of_before(void **state)
{
    (void)state;
    sampler_is(START "order = shuffle\nsampler = instance\nshuffle = full\n", NULL, "instance");
    sampler_is(START "order = sequential\nsampler = instance\nshuffle = full\n", NULL,
               "sequential");
    sampler_is(START "order = shuffle\nsampler = instance\nshuffle = window:64\n", NULL,
               "window:64");
    sampler_is(START "order = shuffle\nsampler = class-aware:4\nshuffle = full\n", NULL,
               "class-aware:4");
    /* what was ignored then is ignored now */
    sampler_is(START "order = sequential\nsampler = instance\nshuffle = window:64\n", NULL,
               "sequential");
    sampler_is(START "sampler = sqrt\nshuffle = window:64\n", NULL, "sqrt");
}

static void contradictions(void **state)
{
    (void)state;
    refused(START "order = sequential\nsampler = sqrt\n", NULL,
            "data.order = sequential (a.ini:3) is at odds with data.sampler = sqrt (a.ini:4): the "
            "former is an old key of the latter; give data.sampler alone");
    refused(START "sampler = sqrt\n", SETS("data.order=sequential"),
            "data.order = sequential (--set) is at odds with data.sampler = sqrt (a.ini:3)");
    refused(START "[loss]\nembed = pull\nscope = global\npull.scope = bank\n", NULL,
            "loss.pull.scope = bank (a.ini:6) is at odds with loss.scope = global (a.ini:5)");
    refused(START "[loss]\nembed = pull\npull.scope = bank\n", SETS("loss.scope=rank"),
            "give loss.scope alone");
    refused(START "order = sequential\norder = shuffle\n", NULL,
            "data.order is given twice (a.ini:4 and line 3)");
}

static void bad_values(void **state)
{
    (void)state;
    refused(START "order = random\n", NULL, "choose instance, sequential, window:<n>");
    refused(START "order = random\n", NULL, "a.ini:3");
    refused(START "shuffle = window:9\n", NULL, "n from 64");
    refused(START "order =\n", NULL, "data.order is empty (a.ini:3)");
    refused(START "[loss]\nembed = pull\npull.scope = banc\n", NULL,
            "loss.scope = banc is no choice (a.ini:5): did you mean bank?");
    refused(START "ordre = random\n", NULL, "unknown key data.ordre");
}

static void notes_say_it_once(void **state)
{
    (void)state;
    result r;
    assert_int_equal(parse(&r,
                           START "order = shuffle\nsampler = sqrt\n[loss]\nembed = dro\n"
                                 "pull.scope = bank\n",
                           NULL, 0),
                     0);
    assert_int_equal(r.loss.scope, ELM_SCOPE_BANK);
    assert_string_equal(elm_job_note(r.job, 0), "data.order = shuffle is an old key (a.ini:3): "
                                                "read as data.sampler = sqrt; use that key");
    assert_string_equal(elm_job_note(r.job, 1), "loss.pull.scope = bank is an old key (a.ini:7): "
                                                "read as loss.scope = bank; use that key");
    assert_null(elm_job_note(r.job, 2));
    /* the resolved job names the new keys, and gives the same again without a note */
    result again;
    assert_null(strstr(elm_job_text(r.job), "pull.scope"));
    assert_int_equal(parse(&again, elm_job_text(r.job), NULL, 0), 0);
    assert_string_equal(elm_job_text(again.job), elm_job_text(r.job));
    assert_null(elm_job_note(again.job, 0));
    elm_job_destroy(again.job);
    elm_job_destroy(r.job);
}

/* A set-up's old key counts as the new one where a run is compared with it. */
static void set_ups(void **state)
{
    (void)state;
    result r;
    assert_int_equal(parse(&r, "[job]\nsetup = paper\n" START "order = sequential\n",
                           SETS("data.order=shuffle"), 1),
                     0);
    assert_non_null(elm_job_differences(r.job));
    assert_non_null(strstr(elm_job_differences(r.job), "data.sampler instance (sequential)"));
    elm_job_destroy(r.job);
    assert_int_equal(parse(&r, "[job]\nsetup = paper\n" START "order = sequential\n", NULL, 0), 0);
    assert_null(elm_job_differences(r.job));
    elm_job_destroy(r.job);
}

static void programs_without_the_option(void **state)
{
    (void)state;
    elm_loss_options loss;
    const elm_option_set set = {elm_loss_option_rows, &loss};
    elm_job *job;
    elm_error err = {0};
    assert_int_equal(
        elm_job_parse(&job, "[data]\norder = shuffle\n", "a.ini", NULL, 0, &set, 1, &err), -1);
    assert_non_null(strstr(err.text, "unknown section [data]"));
}

static int all_freed(void **state)
{
    (void)state;
    return elm_alloc_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_and_shuffles_are_samplers),
        cmocka_unit_test(resolved_jobs_of_before),
        cmocka_unit_test(contradictions),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(notes_say_it_once),
        cmocka_unit_test(set_ups),
        cmocka_unit_test(programs_without_the_option),
    };
    return cmocka_run_group_tests(tests, NULL, all_freed);
}
