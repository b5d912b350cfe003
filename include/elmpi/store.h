/* Store: an HDF5 file with a data set ready for training (docs/design.md, section 5): one group a
 * split, /classes, and the data set's name and normalization as root attributes. */
#ifndef ELMPI_STORE_H
#define ELMPI_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

enum { ELM_CHANNELS_MAX = 4 };

/** What a store holds, from its root attributes and /classes. */
typedef struct elm_store_info {
    char dataset[32]; /* "cifar100" */
    int classes;
    int height, width, channels; /* of an image; 0 for features */
    int features;                /* length of a feature vector; 0 for images */
    /* of x / 255, by channel; features: unused (already as they should be) */
    float mean[ELM_CHANNELS_MAX];
    float std[ELM_CHANNELS_MAX];
    /* images of any size in shards, to be decoded: height and width are 0, channels 3 */
    bool in_shards;
} elm_store_info;

/** Where an image's bytes lie: in which shard, and where in it. */
typedef struct elm_store_place {
    int64_t offset;
    uint32_t length; /* bytes */
    int32_t shard;
    uint16_t width, height; /* as the image's file says, before any EXIF rotation */
    /* of its bytes, see store/image_digest.h; 0: unknown, in stores of earlier versions */
    int64_t digest;
} elm_store_place;

/** A plain uncompressed tar file that holds images. */
typedef struct elm_store_shard {
    const char *path; /* relative to the store's folder, or absolute */
    int64_t size_bytes;
} elm_store_shard;

typedef struct elm_store elm_store; /* open for reading */
typedef struct elm_store_writer elm_store_writer;

/** Has a process of its own read the store first (base/file/guard.h): one that makes HDF5 crash
 * ends there.
 *  Ranks:  local; one rank asks, and the others wait for its verdict before they open it */
int elm_store_check(const char *path, elm_error *err);

/** Opens a store and checks its shape: types, sizes, labels in range, known version.
 *  Ranks:  local; each rank opens the file for itself */
int elm_store_open(elm_store **store, const char *path, elm_error *err);
void elm_store_close(elm_store *store);
const elm_store_info *elm_store_describe(const elm_store *store);
const char *elm_store_class_name(const elm_store *store, int class_index);

/** Images of a split ("train", "val", "test"); 0 where it is absent. */
int64_t elm_store_count(const elm_store *store, const char *split);
/** Labels of a split: *labels [count], to be freed with elm_free. */
int elm_store_labels(elm_store *store, const char *split, int32_t **labels, int64_t *count,
                     elm_error *err);
/** Reads the rows `members` (any order, each < count) of a split: images as uint8
 * [members][H][W][C] or features as float [members][D].
 *  Owns:   *rows to be freed with elm_free */
int elm_store_read(elm_store *store, const char *split, const int64_t *members,
                   int64_t member_count, void **rows, elm_error *err);

/** Shards of a store; 0 unless its images are in shards. */
int elm_store_shard_count(const elm_store *store);
/** Owns:   the path is the store's */
elm_store_shard elm_store_shard_at(const elm_store *store, int shard);
/** Where the images `members` (any order, each < count) of a split lie; every place is known to
 * be within its shard.
 *  Owns:   *places [member_count] to be freed with elm_free
 *  Errors: a store whose images are not in shards */
int elm_store_places(elm_store *store, const char *split, const int64_t *members,
                     int64_t member_count, elm_store_place **places, elm_error *err);
/** The name of an image in shards, cut at size_bytes. */
int elm_store_image_name(elm_store *store, const char *split, int64_t member, char *name,
                         size_t size_bytes, elm_error *err);

/** Starts `path`.part; nothing stands under `path` until elm_store_writer_finish. */
int elm_store_writer_create(elm_store_writer **writer, const char *path, const elm_store_info *info,
                            const char *const *class_names, elm_error *err);
/** Appends one record to a split.
 *  Shape:  row uint8 [H][W][C] or float [D]. */
int elm_store_writer_append(elm_store_writer *writer, const char *split, int32_t label,
                            const void *row, elm_error *err);
/** Starts a store of images in shards (info->in_shards): an index of them. The shards themselves
 * are the caller's.
 *  Shape:  shards [shard_count]; name_bytes: longest name of an image */
int elm_store_writer_create_index(elm_store_writer **writer, const char *path,
                                  const elm_store_info *info, const char *const *class_names,
                                  const elm_store_shard *shards, int shard_count, size_t name_bytes,
                                  elm_error *err);
/** Appends one image to a split of an index.
 *  Errors: a place that is not within its shard, a name that is too long */
int elm_store_writer_append_place(elm_store_writer *writer, const char *split, int32_t label,
                                  const char *name, const elm_store_place *place, elm_error *err);
/** Writes /classes/train_count, flushes, fsyncs and renames. The writer is gone afterwards, also
 * on failure (and so is the .part file). */
int elm_store_writer_finish(elm_store_writer *writer, elm_error *err);
/** Gives up: removes the .part file. Accepts NULL. */
void elm_store_writer_destroy(elm_store_writer *writer);

#endif
