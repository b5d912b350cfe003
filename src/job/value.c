#include "job/value.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/job.h"
#include "job/path.h"

enum { CHOICES_MAX = 32, CHOICES_SIZE = 512 };

const char elm_option_stem[] = "the job file's name";

/* "a|b|c" as separate names. Returns their number.
 *  Shape:  copy [CHOICES_SIZE] holds them, names [CHOICES_MAX] point into it. */
static int split_choices(const char *choices, char *copy, const char **names)
{
    int count = 0;
    snprintf(copy, CHOICES_SIZE, "%s", choices);
    for (char *rest = copy, *name; count < CHOICES_MAX && (name = strsep(&rest, "|"));)
        names[count++] = name;
    return count;
}

static void describe_range(const elm_option *row, const char *noun, char *text, int size)
{
    if (row->min == 0 && row->max == 0)
        snprintf(text, (size_t)size, "%s", noun);
    else if (isinf(row->max))
        snprintf(text, (size_t)size, "%s of at least %.10g", noun, row->min);
    else if (isinf(row->min))
        snprintf(text, (size_t)size, "%s of at most %.10g", noun, row->max);
    else
        snprintf(text, (size_t)size, "%s from %.10g to %.10g", noun, row->min, row->max);
}

static void describe_choices(const elm_option *row, char *text, int size)
{
    char copy[CHOICES_SIZE];
    const char *names[CHOICES_MAX];
    const int count = split_choices(row->choices, copy, names);
    int used = 0;
    for (int i = 0; i < count && used < size; i++)
        used += snprintf(text + used, (size_t)(size - used), "%s%s",
                         i == 0          ? ""
                         : i + 1 < count ? ", "
                                         : " or ",
                         names[i]);
}

void elm_value_describe(const elm_option *row, char *text, int size)
{
    switch (row->type) {
    case ELM_OPTION_INT:
        describe_range(row, "a whole number", text, size);
        return;
    case ELM_OPTION_REAL:
        describe_range(row, "a number", text, size);
        return;
    case ELM_OPTION_REALS:
        describe_range(row, "numbers, separated by commas, each", text, size);
        if (row->min == 0 && row->max == 0)
            snprintf(text, (size_t)size, "numbers, separated by commas");
        return;
    case ELM_OPTION_BOOL:
        snprintf(text, (size_t)size, "true or false");
        return;
    case ELM_OPTION_CHOICE:
        describe_choices(row, text, size);
        return;
    case ELM_OPTION_TEXT:
        snprintf(text, (size_t)size, "text");
        return;
    case ELM_OPTION_PATH:
        snprintf(text, (size_t)size, "a path");
        return;
    }
}

static int refuse(const elm_option *row, const char *text, const char *fault, const char *place,
                  elm_error *err)
{
    char wanted[256];
    elm_value_describe(row, wanted, sizeof wanted);
    return elm_error_set(err, ELM_EXIT_USAGE, "%s = %.200s %s (%s): give %s", row->key, text, fault,
                         place, wanted);
}

static bool in_range(const elm_option *row, double value)
{
    return (row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max);
}

static int parse_int(const elm_option *row, void *value, const char *text, const char *place,
                     elm_error *err)
{
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end)
        return refuse(row, text, "is no whole number", place, err);
    if (errno == ERANGE || !in_range(row, (double)number))
        return refuse(row, text, "is out of range", place, err);
    *(int64_t *)value = number;
    return 0;
}

static int parse_real(const elm_option *row, void *value, const char *text, const char *place,
                      elm_error *err)
{
    char *end;
    const double number = strtod(text, &end);
    if (end == text || *end || !isfinite(number))
        return refuse(row, text, "is no number", place, err);
    if (!in_range(row, number))
        return refuse(row, text, "is out of range", place, err);
    *(double *)value = number + 0.0; /* -0 becomes 0 */
    return 0;
}

static int parse_bool(const elm_option *row, void *value, const char *text, const char *place,
                      elm_error *err)
{
    const bool yes = !strcmp(text, "true");
    if (!yes && strcmp(text, "false"))
        return refuse(row, text, "is neither", place, err);
    *(bool *)value = yes;
    return 0;
}

/* A text must survive being written into a job file and read again. */
static int parse_text(const elm_option *row, void *value, const char *text, const char *place,
                      elm_error *err)
{
    bool blank = true; /* before the first character, as after " = " */
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 127)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "%s holds a control character (%s): remove it", row->key, place);
        if (*c == ';' && blank)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "%s holds a \";\" that begins a comment in job files (%s): use another text",
                row->key, place);
        blank = *c == ' ';
    }
    if (strlen(text) >= ELM_TEXT_SIZE)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "%s is longer than %d characters (%s): shorten it", row->key,
                             ELM_TEXT_SIZE - 1, place);
    snprintf(value, ELM_TEXT_SIZE, "%s", text);
    return 0;
}

static int parse_choice(const elm_option *row, void *value, const char *text, const char *place,
                        elm_error *err)
{
    char copy[CHOICES_SIZE];
    const char *names[CHOICES_MAX];
    const int count = split_choices(row->choices, copy, names);
    for (int i = 0; i < count; i++)
        if (!strcmp(text, names[i])) {
            *(int *)value = i;
            return 0;
        }
    const char *nearest = elm_nearest_name(text, names, count);
    char wanted[CHOICES_SIZE];
    describe_choices(row, wanted, sizeof wanted);
    return elm_error_set(err, ELM_EXIT_USAGE, "%s = %.200s is no choice (%s): %s%s%sgive %s",
                         row->key, text, place, nearest ? "did you mean " : "",
                         nearest ? nearest : "", nearest ? "? Else " : "", wanted);
}

static int parse_reals(const elm_option *row, void *value, const char *text, const char *place,
                       elm_error *err)
{
    elm_reals list = {0};
    for (const char *rest = text; *rest;) {
        char *end;
        const double number = strtod(rest, &end);
        if (end == rest || !isfinite(number))
            return refuse(row, text, "is no list of numbers", place, err);
        if (!in_range(row, number))
            return refuse(row, text, "is out of range", place, err);
        if (list.count == ELM_REALS_MAX)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "%s has more than %d numbers (%s): shorten it", row->key,
                                 ELM_REALS_MAX, place);
        list.value[list.count++] = number + 0.0;
        end += strspn(end, " \t");
        if (*end && (*end != ',' || !end[1]))
            return refuse(row, text, "is no list of numbers", place, err);
        rest = *end ? end + 1 : end;
    }
    *(elm_reals *)value = list;
    return 0;
}

/* What is written down again is the expanded path. */
static int parse_path(const elm_option *row, void *value, const char *text, const char *place,
                      elm_error *err)
{
    char path[ELM_TEXT_SIZE], escaped[ELM_VALUE_SIZE];
    if (elm_path_expand(row, text, place, path, err))
        return -1;
    if (elm_path_escape(path, escaped, sizeof escaped) >= sizeof escaped)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "%s is longer than %d characters (%s): shorten it", row->key,
                             ELM_VALUE_SIZE - 1, place);
    return parse_text(row, value, path, place, err);
}

static int parse_typed(const elm_option *row, void *value, const char *text, const char *place,
                       elm_error *err)
{
    switch (row->type) {
    case ELM_OPTION_INT:
        return parse_int(row, value, text, place, err);
    case ELM_OPTION_REAL:
        return parse_real(row, value, text, place, err);
    case ELM_OPTION_BOOL:
        return parse_bool(row, value, text, place, err);
    case ELM_OPTION_TEXT:
        return parse_text(row, value, text, place, err);
    case ELM_OPTION_PATH:
        return parse_path(row, value, text, place, err);
    case ELM_OPTION_CHOICE:
        return parse_choice(row, value, text, place, err);
    case ELM_OPTION_REALS:
        return parse_reals(row, value, text, place, err);
    }
    return -1;
}

/* A module's own check names the key in brackets at most; the place goes beside it. */
static int add_place(const elm_option *row, const char *place, const elm_error *cause,
                     elm_error *err)
{
    char where[128];
    snprintf(where, sizeof where, "(%s", row->key);
    const char *found = strstr(cause->text, where);
    if (!found)
        return elm_error_set(err, ELM_EXIT_USAGE, "%s [%s]", cause->text, place);
    const char *rest = found + strlen(where);
    return elm_error_set(err, ELM_EXIT_USAGE, "%.*s, %s%s", (int)(rest - cause->text), cause->text,
                         place, rest);
}

int elm_value_parse(const elm_option *row, void *value, const char *text, const char *place,
                    elm_error *err)
{
    if (!*text && (!row->default_text || row->default_text == elm_option_stem))
        return elm_error_set(err, ELM_EXIT_USAGE, "%s is empty (%s): give it a value", row->key,
                             place);
    if (parse_typed(row, value, text, place, err))
        return -1;
    elm_error cause = {0};
    if (row->check && row->check(text, &cause))
        return add_place(row, place, &cause, err);
    return 0;
}

/* The shorter of two forms that reads back as the same number. */
static int print_real(double value, char *text, size_t size)
{
    const int length = snprintf(text, size, "%.15g", value);
    return strtod(text, NULL) == value ? length : snprintf(text, size, "%.17g", value);
}

static void print_choice(const elm_option *row, int place, char *text)
{
    char copy[CHOICES_SIZE];
    const char *names[CHOICES_MAX];
    const int count = split_choices(row->choices, copy, names);
    snprintf(text, ELM_VALUE_SIZE, "%s", place >= 0 && place < count ? names[place] : "?");
}

void elm_value_print(const elm_option *row, const void *value, char *text)
{
    const elm_reals *list = value;
    int used = 0;
    *text = 0;
    switch (row->type) {
    case ELM_OPTION_INT:
        snprintf(text, ELM_VALUE_SIZE, "%lld", (long long)*(const int64_t *)value);
        return;
    case ELM_OPTION_REAL:
        print_real(*(const double *)value, text, ELM_VALUE_SIZE);
        return;
    case ELM_OPTION_BOOL:
        snprintf(text, ELM_VALUE_SIZE, "%s", *(const bool *)value ? "true" : "false");
        return;
    case ELM_OPTION_TEXT:
        snprintf(text, ELM_VALUE_SIZE, "%s", (const char *)value);
        return;
    case ELM_OPTION_PATH:
        elm_path_escape(value, text, ELM_VALUE_SIZE);
        return;
    case ELM_OPTION_CHOICE:
        print_choice(row, *(const int *)value, text);
        return;
    case ELM_OPTION_REALS: /* at most 16 numbers of 24 characters */
        for (int i = 0; i < list->count; i++) {
            if (i)
                text[used++] = ',';
            used += print_real(list->value[i], text + used, ELM_VALUE_SIZE - (size_t)used);
        }
        return;
    }
}
