/* elmpi-prepare: original archives in, stores out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu/cpu.h"
#include "base/process/clock.h"
#include "base/text/text.h"
#include "command.h"
#include "elmpi/prepare.h"
#include "elmpi/ticker.h"
#include "program.h"

static void print_sources(void)
{
    printf("sources:\n");
    for (const elm_prepare_source *source = elm_prepare_sources; source->name != NULL; source++)
        printf("  %-10s %s\n", source->name, source->help);
    printf("\nThe archive may be compressed and packed in any way that libarchive knows; nothing "
           "is unpacked to disk.\n"
           "A store is HDF5: h5ls and h5py open it.\n"
           "Exit codes: 0 success, 1 failure, 2 wrong command line.\n");
}

/* Rewrites one line of the terminal. */
static void show_progress(void *context, const char *name, double share)
{
    char what[256];
    elm_text_escape(what, sizeof what, name);
    (void)context;
    if (what[0] != '\0')
        printf("\r\033[K%-24s %3.0f%%", what, 100.0 * share);
    else
        printf("\r\033[K");
    fflush(stdout);
}

/* In a batch job's log: a line a minute. */
static void log_progress(void *context, const char *name, double share)
{
    char what[256];
    elm_text_escape(what, sizeof what, name);
    double *said = context;
    const double now = elm_clock_seconds();
    if (what[0] == '\0' || now - *said < elm_ticker_seconds())
        return;
    *said = now;
    printf("%s, %.0f%%\n", what, 100.0 * share);
    fflush(stdout);
}

static int run(int argc, char **argv)
{
    const elm_log log = {.program = "elmpi-prepare"};
    elm_prepare_request request = {.log = &log};
    elm_text_list archives = {0};
    elm_prepare_image_files *files = &request.image_files;
    int64_t seed = 0, shard_mib = 0;
    bool decode = false;
    double said = elm_clock_seconds();
    const elm_flag flags[] = {
        {"--archive", ELM_FLAG_LIST, &archives, 0, 0, "FILE",
         "the original archive; pictures: repeatable, a folder will do"},
        {"--out", ELM_FLAG_TEXT, &request.out, 0, 0, "FILE",
         "the store to make (its folder is made where it is missing)"},
        {"--imbalance", ELM_FLAG_REAL, &request.imbalance, 1, 1e6, "R",
         "n_max / n_min of the training set (digits, two-moons)"},
        {"--seed", ELM_FLAG_INT, &seed, 0, 9e15, "N", "seed of synthetic data (two-moons)"},
        {"--images", ELM_FLAG_INT, &request.points, 2, 1e8, "N", "training points (two-moons)"},
        {"--train-list", ELM_FLAG_TEXT, &files->lists[0], 0, 0, "FILE",
         "training images: lines \"path label\", or COCO-style JSON"},
        {"--val-list", ELM_FLAG_TEXT, &files->lists[1], 0, 0, "FILE", "validation images"},
        {"--test-list", ELM_FLAG_TEXT, &files->lists[2], 0, 0, "FILE", "test images"},
        {"--class-names", ELM_FLAG_TEXT, &files->class_names, 0, 0, "FILE",
         "names of the lists' classes, one a line"},
        {"--name-encoding", ELM_FLAG_TEXT, &files->encoding, 0, 0, "ENC",
         "of class names that are not UTF-8: latin1, cp437, shift_jis ..., or escape (\\xE4); else "
         "they are refused"},
        {"--layout", ELM_FLAG_TEXT, &files->layout, 0, 0, "HOW",
         "what folders mean without lists: splits (train/dog/...), classes (dog/...), class-split "
         "(dog/train/...), last (the folder that an "
         "image lies in is its class); default: as found, and refused where there are two "
         "readings"},
        {"--drop-empty-classes", ELM_FLAG_SWITCH, &files->drop_empty, 0, 0, NULL,
         "leave classes without a training image out and number the others anew"},
        {"--strict", ELM_FLAG_SWITCH, &files->strict, 0, 0, NULL,
         "whatever is left out (unreadable, missing, there twice, in no class ...) is an error"},
        {"--no-decode", ELM_FLAG_SWITCH, &files->no_decode, 0, 0, NULL,
         "read only each image's header and end: quicker, but damage within is met in training "
         "and evaluation"},
        {"--decode", ELM_FLAG_SWITCH, &decode, 0, 0, NULL,
         "decode every image: what is done anyway, unless --no-decode is given"},
        {"--copy", ELM_FLAG_SWITCH, &files->copy, 0, 0, NULL,
         "copy the images also out of an uncompressed tar, which else is used as it is"},
        {"--resize", ELM_FLAG_INT, &files->resize, 8, 65535, "N",
         "copy images whose short side is longer with one of N pixels, as JPEG files turned "
         "upright; the others as they are"},
        {"--quality", ELM_FLAG_INT, &files->quality, 1, 100, "Q",
         "of those JPEG files (default 95)"},
        {"--threads", ELM_FLAG_INT, &files->threads, 1, 1024, "T",
         "that decode and resize (default: the cores allowed)"},
        {"--shard-mib", ELM_FLAG_INT, &shard_mib, 1, 1 << 20, "N",
         "size of the tar files that images are copied into (default 1024)"},
        {"--force", ELM_FLAG_SWITCH, &request.force, 0, 0, NULL, "replace an existing store"},
        {0},
    };
    elm_command command = {
        .program = log.program,
        .version = ELMPI_VERSION,
        .usage = "SOURCE [--archive FILE]... --out FILE [--train-list FILE]... [--force]",
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
        status = elm_error_set(&err, ELM_EXIT_USAGE,
                               "no name for the store (--out): give one, such as data/%s.h5",
                               command.words[0]);
    if (status == ELM_COMMAND_RUN)
        status = elm_cpu_choose(&err);
    if (status == ELM_COMMAND_RUN && decode && files->no_decode)
        status = elm_error_set(&err, ELM_EXIT_USAGE,
                               "--decode and --no-decode (command line): give one of them");
    if (status == ELM_COMMAND_RUN) {
        request.seed = (uint64_t)seed;
        request.archives = archives.item;
        request.archive_count = archives.count;
        request.archive = archives.count > 0 ? archives.item[0] : NULL;
        files->shard_bytes = shard_mib << 20;
        files->copy |= files->resize > 0;
        request.progress = isatty(STDOUT_FILENO) ? show_progress : log_progress;
        request.progress_context = &said;
        status = elm_prepare_run(command.words[0], &request, &err);
    }
    if (status != 0) {
        if (request.progress == show_progress)
            show_progress(NULL, "", 1);
        elm_log_error(&log, "%s", err.text);
        return err.code;
    }
    return ELM_EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    elm_error err = {0};
    elm_program self;
    int code;
    if (elm_program_begin(&self, "elmpi-prepare", &err) == 0 &&
        elm_watchdog_enter(self.watch, "work", &err) == 0) {
        code = run(argc, argv);
    } else {
        elm_log_error(&(elm_log){.program = self.name}, "%s", err.text);
        code = err.code;
    }
    return elm_program_end(&self, code);
}
