/* elmpi-methods: the tables of losses, samplers and classifiers as a page of Markdown,
 * docs/methods.md, and the options of a job file as the lists of docs/jobs.md. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "elmpi/classifier.h"
#include "elmpi/dataset.h"
#include "elmpi/job.h"
#include "elmpi/log.h"
#include "elmpi/loss.h"
#include "elmpi/run.h"
#include "image/augment/pipeline.h"
#include "program.h"

/* Which option rows a method has: those used only with `key` = `name`; without a name, those of the
 * section that no method claims. */
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

/* "name=default" or "name=a/b/c"; what has no default is in angle brackets. Returns the end of the
 * text. */
static char *put_parameter(char *text, const char *end, const elm_step_parameter *parameter)
{
    const size_t room = (size_t)(end - text);
    if (!parameter->choices && isnan(parameter->default_value))
        return text + snprintf(text, room, ":<%s>", parameter->name);
    if (!parameter->choices)
        return text + snprintf(text, room, ":%s=%g", parameter->name, parameter->default_value);
    const int length = snprintf(text, room, ":%s=%s", parameter->name, parameter->choices);
    for (char *c = text; *c; c++)
        *c = *c == '|' ? '/' : *c;
    return text + length;
}

static void print_step(const elm_step_kind *kind)
{
    char usage[512] = "", text[1024];
    char *end = usage;
    for (int i = 0; i < ELM_STEP_PARAMETERS && kind->parameters[i].name; i++)
        end = put_parameter(end, usage + sizeof usage, &kind->parameters[i]);
    snprintf(text, sizeof text, "- `%s%s`: %s%s (%s)", kind->name, usage, kind->help,
             kind->needs_color ? "; three channels only" : "", kind->source);
    elm_markdown_print(text);
}

static void print_augmentation(void)
{
    printf("\n## Augmentation (`data.augment`)\n");
    elm_option_print_list(elm_data_option_rows, is_input, NULL);
    putchar('\n');
    elm_markdown_print(
        "Parameters follow colons, in this order or as `name=value`; of several words the first is "
        "the default. Pixel operations equal "
        "Pillow 9.4's bit for bit (`tests/unit/test_image_ops.c`, `test_pipeline.c`); what is "
        "drawn depends on the seed, the epoch and the "
        "image's position in it, not on ranks or threads. Images in shards are resized without "
        "Pillow's rounding to 8 bits between the "
        "two directions, and rounded before the next step. Each step with its source:");
    putchar('\n');
    for (const elm_step_kind *kind = elm_step_kinds; kind->name; kind++)
        print_step(kind);
}

/* A row's help as a sentence. */
static void print_sentence(const char *help)
{
    char text[1024];
    const int first = *help >= 'a' && *help <= 'z' ? *help - 'a' + 'A' : *help;
    snprintf(text, sizeof text, "%c%s.", first, help + 1);
    elm_markdown_print(text);
}

static void print_losses(bool (*about)(int i, elm_loss_about *about), const char *key)
{
    elm_loss_about loss;
    for (int i = 0; about(i, &loss); i++) {
        char text[1024];
        printf("\n### `%s`\n\n", loss.name);
        print_sentence(loss.help);
        printf("\n- Formula: `%s`\n", loss.formula);
        snprintf(text, sizeof text, "- Source: %s", loss.source);
        elm_markdown_print(text);
        elm_option_print_list(elm_loss_option_rows, belongs, &(claim){key, loss.name});
    }
}

static void print_optimizers(void)
{
    printf("\n## Optimizers (`optim.name`)\n");
    const elm_optimizer *optimizer;
    for (int i = 0; (optimizer = elm_optimizer_row(i)); i++) {
        char text[1024];
        printf("\n### `%s`\n\n", optimizer->name);
        print_sentence(optimizer->help);
        printf("\n- Formula: `%s`\n", optimizer->formula);
        snprintf(text, sizeof text, "- Source: %s", optimizer->source);
        elm_markdown_print(text);
    }
    putchar('\n');
    elm_markdown_print("g is the gradient, averaged over the global batch and clipped "
                       "(`optim.clip_norm`), w the weights. The options of `[optim]` are in "
                       "[jobs.md](jobs.md#options).");
}

static void print_methods(void)
{
    printf("# Methods\n\n");
    elm_markdown_print("Made by `tools/make-methods.sh` from the program's own tables: edit the "
                       "rows, not this page. Every option can stand in a job "
                       "file or after `--set`. n is the number of training images of a class, pi "
                       "its share, L the number of classes, K the length of an "
                       "embedding Phi, f the logits. Any loss on the logits can be combined with "
                       "any term on the embeddings; both are means over the "
                       "global batch.");
    printf("\n## Losses in general\n");
    elm_option_print_list(elm_loss_option_rows, is_general, NULL);
    printf("\n## Losses on the logits (`loss.logit`)\n");
    print_losses(elm_loss_about_logit, "loss.logit");
    printf("\n## Terms on the embeddings (`loss.embed`)\n");
    print_losses(elm_loss_about_embed, "loss.embed");
    print_optimizers();
    printf("\n## Sampling\n");
    elm_option_print_list(elm_data_option_rows, is_sampling, NULL);
    print_augmentation();
    printf("\n## After training (`elmpi-evaluate --classifier`)\n\n");
    for (const elm_classifier *c = elm_classifiers; c->name; c++) {
        char text[1024];
        snprintf(text, sizeof text, "- `%s`: %s", c->name, c->help);
        elm_markdown_print(text);
    }
}

static bool in_section(const elm_option *row, const void *section)
{
    const size_t length = strlen(section);
    return !strncmp(row->key, section, length) && row->key[length] == '.' &&
           !is_sampling(row, NULL) && !is_input(row, NULL);
}

/* The options of a job file, section by section. Those of the losses and those that print_methods
 * lists with a method are left to it. */
static void print_options(void)
{
    static const char *const sections[] = {"run", "data", "model", "optim", "comm", "checkpoint"};
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(NULL, sets);
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        printf("\n### `[%s]`\n", sections[s]);
        for (int i = 0; i < ELM_JOB_SETS; i++)
            elm_option_print_list(sets[i].rows, in_section, sections[s]);
    }
}

static int run(int argc, char **argv)
{
    bool options = false;
    const elm_flag flags[] = {
        {"--options", ELM_FLAG_SWITCH, &options, 0, 0, NULL,
         "print the options of a job file instead (docs/jobs.md)"},
        {0},
    };
    elm_command command = {
        .program = "elmpi-methods",
        .version = ELMPI_VERSION,
        .usage = "[--options]",
        .summary = "Prints losses, samplers and classifiers with formulas, sources and options as "
                   "Markdown (docs/methods.md).",
        .flags = flags,
    };
    elm_error err = {0};
    const elm_command_result result = elm_command_parse(&command, argc, argv, &err);
    if (result == ELM_COMMAND_RUN)
        (options ? print_options : print_methods)();
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
        elm_watchdog_enter(self.watch, "work", &err) == 0) {
        code = run(argc, argv);
    } else {
        elm_log_error(&(elm_log){.program = self.name}, "%s", err.text);
        code = err.code;
    }
    return elm_program_end(&self, code);
}
