/* elmpi-report: a page about runs. */
#include <string.h>

#include "command.h"
#include "elmpi/log.h"
#include "elmpi/run_report.h"
#include "program.h"

static int check_end(const char *out, elm_error *err)
{
    const char *dot = strrchr(out, '.');
    return dot != NULL && strcmp(dot, ".html") == 0
               ? 0
               : elm_error_set(err, ELM_EXIT_USAGE,
                               "the report is a page (--out %s): give it a name that ends in .html",
                               out);
}

static int run(int argc, char **argv)
{
    elm_log log = {.program = "elmpi-report"};
    elm_error err = {0};
    const char *out = "report.html", *class_names = NULL;
    const elm_flag flags[] = {
        {"--out", ELM_FLAG_TEXT, &out, 0, 0, "FILE.html",
         "the page (default report.html); its figures as SVG, PDF and CSV come into the folder "
         "FILE-figures"},
        {"--class-names", ELM_FLAG_TEXT, &class_names, 0, 0, "FILE",
         "other names of the classes, one a line, class 0 first"},
        {"--quiet", ELM_FLAG_SWITCH, &log.quiet, 0, 0, NULL, "say nothing but errors"},
        {0},
    };
    elm_command command = {
        .program = log.program,
        .version = ELMPI_VERSION,
        .usage = "RUN... [--out report.html]",
        .summary = "Writes one self-contained page about any runs: settings, curves, accuracies "
                   "beside the paper's, and, where elmpi-evaluate "
                   "--analysis RUN/analysis.h5 has been, margins, distances, spectra, t-SNE.",
        .flags = flags,
        .min_words = 1,
        .max_words = 256,
        .word_name = "a run's folder",
    };
    int status = elm_command_parse(&command, argc, argv, &err);
    if (status == ELM_COMMAND_DONE)
        return ELM_EXIT_SUCCESS;
    if (status == ELM_COMMAND_RUN)
        status = check_end(out, &err);
    if (status == 0)
        status =
            elm_run_report_write(command.words, command.word_count, class_names, out, &log, &err);
    if (status != 0) {
        elm_log_error(&log, "%s", err.text);
        return err.code;
    }
    elm_log_info(&log, "written to %s", out);
    return ELM_EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    elm_error err = {0};
    elm_program self;
    int code;
    if (elm_program_begin(&self, "elmpi-report", &err) == 0 &&
        elm_watchdog_enter(self.watch, "work", &err) == 0) {
        code = run(argc, argv);
    } else {
        elm_log_error(&(elm_log){.program = self.name}, "%s", err.text);
        code = err.code;
    }
    return elm_program_end(&self, code);
}
