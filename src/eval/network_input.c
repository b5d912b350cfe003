#include "eval/network_input.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/check_classes.h"
#include "elmpi/memory.h"

static elm_checkpoint_input input_of(const elm_store_info *info, int resize)
{
    elm_checkpoint_input input = {.channels = info->channels,
                                  .height = info->height,
                                  .width = info->width,
                                  .features = info->features,
                                  .resize = resize};
    snprintf(input.dataset, sizeof input.dataset, "%s", info->dataset);
    for (int c = 0; c < info->channels; c++) {
        input.mean[c] = info->mean[c];
        input.std[c] = info->std[c];
    }
    return input;
}

elm_checkpoint_input elm_network_input_of(const elm_dataset *dataset)
{
    return input_of(&dataset->info, dataset->encoded != NULL ? dataset->encoded->resize : 0);
}

/* The store's description as the job changes it, and whether its classes are the checkpoint's. */
static int read_store(const char *path, const elm_checkpoint *checkpoint,
                      const elm_data_options *job, elm_checkpoint_input *input, elm_error *err)
{
    elm_store *store = NULL;
    if (elm_store_check(path, err) != 0 || elm_store_open(&store, path, err) != 0)
        return -1;
    elm_store_info info = *elm_store_describe(store);
    char **names = elm_alloc((size_t)info.classes, sizeof *names, err);
    int status = names != NULL ? 0 : -1;
    for (int c = 0; status == 0 && c < info.classes; c++)
        names[c] = (char *)elm_store_class_name(store, c);
    if (status == 0) {
        const elm_checkpoint_data data = {info.dataset, path, names, info.classes};
        status = elm_checkpoint_check_classes(checkpoint, &data, "name the right store with --data",
                                              err);
    }
    elm_free(names);
    elm_store_close(store);
    elm_data_normalize(job, &info);
    if (info.in_shards)
        info.height = info.width = (int)job->crop;
    *input = input_of(&info, info.in_shards ? elm_data_resize(job) : 0);
    return status;
}

int elm_network_input_find(const elm_checkpoint *checkpoint, const elm_data_options *job,
                           const char *store, elm_checkpoint_input *input, elm_error *err)
{
    if (store == NULL && elm_checkpoint_knows_input(checkpoint)) {
        *input = checkpoint->input;
        return 0;
    }
    const char *path = store != NULL ? store : job->store;
    if (access(path, R_OK) != 0)
        return elm_error_set(
            err, access(path, F_OK) != 0 ? ELM_EXIT_USAGE : ELM_EXIT_FAILURE,
            "the data set%s is not there or not readable (%s): name its store with --data",
            store != NULL ? ""
                          : ", which knows the input's shape and normalization as this older "
                            "checkpoint does not,",
            path);
    return read_store(path, checkpoint, job, input, err);
}

elm_store_info elm_network_input_info(const elm_checkpoint_input *input, int classes)
{
    elm_store_info info = {.classes = classes,
                           .channels = input->channels,
                           .height = input->height,
                           .width = input->width,
                           .features = input->features,
                           .in_shards = input->resize > 0};
    snprintf(info.dataset, sizeof info.dataset, "%s", input->dataset);
    for (int c = 0; c < input->channels; c++) {
        info.mean[c] = input->mean[c];
        info.std[c] = input->std[c];
    }
    return info;
}
