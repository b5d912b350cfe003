/* Every loss with the defaults of its options, and every option of every loss with each other
 * choice, or another number of its range: found from the tables of losses and of options, so
 * that a new loss or option is among them without a line more. */
#ifndef ELMPI_TESTS_LOSS_SETTINGS_H
#define ELMPI_TESTS_LOSS_SETTINGS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/job.h"
#include "elmpi/loss.h"

enum { SETTING_OVERRIDES = 8, SETTING_TEXT = 200, SETTING_VALUES = 8 };

/* Overrides of a job that says nothing else. */
typedef struct loss_setting {
    char text[SETTING_OVERRIDES][SETTING_TEXT];
    int count;
} loss_setting;

/* `what` names the setting in messages. */
typedef void (*loss_setting_check)(const char *what, const elm_loss_options *options);

static inline void setting_add(loss_setting *s, const char *key, const char *value, int length)
{
    assert_true(s->count < SETTING_OVERRIDES);
    snprintf(s->text[s->count++], SETTING_TEXT, "%s=%.*s", key, length, value);
}

static inline const elm_option *setting_row(const char *key, size_t length)
{
    for (const elm_option *row = elm_loss_option_rows; row->key; row++)
        if (strlen(row->key) == length && !strncmp(row->key, key, length))
            return row;
    fail_msg("no option %.*s", (int)length, key);
    return NULL;
}

/* The i-th name of "a|b|c" and its length; 0 after the last. */
static inline int setting_name(const char *names, int i, const char **name)
{
    for (; i > 0; i--) {
        names += strcspn(names, "|");
        if (!*names++)
            return 0;
    }
    *name = names;
    return (int)strcspn(names, "|");
}

/* What a rule such as "loss.embed=pull|center" asks for, by its i-th name, and what that
 * option's own rule asks for; false after the last. */
static inline bool setting_satisfy(loss_setting *s, const char *rule, int i)
{
    const char *equals = strchr(rule, '='), *name = NULL;
    const bool negated = equals[-1] == '!';
    const size_t length = (size_t)(equals - rule) - negated;
    const elm_option *row = setting_row(rule, length);
    elm_loss_about about;
    int name_length;
    if (negated) { /* "loss.embed!=none": any term */
        assert_string_equal("loss.embed", row->key);
        if (!elm_loss_about_embed(i, &about))
            return false;
        name = about.name;
        name_length = (int)strlen(name);
    } else if ((name_length = setting_name(equals + 1, i, &name)) == 0) {
        return false;
    }
    setting_add(s, row->key, name, name_length);
    return !row->used_if || setting_satisfy(s, row->used_if, 0);
}

static inline void setting_run(const loss_setting *s, loss_setting_check check)
{
    const char *overrides[SETTING_OVERRIDES + 1];
    char what[SETTING_OVERRIDES * SETTING_TEXT] = "";
    size_t used = 0;
    elm_loss_options options;
    elm_job *job = NULL;
    elm_error err = {0};
    const elm_option_set set = {elm_loss_option_rows, &options};
    overrides[0] = "loss.lambda=1"; /* without a term it is ignored */
    for (int i = 0; i < s->count; i++) {
        overrides[i + 1] = s->text[i];
        used += (size_t)snprintf(what + used, sizeof what - used, "%s%s", i ? ", " : "",
                                 s->text[i] + strlen("loss."));
    }
    if (elm_job_parse(&job, "[loss]\n", "test.ini", overrides, s->count + 1, &set, 1, &err))
        fail_msg("%s: %s", what, err.text);
    for (int i = 0; elm_job_note(job, i); i++)
        if (!strstr(elm_job_note(job, i), "loss.lambda"))
            fail_msg("%s: %s", what, elm_job_note(job, i));
    elm_job_destroy(job);
    check(what, &options);
}

/* Another number of the row's range, of the default's size. */
static inline double setting_number(const elm_option *row)
{
    const double standard = strtod(row->default_text, NULL),
                 step = row->type == ELM_OPTION_INT ? 1 : 0.1 + fabs(standard) / 2;
    const bool bounded = row->min != 0 || row->max != 0;
    if (!bounded || standard + step <= row->max)
        return standard + step;
    return standard - step >= row->min ? standard - step : (standard + row->min) / 2;
}

/* Texts by which some option of another kind can be set; the option's own check chooses. */
static inline int setting_texts(const elm_option *row, char values[SETTING_VALUES][SETTING_TEXT])
{
    static const char *const texts[] = {"n^0.3", "pi"};
    int count = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (row->check == NULL || row->check(texts[i], NULL) == 0)
            snprintf(values[count++], SETTING_TEXT, "%s", texts[i]);
    if (count == 0)
        fail_msg("%s: no value known for this option: add one to the texts in loss_settings.h",
                 row->key);
    return count;
}

/* Values other than the default. */
static inline int setting_values(const elm_option *row, char values[SETTING_VALUES][SETTING_TEXT])
{
    const char *name;
    int count = 0, length;
    switch (row->type) {
    case ELM_OPTION_INT:
        snprintf(values[0], SETTING_TEXT, "%lld", (long long)setting_number(row));
        return 1;
    case ELM_OPTION_REAL:
        snprintf(values[0], SETTING_TEXT, "%.17g", setting_number(row));
        return 1;
    case ELM_OPTION_BOOL:
        snprintf(values[0], SETTING_TEXT, "%s",
                 !strcmp(row->default_text, "true") ? "false" : "true");
        return 1;
    case ELM_OPTION_CHOICE:
        for (int i = 0; (length = setting_name(row->choices, i, &name)) > 0; i++) {
            assert_true(count < SETTING_VALUES);
            snprintf(values[count], SETTING_TEXT, "%.*s", length, name);
            count += strcmp(values[count], row->default_text) != 0;
        }
        return count;
    default:
        return setting_texts(row, values);
    }
}

/* Each loss, or each term, with its defaults. */
static inline void each_loss_setting_of(const char *key,
                                        bool (*about_of)(int i, elm_loss_about *about),
                                        const char *option, const char *value,
                                        loss_setting_check check)
{
    elm_loss_about about;
    for (int i = 0; about_of(i, &about); i++) {
        loss_setting s = {0};
        setting_add(&s, key, about.name, (int)strlen(about.name));
        if (option)
            setting_add(&s, option, value, (int)strlen(value));
        setting_run(&s, check);
    }
}

static inline void each_value_of(const elm_option *row, loss_setting_check check)
{
    char values[SETTING_VALUES][SETTING_TEXT];
    const int count = setting_values(row, values);
    for (int v = 0; v < count; v++) {
        loss_setting s = {0};
        if (!row->used_if) /* of every logit loss */
            each_loss_setting_of("loss.logit", elm_loss_about_logit, row->key, values[v], check);
        for (int i = 0; row->used_if && setting_satisfy(&s, row->used_if, i);
             i++, s = (loss_setting){0}) {
            setting_add(&s, row->key, values[v], (int)strlen(values[v]));
            setting_run(&s, check);
        }
    }
}

static inline void each_loss_setting(loss_setting_check check)
{
    each_loss_setting_of("loss.logit", elm_loss_about_logit, NULL, NULL, check);
    each_loss_setting_of("loss.embed", elm_loss_about_embed, NULL, NULL, check);
    for (const elm_option *row = elm_loss_option_rows; row->key; row++)
        if (strcmp(row->key, "loss.logit") != 0 && strcmp(row->key, "loss.embed") != 0 &&
            strcmp(row->key, "loss.lambda") != 0)
            each_value_of(row, check);
}

#endif
