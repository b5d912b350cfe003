/* elmpi-prepare: original archives in, stores out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "elmpi/prepare.h"

static void print_sources(void)
{
    printf("sources:\n");
    for (const elm_prepare_source *source = elm_prepare_sources; source->name != NULL; source++)
        printf("  %-10s %s\n", source->name, source->help);
    printf("\nThe archive may be compressed and packed in any way that libarchive knows; nothing is unpacked to disk.\n"
           "A store is HDF5: h5ls and h5py open it.\n"
           "Exit codes: 0 success, 1 failure, 2 wrong command line.\n");
}

/* Rewrites one line of the terminal. */
static void show_progress(void *context, const char *what, double share)
{
    (void)context;
    printf("\r%-24s %3.0f%%", what, 100.0 * share);
    fflush(stdout);
}

/* Wipes it. */
static void end_progress(void)
{
    printf("\r%30s\r", "");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const elm_log log = {.program = "elmpi-prepare"};
    elm_prepare_request request = {.log = &log};
    int64_t seed = 0;
    const elm_flag flags[] = {
        {"--archive", ELM_FLAG_TEXT, &request.archive, 0, 0, "FILE", "the original archive"},
        {"--out", ELM_FLAG_TEXT, &request.out, 0, 0, "FILE", "the store to make (its folder is made where it is missing)"},
        {"--imbalance", ELM_FLAG_REAL, &request.imbalance, 1, 1e6, "R", "n_max / n_min of the training set (digits, two-moons)"},
        {"--seed", ELM_FLAG_INT, &seed, 0, 9e15, "N", "seed of synthetic data (two-moons)"},
        {"--images", ELM_FLAG_INT, &request.images, 2, 1e8, "N", "training points (two-moons)"},
        {"--force", ELM_FLAG_SWITCH, &request.force, 0, 0, NULL, "replace an existing store"},
        {0},
    };
    elm_command command = {
        .program = log.program,
        .version = ELMPI_VERSION,
        .usage = "SOURCE [--archive FILE] --out FILE [--imbalance R] [--seed N] [--images N] [--force]",
        .summary = "Makes a store, ready for training, from a data set's original archive.",
        .flags = flags,
        .min_words = 1,
        .max_words = 1,
        .word_name = "the source",
        .more_help = print_sources,
    };
    elm_error err = {0};
    int status = elm_command_parse(&command, argc, argv, &err);
    if (status == ELM_COMMAND_DONE)
        return ELM_EXIT_SUCCESS;
    if (status == ELM_COMMAND_RUN && request.out == NULL)
        status = elm_error_set(&err, ELM_EXIT_USAGE, "no name for the store (--out): give one, such as data/%s.h5", command.words[0]);
    if (status == ELM_COMMAND_RUN) {
        request.seed = (uint64_t)seed;
        if (isatty(STDOUT_FILENO))
            request.progress = show_progress;
        status = elm_prepare_run(command.words[0], &request, &err);
    }
    if (status != 0) {
        if (request.progress != NULL)
            end_progress();
        elm_log_error(&log, "%s", err.text);
        return err.code;
    }
    return ELM_EXIT_SUCCESS;
}
