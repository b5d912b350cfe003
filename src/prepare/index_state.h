/* Index state: a preparation of images on its way, shared by all of its steps (index_build.h). */
#ifndef ELMPI_PREPARE_INDEX_STATE_H
#define ELMPI_PREPARE_INDEX_STATE_H

#include "elmpi/prepare.h"
#include "prepare/folders/folder_layout.h"
#include "prepare/journal.h"
#include "prepare/lists/list_entries.h"
#include "prepare/rejects.h"
#include "prepare/sets/manifest.h"
#include "prepare/shard_writer.h"
#include "store/format.h"

enum { IMAGE_PATH_BYTES = 4096, IMAGE_FRONT_BYTES = 256 };

/** A data set of images. */
typedef struct elm_image_set {
    elm_store_info info; /* name, mean and deviation */
    bool listed;         /* lists are a must */
    bool val_is_test;    /* the only official test is the validation list */
    int classes;         /* as published; 0: any */
    int64_t train_count; /* as published */
    const char *advice;  /* which lists to give */
} elm_image_set;

/** A shard of the store to be. */
typedef struct elm_index_shard {
    const char *path; /* as in the store; text of the manifest */
    int64_t size_bytes;
    bool known; /* its line is in the journal */
} elm_index_shard;

typedef struct elm_index_build {
    const elm_image_set *set;
    const elm_prepare_request *request;
    char folder[IMAGE_PATH_BYTES]; /* of the store */
    char stem[IMAGE_PATH_BYTES];   /* of what is made beside it: the store's path without ".h5" */
    char report_path[IMAGE_PATH_BYTES + 64];
    const char *lists[STORE_SPLITS];
    bool listed; /* which images there are is known beforehand */
    uint32_t request_hash;

    elm_manifest *catalog;
    elm_class_names class_names;
    int named;             /* how many --class-names has */
    elm_layout layout;     /* without lists: what the folders mean */
    bool split_archives;   /* each archive is a split, as its name says: "train.zip", "test.zip" */
    elm_manifest *folders; /* without lists: a class each, its label the place of its name */
    elm_rejects *report;
    elm_journal *journal;

    elm_index_shard *shards;
    int shard_count, shard_capacity;

    /* Of index_scan.c. */
    elm_shard_writer *writer; /* of the shard being written, or NULL */
    int writing;              /* its number */
    int64_t waiting;          /* images not committed yet */
    /* images that wait to be decoded; NULL with --resize, --no-decode */
    struct elm_decode_queue *checks;
    uint8_t *bytes; /* of one file */
    size_t capacity;
    struct elm_resize_queue *queue; /* --resize: images that wait to be made smaller */
    struct {
        double started, shown;        /* seconds */
        int64_t images, earlier;      /* met so far; of these, done by an interrupted run */
        double done_bytes, all_bytes; /* of archives before the current one; of all */
        double current_bytes;
    } progress;
} elm_index_build;

/** An archive on its way. */
typedef struct elm_archive_walk {
    struct elm_image_source *source;
    const char *name; /* as given */
    char front[IMAGE_FRONT_BYTES];
    bool folder;    /* what cannot be read there is one file, not the rest of an archive */
    int descriptor; /* of an archive that may be indexed in place, or -1 */
    int shard;      /* its number, or -1: not used yet */
    int64_t size_bytes;
    int64_t links; /* met so far */
} elm_archive_walk;

/** Of the JPEG files that are recreated. */
int elm_index_build_quality(const elm_index_build *job);

/** Number of a shard, which is made where it is new; -1: memory. */
int elm_index_build_shard(elm_index_build *job, const char *path, elm_error *err);
/** The image that a file's path means, or NULL where it means none (which goes to the report
 * where it should be one) or on failure. */
elm_image_item *elm_index_build_item(elm_index_build *job, const char *path, int *status,
                                     elm_error *err);

#endif
