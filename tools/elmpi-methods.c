/* elmpi-methods: the tables of losses, samplers and classifiers as a page of Markdown,
 * docs/methods.md. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "elmpi/classifier.h"
#include "elmpi/dataset.h"
#include "elmpi/job.h"
#include "elmpi/log.h"
#include "elmpi/loss.h"
#include "image/augment/pipeline.h"
#include "program.h"

/* Which option rows a method has: those used only with `key` = `name`; without a name, those of
 * the section that no method claims. */
typedef struct claim {
    const char *key, *name;
} claim;

/* Whether a rule such as "loss.embed=supcon|hybrid-sc" names the method. */
static bool names(const char *rule, const claim *c)
{
    const size_t length = strlen(c->key);
    if (!rule || strncmp(rule, c->key, length) || rule[length] != '=')
        return false;
    for (const char *name = rule + length + 1;; name++) {
        const size_t end = strcspn(name, "|");
        if (!c->name || (end == strlen(c->name) && !strncmp(name, c->name, end)))
            return true;
        name += end;
        if (!*name)
            return false;
    }
}

static bool belongs(const elm_option *row, const void *context)
{
    return names(row->used_if, context);
}

static bool is_general(const elm_option *row, const void *context)
{
    (void)context;
    const claim logit = {"loss.logit", NULL}, embed = {"loss.embed", NULL};
    return !names(row->used_if, &logit) && !names(row->used_if, &embed);
}

static bool is_sampling(const elm_option *row, const void *context)
{
    (void)context;
    return !strcmp(row->key, "data.sampler") || !strcmp(row->key, "data.holdout");
}

static bool is_input(const elm_option *row, const void *context)
{
    (void)context;
    return !strcmp(row->key, "data.augment") || !strcmp(row->key, "data.normalize");
}

/* "name=default" or "name=a/b/c"; what has no default is in angle brackets. */
static void print_parameter(const elm_step_parameter *parameter)
{
    if (parameter->choices) {
        printf(":%s=", parameter->name);
        for (const char *c = parameter->choices; *c; c++)
            putchar(*c == '|' ? '/' : *c);
    } else if (isnan(parameter->fallback)) {
        printf(":<%s>", parameter->name);
    } else {
        printf(":%s=%g", parameter->name, parameter->fallback);
    }
}

static void print_augmentation(void)
{
    printf("\n## Augmentation (`data.augment`)\n");
    elm_option_print_table(elm_data_option_rows, is_input, NULL);
    printf("\nParameters follow colons, in this order or as `name=value`; of several words the "
           "first is the default. Pixel operations equal "
           "Pillow 9.4's bit for bit (`tests/unit/test_image_ops.c`, `test_pipeline.c`); what is "
           "drawn depends on the seed, the epoch and the "
           "image's position in it, not on ranks or threads. Pictures in shards are resized "
           "without Pillow's rounding to 8 bits between the "
           "two directions, and rounded before the next step.\n\n| step | what it does | source "
           "|\n|---|---|---|\n");
    for (const elm_step_kind *kind = elm_step_kinds; kind->name; kind++) {
        printf("| `%s", kind->name);
        for (int i = 0; i < ELM_STEP_PARAMETERS && kind->parameters[i].name; i++)
            print_parameter(&kind->parameters[i]);
        printf("` | %s%s | %s |\n", kind->help, kind->needs_color ? "; three channels only" : "",
               kind->source);
    }
}

static void print_losses(bool (*about)(int i, elm_loss_about *about), const char *key)
{
    elm_loss_about loss;
    for (int i = 0; about(i, &loss); i++) {
        printf("\n### `%s`\n\n%c%s.\n\n", loss.name,
               *loss.help >= 'a' && *loss.help <= 'z' ? *loss.help - 'a' + 'A' : *loss.help,
               loss.help + 1);
        printf("* Formula: `%s`\n* Source: %s\n", loss.formula, loss.source);
        elm_option_print_table(elm_loss_option_rows, belongs, &(claim){key, loss.name});
    }
}

static void print_page(void)
{
    printf("# Methods\n\nMade by `tools/make-methods.sh` from the program's own tables: edit the "
           "rows, not this page. Every option can stand "
           "in a job file or "
           "after `--set`. n is the number of training images of a class, pi its share, L the "
           "number of classes, K the length of an embedding "
           "Phi, f the logits. Any loss on the logits goes with any term on the embeddings; both "
           "are means over the global batch.\n\n"
           "## Losses in general\n");
    elm_option_print_table(elm_loss_option_rows, is_general, NULL);
    printf("\n## Losses on the logits (`loss.logit`)\n");
    print_losses(elm_loss_about_logit, "loss.logit");
    printf("\n## Terms on the embeddings (`loss.embed`)\n");
    print_losses(elm_loss_about_embed, "loss.embed");
    printf("\n## Sampling\n");
    elm_option_print_table(elm_data_option_rows, is_sampling, NULL);
    print_augmentation();
    printf("\n## After training (`elmpi-evaluate --classifier`)\n\n");
    for (const elm_classifier *c = elm_classifiers; c->name; c++)
        printf("* `%s`: %s\n", c->name, c->help);
}

static int run(int argc, char **argv)
{
    const elm_flag flags[] = {{0}};
    elm_command command = {
        .program = "elmpi-methods",
        .version = ELMPI_VERSION,
        .usage = "",
        .summary = "Prints losses, samplers and classifiers with formulas, sources and options as "
                   "Markdown (docs/methods.md).",
        .flags = flags,
    };
    elm_error err = {0};
    const elm_command_result result = elm_command_parse(&command, argc, argv, &err);
    if (result == ELM_COMMAND_RUN)
        print_page();
    else if (result == ELM_COMMAND_ERROR)
        elm_log_error(&(elm_log){.program = command.program}, "%s", err.text);
    return result == ELM_COMMAND_ERROR ? err.code : ELM_EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    elm_error err = {0};
    elm_program self;
    int code;
    if (elm_program_begin(&self, "elmpi-methods", &err) == 0 &&
        elm_watch_enter(self.watch, "work", &err) == 0) {
        code = run(argc, argv);
    } else {
        elm_log_error(&(elm_log){.program = self.name}, "%s", err.text);
        code = err.code;
    }
    return elm_program_end(&self, code);
}
