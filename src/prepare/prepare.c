#include "elmpi/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file/io.h"
#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "elmpi/store.h"
#include "prepare/sources.h"

enum { SOURCES_MAX = 64 };

const elm_prepare_source elm_prepare_sources[] = {
    {"cifar10",
     "CIFAR-10: 60,000 images of 10 classes; archive cifar-10-binary.tar.gz from "
     "https://www.cs.toronto.edu/~kriz/cifar.html",
     1, ELM_PREPARE_ARCHIVE, elm_prepare_cifar10},
    {"cifar100",
     "CIFAR-100: 60,000 images of 100 classes; archive cifar-100-binary.tar.gz from the same "
     "page",
     1, ELM_PREPARE_ARCHIVE, elm_prepare_cifar100},
    {"digits",
     "1,797 handwritten digits, 8 x 8 (Alpaydin and Kaynak 1998; comes with elmpi); --imbalance, "
     "default 20",
     0, ELM_PREPARE_ARCHIVE | ELM_PREPARE_IMBALANCE, elm_prepare_digits},
    {"two-moons",
     "two half circles with noise; --images, default 2000; --imbalance, default 19 (5% in the "
     "tail); --seed",
     0, ELM_PREPARE_IMBALANCE | ELM_PREPARE_POINTS | ELM_PREPARE_SEED, elm_prepare_moons},
    {"imagenet-lt",
     "ImageNet-LT (Liu et al. 2019): ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, each "
     "with --archive, and the lists "
     "ImageNet_LT_{train,val,test}.txt",
     1, ELM_PREPARE_ARCHIVE | ELM_PREPARE_IMAGE_FILES, elm_prepare_imagenet_lt},
    {"inat2018",
     "iNaturalist 2018: train_val2018.tar.gz and the lists train2018.json and val2018.json (or "
     "iNaturalist18_{train,val}.txt); the "
     "validation list becomes /test",
     1, ELM_PREPARE_ARCHIVE | ELM_PREPARE_IMAGE_FILES, elm_prepare_inat2018},
    {"pictures",
     "JPEG and PNG files of any archives or folders, by lists of \"path label\" lines, or else a "
     "folder a class (below folders train, val, "
     "test, if there are)",
     1, ELM_PREPARE_ARCHIVE | ELM_PREPARE_IMAGE_FILES, elm_prepare_any_images},
    {0},
};

static const elm_prepare_source *find_source(const char *name, elm_error *err)
{
    const char *names[SOURCES_MAX];
    int count = 0;
    for (const elm_prepare_source *source = elm_prepare_sources; source->name != NULL; source++) {
        if (strcmp(source->name, name) == 0)
            return source;
        names[count++] = source->name;
    }
    elm_error_unknown(err, &(elm_unknown){"source", name, "command line", names, count, NULL});
    return NULL;
}

static int check_request(const elm_prepare_source *source, const elm_prepare_request *request,
                         elm_error *err)
{
    const elm_prepare_image_files *files = &request->image_files;
    const struct {
        bool given;
        int use;
        const char *flag;
    } flags[] = {
        {request->archive != NULL, ELM_PREPARE_ARCHIVE, "--archive"},
        {request->imbalance != 0, ELM_PREPARE_IMBALANCE, "--imbalance"},
        {request->points != 0, ELM_PREPARE_POINTS, "--images"},
        {request->seed != 0, ELM_PREPARE_SEED, "--seed"},
        {request->archive_count > 1, ELM_PREPARE_IMAGE_FILES, "--archive, more than once"},
        {files->lists[0] != NULL, ELM_PREPARE_IMAGE_FILES, "--train-list"},
        {files->lists[1] != NULL, ELM_PREPARE_IMAGE_FILES, "--val-list"},
        {files->lists[2] != NULL, ELM_PREPARE_IMAGE_FILES, "--test-list"},
        {files->class_names != NULL, ELM_PREPARE_IMAGE_FILES, "--class-names"},
        {files->encoding != NULL, ELM_PREPARE_IMAGE_FILES, "--name-encoding"},
        {files->drop_empty, ELM_PREPARE_IMAGE_FILES, "--drop-empty-classes"},
        {files->layout != NULL, ELM_PREPARE_IMAGE_FILES, "--layout"},
        {files->strict, ELM_PREPARE_IMAGE_FILES, "--strict"},
        {files->no_decode, ELM_PREPARE_IMAGE_FILES, "--no-decode"},
        {files->resize != 0, ELM_PREPARE_IMAGE_FILES, "--resize"},
        {files->quality != 0, ELM_PREPARE_IMAGE_FILES, "--quality"},
        {files->threads != 0, ELM_PREPARE_IMAGE_FILES, "--threads"},
        {files->copy, ELM_PREPARE_IMAGE_FILES, "--copy"},
        {files->shard_bytes != 0, ELM_PREPARE_IMAGE_FILES, "--shard-mib"},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].given && !(source->uses & flags[i].use))
            return elm_error_set(err, ELM_EXIT_USAGE, "%s does not use this option (%s): omit it%s",
                                 source->name, flags[i].flag,
                                 flags[i].use == ELM_PREPARE_IMBALANCE
                                     ? "; set data.imbalance in the job file"
                                     : "");
    if (source->needs_archive && request->archive == NULL)
        return elm_error_set(err, ELM_EXIT_USAGE, "no archive (--archive): %s", source->help);
    if (files->quality != 0 && files->resize == 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "no image is resized (--quality): give --resize too, or omit it");
    if (request->imbalance != 0 && !(request->imbalance >= 1))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "bad imbalance ratio %g (--imbalance): give n_max / n_min, 1 or more",
                             request->imbalance);
    return 0;
}

/* The folder that `path` is to lie in. */
static int make_folders(const char *path, elm_error *err)
{
    char folder[ELM_PATH_SIZE], failed[ELM_PATH_SIZE];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "path too long (%.80s...): choose a shorter --out", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder)
        return 0;
    *slash = '\0';
    const int cause = elm_io_make_folders(folder, failed);
    return cause == 0 ? 0
                      : elm_error_set(err, ELM_EXIT_FAILURE,
                                      "cannot make the folder (%s): %s: choose another --out",
                                      failed, strerror(cause));
}

static int check_out(const elm_prepare_request *request, elm_error *err)
{
    struct stat about;
    if (lstat(request->out, &about) != 0)
        return make_folders(request->out, err);
    if (S_ISDIR(about.st_mode))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "that is a folder (%s): give --out the name of a file", request->out);
    if (!request->force)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the store exists already (%s): --force replaces it", request->out);
    return 0;
}

/* "500 477 455 ... 5 5 5" */
static void format_counts(const int64_t *count, int classes, char *text, size_t size_bytes)
{
    enum { ENDS = 5 };
    size_t length = 0;
    text[0] = '\0';
    for (int c = 0; c < classes && length < size_bytes; c++) {
        if (classes > 2 * ENDS && c == ENDS) {
            length += (size_t)snprintf(text + length, size_bytes - length, " ...");
            c = classes - ENDS;
        }
        if (length < size_bytes)
            length += (size_t)snprintf(text + length, size_bytes - length, "%s%lld",
                                       c > 0 ? " " : "", (long long)count[c]);
    }
}

static int print_split(elm_store *store, const char *split, const elm_log *log, elm_error *err)
{
    const int classes = elm_store_describe(store)->classes;
    int32_t *labels = NULL;
    int64_t images = 0;
    char text[512];
    if (elm_store_count(store, split) == 0)
        return 0;
    int64_t *count = elm_alloc((size_t)classes, sizeof *count, err);
    const int status = count != NULL ? elm_store_labels(store, split, &labels, &images, err) : -1;
    if (status == 0) {
        for (int64_t i = 0; i < images; i++)
            count[labels[i]]++;
        format_counts(count, classes, text, sizeof text);
        elm_log_info(log, "  %-5s  %lld images; by class: %s", split, (long long)images, text);
    }
    elm_free(labels);
    elm_free(count);
    return status;
}

/* "0 ant, 1 bee, 2 cat, ... 99 zebra" */
static void print_classes(elm_store *store, const elm_log *log)
{
    enum { SHOWN = 8 };
    const int classes = elm_store_describe(store)->classes;
    char text[1024] = "", name[64];
    size_t used = 0;
    for (int c = 0; c < classes && used < sizeof text; c++) {
        if (classes > SHOWN + 1 && c == SHOWN) {
            used += (size_t)snprintf(text + used, sizeof text - used, " ...");
            c = classes - 1;
        }
        if (used < sizeof text)
            used += (size_t)snprintf(
                text + used, sizeof text - used, "%s%d %s", c == 0 ? "" : ", ", c,
                elm_utf8_escape(name, sizeof name, elm_store_class_name(store, c)));
    }
    elm_log_info(log, "  names: %s", text);
}

static int print_summary(const elm_prepare_request *request, elm_error *err)
{
    elm_store *store = NULL;
    struct stat about = {0};
    if (elm_store_open(&store, request->out, err) != 0)
        return -1;
    const elm_store_info *info = elm_store_describe(store);
    stat(request->out, &about);
    char shape[64];
    if (info->in_shards)
        snprintf(shape, sizeof shape, "images in %d shard%s", elm_store_shard_count(store),
                 elm_store_shard_count(store) > 1 ? "s" : "");
    else if (info->channels > 0)
        snprintf(shape, sizeof shape, "%d x %d x %d", info->height, info->width, info->channels);
    else
        snprintf(shape, sizeof shape, "%d features", info->features);
    elm_log_info(request->log, "%s: %s, %d classes, %s, %.1f MB", request->out, info->dataset,
                 info->classes, shape, (double)about.st_size / 1e6);
    print_classes(store, request->log);
    const char *const splits[] = {"train", "val", "test"};
    int status = 0;
    for (int i = 0; status == 0 && i < 3; i++)
        status = print_split(store, splits[i], request->log, err);
    elm_store_close(store);
    return status;
}

int elm_prepare_run(const char *name, const elm_prepare_request *request, elm_error *err)
{
    const elm_prepare_source *source = find_source(name, err);
    if (source == NULL || check_request(source, request, err) != 0 ||
        check_out(request, err) != 0 || source->run(request, err) != 0)
        return -1;
    if (request->progress != NULL)
        request->progress(request->progress_context, "", 1);
    return print_summary(request, err);
}
