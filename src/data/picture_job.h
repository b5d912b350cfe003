/* Picture job: one preparation of pictures, from lists and archives to a store.
 *
 *   picture_sets.c    the data sets it is done for
 *   picture_job.c     begins: lists, what an interrupted run has left; ends: what is missing, the report
 *   picture_files.c   goes through the archives, checks each picture and gives it its place
 *   picture_store.c   classes and their names, and the store itself */
#ifndef ELMPI_DATA_PICTURE_JOB_H
#define ELMPI_DATA_PICTURE_JOB_H

#include "data/catalogue.h"
#include "data/journal.h"
#include "data/picture_decode.h"
#include "data/picture_lists.h"
#include "data/report.h"
#include "data/shard_writer.h"
#include "data/store_format.h"
#include "elmpi/prepare.h"

enum { PICTURE_PATH_BYTES = 4096 };

/** A data set of pictures. */
typedef struct elm_picture_set {
    elm_store_info info; /* name, mean and deviation */
    bool listed;         /* lists are a must */
    bool val_is_test;    /* the only official test is the validation list */
    int classes;         /* as published; 0: any */
    int64_t train_count; /* as published */
    const char *advice;  /* which lists to give */
} elm_picture_set;

/** A shard of the store to be. */
typedef struct elm_job_shard {
    const char *path; /* as the store tells it; text of the catalogue */
    int64_t size_bytes;
    bool known; /* its line is in the journal */
} elm_job_shard;

typedef struct elm_picture_job {
    const elm_picture_set *set;
    const elm_prepare_request *request;
    char folder[PICTURE_PATH_BYTES]; /* of the store */
    char stem[PICTURE_PATH_BYTES];   /* of what is made beside it: the store's path without ".h5" */
    char report_path[PICTURE_PATH_BYTES + 64];
    const char *lists[STORE_SPLITS];
    bool listed; /* which pictures there are is known beforehand */
    uint32_t request_hash;

    elm_catalogue *catalogue;
    elm_class_names class_names;
    elm_catalogue *folders; /* without lists: a class each, its label the place of its name */
    elm_report *report;
    elm_journal *journal;

    elm_job_shard *shards;
    int shard_count, shard_capacity;

    /* Of picture_files.c. */
    elm_shard_writer *writer;        /* of the shard being written, or NULL */
    int writing;                     /* its number */
    int64_t waiting;                 /* pictures not committed yet */
    struct elm_decode_queue *checks; /* pictures that wait to be decoded; NULL with --resize, --no-decode */
    uint8_t *bytes;                  /* of one file */
    size_t capacity;
    struct elm_resize_queue *queue; /* --resize: pictures that wait to be made smaller */
    struct {
        double started, shown;        /* seconds */
        int64_t pictures, earlier;    /* met so far; of these, done by an interrupted run */
        double done_bytes, all_bytes; /* of archives before the current one; of all */
        double current_bytes;
    } progress;
} elm_picture_job;

/** Does the whole of it. */
int elm_picture_job_run(const elm_picture_set *set, const elm_prepare_request *request, elm_error *err);

/** Of the JPEG files that are made anew. */
int elm_picture_job_quality(const elm_picture_job *job);

/** Goes through all archives. */
int elm_picture_files_walk(elm_picture_job *job, elm_error *err);
/** Drops a shard that is not finished. */
void elm_picture_files_release(elm_picture_job *job);

/** Number of a shard, which is made where it is new; -1: memory. */
int elm_picture_job_shard(elm_picture_job *job, const char *path, elm_error *err);
/** The picture that a file's path means, or NULL where it means none (which goes to the report where it should be one) or on failure. */
elm_picture_item *elm_picture_job_item(elm_picture_job *job, const char *path, int *status, elm_error *err);

/** Classes, their names, and the store, which stands under request->out afterwards. */
int elm_picture_store_write(elm_picture_job *job, elm_error *err);

#endif
