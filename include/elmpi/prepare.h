/* Prepare: original archives in, stores out. One file a data set, one row in a table
 * (src/prepare/prepare.c). */
#ifndef ELMPI_PREPARE_H
#define ELMPI_PREPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/log.h"
#include "elmpi/status.h"

/** What the sources of images take besides: lists, and how shards are made. */
typedef struct elm_prepare_image_files {
    /* of train, val and test: "path label" lines or COCO-style JSON; NULL: none */
    const char *lists[3];
    const char *class_names; /* a file of names, one a line, or NULL */
    /* of class names that are not UTF-8, as iconv calls it, or "escape"; NULL: such are refused */
    const char *encoding;
    /* classes without a training image are left out and the others numbered anew */
    bool drop_empty;
    /* what folders mean, without lists: "splits", "classes", "class-split", "last"; NULL,
     * "auto": as found */
    const char *layout;
    bool strict;    /* whatever would be left out is an error */
    bool no_decode; /* images' headers and ends are read, else all of them is decoded */
    /* into shards, also where the original tar could be indexed in place */
    bool copy;
    /* images with a longer short side are recreated with one of so many pixels, and copied; 0:
     * none are */
    int64_t resize;
    int64_t quality;     /* of their JPEG files, 1 .. 100 */
    int64_t threads;     /* that decode and resize; 0: the cores allowed */
    int64_t shard_bytes; /* a shard is ended at this size; 0: 1 GiB */
} elm_prepare_image_files;

typedef struct elm_prepare_request {
    const char *archive;         /* path of the original archive, or NULL */
    const char *const *archives; /* sources of images take several, and folders */
    int archive_count;
    elm_prepare_image_files image_files;
    const char *out; /* path of the store */
    /* digits, two-moons: n_max / n_min of the training set made; 0: the data set's default */
    double imbalance;
    int64_t points; /* two-moons: of the training set; 0: default */
    uint64_t seed;  /* two-moons */
    bool force;     /* an existing store is replaced */
    const elm_log *log;
    /* called now and then with what is being done and the share done, 0 .. 1, at the end with "";
     * or NULL */
    void (*progress)(void *context, const char *what, double share);
    void *progress_context;
} elm_prepare_request;

/** What a source makes use of, so that a request for more is refused rather than ignored. */
enum {
    ELM_PREPARE_ARCHIVE = 1,
    ELM_PREPARE_IMBALANCE = 2,
    ELM_PREPARE_POINTS = 4,
    ELM_PREPARE_SEED = 8,
    ELM_PREPARE_IMAGE_FILES = 16
};

typedef struct elm_prepare_source {
    const char *name; /* "cifar100" */
    const char *help; /* one line: what it is, where the archive comes from */
    int needs_archive;
    int uses; /* ELM_PREPARE_... */
    int (*run)(const elm_prepare_request *request, elm_error *err);
} elm_prepare_source;

/** The sources elmpi knows, ended by name NULL. */
extern const elm_prepare_source elm_prepare_sources[];

/** Makes the store `request->out` from the source `name` and prints a summary of it. The store's
 * folder is made where it is missing.
 *  Ranks:  local; one process
 *  Errors: ELM_EXIT_USAGE for an unknown source (with the nearest and all valid ones), a missing
 *          archive, or what the source does not use; an existing store without `force`; errors of
 *          archive and store. `out` is unchanged then */
int elm_prepare_run(const char *name, const elm_prepare_request *request, elm_error *err);

#endif
