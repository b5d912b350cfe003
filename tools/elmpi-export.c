/* elmpi-export: a checkpoint's network as a file for other programs. */
#include <stdio.h>
#include <string.h>

#include "base/text/name_list.h"
#include "command.h"
#include "elmpi/checkpoint.h"
#include "elmpi/export.h"
#include "elmpi/log.h"
#include "elmpi/memory.h"
#include "elmpi/run.h"
#include "elmpi/store.h"
#include "eval/network_input.h"
#include "newest.h"
#include "program.h"
#include "train/checkpoint_job.h"

/* The command line. */
typedef struct command_line {
    const char *checkpoint, *to, *store, *class_names, *weights;
} command_line;

static elm_command_result parse_command(command_line *s, const char *program, int argc, char **argv,
                                        elm_error *err)
{
    const elm_flag flags[] = {
        {"--to", ELM_FLAG_TEXT, &s->to, 0, 0, "FILE",
         "what to write; its name's end says the format: .safetensors or .onnx"},
        {"--weights", ELM_FLAG_TEXT, &s->weights, 0, 0, "WHICH",
         "last (default): as the last step left them; ema: their moving average, of a run with "
         "optim.ema"},
        {"--data", ELM_FLAG_TEXT, &s->store, 0, 0, "STORE",
         "take the input's shape and normalization from this data set instead of the checkpoint; "
         "an "
         "older checkpoint without them needs it where it is not at the job's data.store"},
        {"--class-names", ELM_FLAG_TEXT, &s->class_names, 0, 0, "FILE",
         "other names of the classes, one a line, class 0 first"},
        {0},
    };
    elm_command command = {
        .program = program,
        .version = ELMPI_VERSION,
        .usage = "CHECKPOINT --to FILE.safetensors|FILE.onnx [--data STORE]",
        .summary = "Writes a checkpoint's network for PyTorch (safetensors, torchvision's names) "
                   "and others (ONNX, opset 13).",
        .flags = flags,
        .min_words = 1,
        .max_words = 1,
        .word_name = "a checkpoint",
    };
    const elm_command_result result = elm_command_parse(&command, argc, argv, err);
    if (result != ELM_COMMAND_RUN)
        return result;
    s->checkpoint = command.words[0];
    if (s->to == NULL) {
        elm_error_set(
            err, ELM_EXIT_USAGE,
            "no name for the file (--to): give one, such as model.safetensors or model.onnx");
        return ELM_COMMAND_ERROR;
    }
    return elm_export_check_name(s->to, err) == 0 ? ELM_COMMAND_RUN : ELM_COMMAND_ERROR;
}

static int export(const command_line *s, const elm_log *log, elm_error *err)
{
    elm_checkpoint *checkpoint = NULL;
    elm_job_options options;
    elm_checkpoint_input input = {0};
    elm_store_info info = {0};
    int status = elm_checkpoint_read(s->checkpoint, &checkpoint, err);
    if (status == 0)
        status = elm_checkpoint_choose_weights(checkpoint, s->weights, err);
    if (status == 0)
        status = elm_job_of_checkpoint(checkpoint, s->checkpoint, NULL, 0, &options, err);
    if (status == 0)
        status = elm_network_input_find(checkpoint, &options.data, s->store, &input, err);
    if (status == 0)
        info = elm_network_input_info(&input, checkpoint->classes);
    char **names = NULL;
    if (status == 0 && s->class_names != NULL)
        status = elm_name_list_read(s->class_names, info.classes, &names, err);
    if (status == 0) {
        const elm_export_request request = {.checkpoint = checkpoint,
                                            .weights = s->weights,
                                            .model = &options.model,
                                            .data = &info,
                                            .crop = info.in_shards ? info.height : 0,
                                            .resize = input.resize,
                                            .version = ELMPI_VERSION,
                                            .class_names = (const char *const *)names};
        status = elm_export_write(&request, s->to, err);
    }
    if (status == 0) {
        elm_log_info(log, "weights of %s%s, epoch %.2f, step %lld", s->checkpoint,
                     s->weights != NULL && strcmp(s->weights, "ema") == 0 ? " (moving average)"
                                                                          : "",
                     checkpoint->epoch, (long long)checkpoint->step);
        elm_warn_unless_newest(log, s->checkpoint, checkpoint);
    }
    elm_free(names);
    elm_checkpoint_free(checkpoint);
    return status;
}

static int run(int argc, char **argv)
{
    const elm_log log = {.program = "elmpi-export"};
    elm_error err = {0};
    command_line settings = {0};
    int status = parse_command(&settings, log.program, argc, argv, &err);
    if (status == ELM_COMMAND_DONE)
        return ELM_EXIT_SUCCESS;
    if (status == ELM_COMMAND_RUN)
        status = export(&settings, &log, &err);
    if (status != 0) {
        elm_log_error(&log, "%s", err.text);
        return err.code;
    }
    elm_log_info(&log, "written to %s", settings.to);
    return ELM_EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    elm_error err = {0};
    elm_program self;
    int code;
    if (elm_program_begin(&self, "elmpi-export", &err) == 0 &&
        elm_watchdog_enter(self.watch, "work", &err) == 0) {
        code = run(argc, argv);
    } else {
        elm_log_error(&(elm_log){.program = self.name}, "%s", err.text);
        code = err.code;
    }
    return elm_program_end(&self, code);
}
