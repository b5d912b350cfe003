#include "image/augment/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/augment/steps.h"

enum { TEXT_SIZE = 512 };

/* Place of `text` among "a|b|c", or -1. */
static int choice_of(const char *choices, const char *text)
{
    const size_t length = strlen(text);
    int place = 0;
    for (const char *at = choices; *at != '\0'; place++) {
        const size_t span = strcspn(at, "|");
        if (span == length && strncmp(at, text, length) == 0)
            return place;
        at += span + (at[span] == '|');
    }
    return -1;
}

static int set_value(const elm_step_kind *kind, const elm_step_parameter *parameter,
                     const char *text, double *value, elm_error *err)
{
    if (parameter->choices != NULL) {
        const int place = choice_of(parameter->choices, text);
        *value = place;
        return place >= 0 ? 0
                          : elm_error_set(err, ELM_EXIT_USAGE,
                                          "no %s \"%.80s\" of augmentation %s: use one of %s",
                                          parameter->name, text, kind->name, parameter->choices);
    }
    char *end;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !(*value >= parameter->min && *value <= parameter->max))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "bad %s \"%.80s\" of augmentation %s: give a number from %g to %g",
                             parameter->name, text, kind->name, parameter->min, parameter->max);
    return 0;
}

static int parameter_count(const elm_step_kind *kind)
{
    int count = 0;
    while (count < ELM_STEP_PARAMETERS && kind->parameters[count].name != NULL)
        count++;
    return count;
}

/* Which parameter "name=value" or the next value in order is meant for; *text is left at the
 * value. */
static int place_of(const elm_step_kind *kind, int in_order, char **text, elm_error *err)
{
    char *equals = strchr(*text, '=');
    const int count = parameter_count(kind);
    if (equals == NULL && in_order < count)
        return in_order;
    if (equals == NULL) {
        elm_error_set(err, ELM_EXIT_USAGE,
                      "too many parameters (\"%.80s\") of augmentation %s: it has %d", *text,
                      kind->name, count);
        return -1;
    }
    *equals = '\0';
    for (int i = 0; i < count; i++)
        if (strcmp(*text, kind->parameters[i].name) == 0) {
            *text = equals + 1;
            return i;
        }
    const char *names[ELM_STEP_PARAMETERS];
    for (int i = 0; i < count; i++)
        names[i] = kind->parameters[i].name;
    const char *nearest = elm_nearest_name(*text, names, count);
    elm_error_set(err, ELM_EXIT_USAGE, "unknown parameter \"%.80s\" of augmentation %s%s%s", *text,
                  kind->name,
                  nearest ? ": did you mean "
                  : count ? ": its first is "
                          : ": it has none",
                  nearest ? nearest
                  : count ? names[0]
                          : "");
    return -1;
}

static int check_given(const elm_augment_step *step, elm_error *err)
{
    const elm_step_parameter *parameters = step->kind->parameters;
    for (int i = 0; i < parameter_count(step->kind); i++)
        if (isnan(step->value[i]))
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "augmentation %s needs its %s: write %s:<%g to %g>",
                                 step->kind->name, parameters[i].name, step->kind->name,
                                 parameters[i].min, parameters[i].max);
    for (int i = 0; i + 1 < parameter_count(step->kind); i++)
        if (strcmp(parameters[i].name, "least") == 0 && step->value[i] > step->value[i + 1])
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "least %g above most %g of augmentation %s: exchange them",
                                 step->value[i], step->value[i + 1], step->kind->name);
    return 0;
}

static int parse_step(elm_augment_step *step, char *text, elm_error *err)
{
    char *rest = strchr(text, ':');
    if (rest != NULL)
        *rest++ = '\0';
    step->kind = elm_step_kind_find(text, err);
    if (step->kind == NULL)
        return -1;
    for (int i = 0; i < ELM_STEP_PARAMETERS; i++)
        step->value[i] = step->kind->parameters[i].default_value;
    for (int order = 0; rest != NULL; order++) {
        char *value = rest;
        rest = strchr(rest, ':');
        if (rest != NULL)
            *rest++ = '\0';
        const int place = place_of(step->kind, order, &value, err);
        if (place < 0 || set_value(step->kind, &step->kind->parameters[place], value,
                                   &step->value[place], err) != 0)
            return -1;
    }
    return check_given(step, err);
}

static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text;
}

static int add_step(elm_pipeline *pipeline, char *text, elm_error *err)
{
    if (pipeline->count == ELM_PIPELINE_STEPS_MAX)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "more than %d steps of augmentation: leave some out",
                             ELM_PIPELINE_STEPS_MAX);
    if (pipeline->count > 0 && pipeline->steps[pipeline->count - 1].kind->last)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "augmentation %s must be the last step: move it behind \"%.80s\"",
                             pipeline->steps[pipeline->count - 1].kind->name, text);
    /* the name of both together, from when there was nothing else */
    if (strcmp(text, "crop-flip") == 0)
        return add_step(pipeline, (char[]){"crop:4"}, err) == 0
                   ? add_step(pipeline, (char[]){"flip"}, err)
                   : -1;
    if (*text == '\0')
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "an empty step of augmentation: write steps such as \"crop:4, flip\"");
    return parse_step(&pipeline->steps[pipeline->count++], text, err);
}

int elm_pipeline_parse(elm_pipeline *pipeline, const char *text, elm_error *err)
{
    char copy[TEXT_SIZE];
    *pipeline = (elm_pipeline){0};
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "augmentation of more than %d letters: shorten it", TEXT_SIZE - 1);
    if (strcmp(trimmed(copy), "none") == 0 || *trimmed(copy) == '\0')
        return 0;
    for (char *step = copy; step != NULL;) {
        char *next = strchr(step, ',');
        if (next != NULL)
            *next++ = '\0';
        if (add_step(pipeline, trimmed(step), err) != 0)
            return -1;
        step = next;
    }
    return 0;
}

bool elm_pipeline_step_is(const elm_pipeline *pipeline, int place, const char *name)
{
    return place < pipeline->count && strcmp(pipeline->steps[place].kind->name, name) == 0;
}

int elm_pipeline_check(const elm_pipeline *pipeline, elm_image_size size, elm_error *err)
{
    for (int i = 0; i < pipeline->count; i++) {
        const elm_augment_step *step = &pipeline->steps[i];
        const bool tints =
            step->kind->apply == elm_step_jitter && (step->value[2] > 0 || step->value[3] > 0);
        if (size.channels != 3 && (step->kind->needs_color || tints))
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "augmentation %s changes colors, and the images have %d channel%s: leave it out",
                step->kind->name, size.channels, size.channels == 1 ? "" : "s");
        if (size.channels != 3 && size.channels != 1)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "augmentation %s is for 1 or 3 channels, not %d: use crop and flip alone",
                step->kind->name, size.channels);
        const int smaller = size.height < size.width ? size.height : size.width;
        if (step->kind->apply == elm_step_crop && step->value[0] >= smaller)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "augmentation %s pads images of %d x %d by %g: give less than %d",
                                 step->kind->name, size.width, size.height, step->value[0],
                                 smaller);
        if (step->kind->apply == elm_step_cutout && step->value[0] > 2 * smaller)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "a hole of %g pixels covers images of %d x %d (cutout): give less",
                                 step->value[0], size.width, size.height);
    }
    return 0;
}

void elm_pipeline_apply(const elm_pipeline *pipeline, elm_canvas *canvas, elm_rng *rng)
{
    memset(canvas->erased, 0, sizeof canvas->erased);
    for (int i = 0; i < pipeline->count; i++)
        pipeline->steps[i].kind->apply(&pipeline->steps[i], canvas, rng);
}
