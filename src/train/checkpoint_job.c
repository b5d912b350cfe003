#include "train/checkpoint_job.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/job.h"
#include "elmpi/memory.h"
#include "elmpi/trainer.h"

/* A copy of the job, without a backend that this build lacks: its line goes, so that the default
 * holds. */
static char *own_job(const char *text, elm_error *err)
{
    static const char key[] = "\nbackend = ";
    char *job = elm_alloc(strlen(text) + 1, 1, err), name[ELM_TEXT_SIZE];
    if (job == NULL)
        return NULL;
    memcpy(job, text, strlen(text) + 1);
    char *line = strstr(job, key);
    if (line == NULL)
        return job;
    const char *value = line + sizeof key - 1, *end = value + strcspn(value, "\n");
    snprintf(name, sizeof name, "%.*s", (int)(end - value), value);
    if (elm_net_check_backend(name, NULL) != 0)
        memmove(line, end, strlen(end) + 1);
    return job;
}

int elm_job_of_checkpoint(const elm_checkpoint *checkpoint, const char *name,
                          const char *const *overrides, int count, elm_job_options *options,
                          elm_error *err)
{
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(options, sets);
    elm_job *job = NULL;
    char *text = own_job(checkpoint->job, err);
    if (text == NULL)
        return -1;
    const int status = elm_job_parse(&job, text, name, overrides, count, sets, ELM_JOB_SETS, err);
    elm_job_destroy(job);
    elm_free(text);
    if (status == 0)
        options->model.head = elm_trainer_head(&options->model, &options->loss);
    return status;
}

static int choose_precision(const elm_job_options *options, bool has_bf16, bool given,
                            elm_precision *precision, elm_error *err)
{
    *precision = (elm_precision)options->run.precision;
    if (!given && *precision == ELM_PRECISION_BF16 && !has_bf16)
        *precision = ELM_PRECISION_FP32;
    if (elm_net_resolve_precision(*precision, options->run.backend, precision,
                                  given ? err : NULL) == 0)
        return 0;
    *precision = ELM_PRECISION_FP32;
    return given ? -1 : 0;
}

int elm_job_choice(const elm_job_options *options, bool has_bf16, elm_choice_given given,
                   elm_candidate *choice, elm_error *err)
{
    elm_candidate list[ELM_CANDIDATES_MAX];
    int count;
    choice->layout = (elm_layout)options->run.layout;
    choice->backend = elm_net_resolve_backend(options->run.backend, err);
    if (choice->backend == NULL ||
        choose_precision(options, has_bf16, given.precision, &choice->precision, err) != 0)
        return -1;
    const elm_choice_request request = {choice->backend, choice->layout, choice->precision};
    const int status = elm_choice_list(&request, list, &count, err);
    /* another backend's, or of before layouts were chosen */
    if (!given.layout && (status != 0 || choice->layout == ELM_LAYOUT_AUTO)) {
        choice->layout = elm_choice_layout_before(choice->backend, choice->precision);
        return 0;
    }
    return status;
}
