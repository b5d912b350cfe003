/* elmpi-export: a checkpoint's network as a file for other programs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text/name_list.h"
#include "command.h"
#include "elmpi/checkpoint.h"
#include "elmpi/dataset.h"
#include "elmpi/export.h"
#include "elmpi/job.h"
#include "elmpi/log.h"
#include "elmpi/memory.h"
#include "elmpi/run.h"
#include "elmpi/store.h"
#include "elmpi/trainer.h"
#include "program.h"

/* The command line. */
typedef struct command_line {
    const char *checkpoint, *to, *store, *class_names;
} command_line;

static elm_command_result parse_command(command_line *s, const char *program, int argc, char **argv,
                                        elm_error *err)
{
    const elm_flag flags[] = {
        {"--to", ELM_FLAG_TEXT, &s->to, 0, 0, "FILE",
         "what to write; its name's end says the format: .safetensors or .onnx"},
        {"--data", ELM_FLAG_TEXT, &s->store, 0, 0, "STORE",
         "the data set, where it is not at the job's data.store"},
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

/* The job inside the checkpoint. Who computed it does not matter here, and this build may lack
 * that backend. */
static int parse_job(const elm_checkpoint *checkpoint, const char *name, elm_job_options *options,
                     elm_error *err)
{
    static const char *const overrides[] = {"run.backend=auto"};
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(options, sets);
    elm_job *job = NULL;
    const int status =
        elm_job_parse(&job, checkpoint->job, name, overrides, 1, sets, ELM_JOB_SETS, err);
    elm_job_destroy(job);
    if (status == 0)
        options->model.head = elm_trainer_head(&options->model, &options->loss);
    return status;
}

/* What the network's input is, and that its classes are the data set's. */
static int describe_data(const command_line *s, const elm_checkpoint *checkpoint,
                         const elm_job_options *options, elm_store_info *info, elm_error *err)
{
    const char *path = s->store != NULL ? s->store : options->data.store;
    elm_store *store = NULL;
    if (access(path, R_OK) != 0)
        return elm_error_set(err, access(path, F_OK) != 0 ? ELM_EXIT_USAGE : ELM_EXIT_FAILURE,
                             "the data set, which knows the input's shape and normalization, is "
                             "not there or not readable (%s): name its "
                             "store with --data",
                             path);
    if (elm_store_check(path, err) != 0 || elm_store_open(&store, path, err) != 0)
        return -1;
    *info = *elm_store_describe(store);
    int differs = checkpoint->classes != info->classes ? 0 : -1;
    for (int c = 0; differs < 0 && checkpoint->class_names != NULL && c < info->classes; c++)
        if (strcmp(checkpoint->class_names[c], elm_store_class_name(store, c)) != 0)
            differs = c;
    elm_store_close(store);
    elm_data_normalize(&options->data, info);
    if (info->in_shards)
        info->height = info->width = (int)options->data.crop;
    return differs < 0 ? 0
                       : elm_error_set(err, ELM_EXIT_FAILURE,
                                       "the checkpoint is of another data set (%s: %d classes, the "
                                       "checkpoint %d; class %d differs): name "
                                       "the right store with --data",
                                       path, info->classes, checkpoint->classes, differs);
}

static int export(const command_line *s, const elm_log *log, elm_error *err)
{
    elm_checkpoint *checkpoint = NULL;
    elm_job_options options;
    elm_store_info info = {0};
    int status = elm_checkpoint_read(s->checkpoint, &checkpoint, err);
    if (status == 0)
        status = parse_job(checkpoint, s->checkpoint, &options, err);
    if (status == 0)
        status = describe_data(s, checkpoint, &options, &info, err);
    char **names = NULL;
    if (status == 0 && s->class_names != NULL)
        status = elm_name_list_read(s->class_names, info.classes, &names, err);
    if (status == 0) {
        const elm_export_request request = {.checkpoint = checkpoint,
                                            .model = &options.model,
                                            .data = &info,
                                            .crop = info.in_shards ? (int)options.data.crop : 0,
                                            .resize =
                                                info.in_shards ? elm_data_resize(&options.data) : 0,
                                            .version = ELMPI_VERSION,
                                            .class_names = (const char *const *)names};
        status = elm_export_write(&request, s->to, err);
    }
    if (status == 0) {
        char newer[256];
        elm_log_info(log, "weights of %s, epoch %.2f, step %lld", s->checkpoint, checkpoint->epoch,
                     (long long)checkpoint->step);
        if (elm_run_folder_has_newer(s->checkpoint, checkpoint->step, newer, sizeof newer))
            elm_log_warn(log,
                         "this is not the newest checkpoint of its folder, which is %s (the run "
                         "was stopped between the two, or is at "
                         "work): name that one, or let elmpi-train --resume mend the folder",
                         newer);
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
