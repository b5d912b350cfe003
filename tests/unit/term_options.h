/* Options of an embedding term as a job file gives them, so that the rows' names and defaults
 * are under test too. */
#ifndef ELMPI_TESTS_TERM_OPTIONS_H
#define ELMPI_TESTS_TERM_OPTIONS_H

#include <stdio.h>
#include <stdlib.h>

#include "elmpi/job.h"
#include "elmpi/loss.h"

static inline elm_loss_options options_from(const char *job_text)
{
    elm_loss_options options;
    elm_job *job = NULL;
    elm_error err = {0};
    const elm_option_set set = {elm_loss_option_rows, &options};
    if (elm_job_parse(&job, job_text, "test.ini", NULL, 0, &set, 1, &err) || elm_job_note(job, 0)) {
        fprintf(stderr, "%s%s\n%s\n", err.text, job ? elm_job_note(job, 0) : "", job_text);
        abort();
    }
    elm_job_destroy(job);
    return options;
}

/* The i-th row of the table with its defaults, then the variants of rows that have some; false
 * after the last. */
static inline int term_setting(int i, const char **name, elm_loss_options *options)
{
    static const struct {
        const char *name, *text;
    } variants[] = {
        {"pull", "pull.normalize = true"},
        {"dro", "dro.variant = public"},
        {"triplet", "triplet.mining = hardest"},
        {"lda", "lda.window = 1000"},
    };
    enum { VARIANTS = sizeof variants / sizeof *variants };
    elm_loss_about about;
    char text[256];
    int rows = 0;
    while (elm_loss_about_embed(rows, &about))
        rows++;
    if (i >= rows + VARIANTS)
        return 0;
    elm_loss_about_embed(i < rows ? i : 0, &about);
    *name = i < rows ? about.name : variants[i - rows].name;
    snprintf(text, sizeof text, "[loss]\nembed = %s\nlambda = 1\n%s\n", *name,
             i < rows ? "" : variants[i - rows].text);
    *options = options_from(text);
    return 1;
}

#endif
