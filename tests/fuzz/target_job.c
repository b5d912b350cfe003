/* Job files: the text up to the first zero byte is the job, the next one the file that it may
 * include as /proc/self/fd/200, and every line of the third an override. What is accepted must
 * come back unchanged from its resolved text. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/job.h"
#include "elmpi/run.h"
#include "input.h"

enum { INCLUDED = 200, OVERRIDES_MAX = 8 };

static int parse(elm_job **job, const char *text, const char *const *overrides, int count,
                 elm_error *err)
{
    elm_job_options options = {0};
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(&options, sets);
    return elm_job_parse(job, text, "fuzz.ini", overrides, count, sets, ELM_JOB_SETS, err);
}

static const char *const none[] = {NULL};

static void check_accepted(const elm_job *job)
{
    elm_error err = {0};
    elm_job *again = NULL;
    const int status = parse(&again, elm_job_text(job), NULL, 0, &err);
    fuzz_demand(status == 0, "a resolved job that can be read again");
    fuzz_demand(strcmp(elm_job_text(job), elm_job_text(again)) == 0,
                "a resolved job that resolves to itself");
    fuzz_demand(elm_job_compare(elm_job_text(job), elm_job_text(again), none, &err) == 0,
                "a job equal to itself");
    elm_job_destroy(again);
}

/* The text up to the next zero byte, without that. */
static char *next_text(char **rest, char *end)
{
    char *text = *rest;
    char *zero = memchr(text, 0, (size_t)(end - text));
    *rest = zero != NULL ? zero + 1 : end;
    return text;
}

static int split_lines(char *text, const char **lines)
{
    int count = 0;
    for (char *line; count < OVERRIDES_MAX && (line = strsep(&text, "\n")) != NULL;)
        if (*line != '\0')
            lines[count++] = line;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    char *copy = malloc(size_bytes + 1), *rest = copy;
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes, size_bytes);
    copy[size_bytes] = '\0';
    char *end = copy + size_bytes;
    const char *text = next_text(&rest, end), *included = next_text(&rest, end);
    const char *overrides[OVERRIDES_MAX];
    const int count = split_lines(rest, overrides);
    fuzz_file file = fuzz_file_make(included, strlen(included));
    fuzz_demand(dup2(file.descriptor, INCLUDED) == INCLUDED, "a descriptor for the included file");

    elm_error err = {0};
    elm_job *job = NULL;
    const int status = parse(&job, text, overrides, count, &err);
    fuzz_check_status(status, &err);
    if (status == 0)
        check_accepted(job);
    elm_job_destroy(job);
    (void)elm_job_compare(text, included, none, &err);
    close(INCLUDED);
    fuzz_file_remove(&file);
    free(copy);
    fuzz_end(begun);
    return 0;
}
