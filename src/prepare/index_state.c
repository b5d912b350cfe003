#include "prepare/index_state.h"

#include <string.h>

#include "elmpi/memory.h"
#include "prepare/folders/folder_items.h"

int elm_index_build_shard(elm_index_build *job, const char *path, elm_error *err)
{
    for (int i = 0; i < job->shard_count; i++)
        if (strcmp(job->shards[i].path, path) == 0)
            return i;
    if (job->shard_count == job->shard_capacity) {
        const int capacity = job->shard_capacity > 0 ? 2 * job->shard_capacity : 64;
        elm_index_shard *shards = elm_alloc((size_t)capacity, sizeof *shards, err);
        if (shards == NULL)
            return -1;
        if (job->shard_count > 0)
            memcpy(shards, job->shards, (size_t)job->shard_count * sizeof *shards);
        elm_free(job->shards);
        job->shards = shards;
        job->shard_capacity = capacity;
    }
    const char *own = elm_manifest_text(job->catalog, path, err);
    if (own == NULL)
        return -1;
    job->shards[job->shard_count] = (elm_index_shard){.path = own};
    return job->shard_count++;
}

elm_image_item *elm_index_build_item(elm_index_build *job, const char *path, int *status,
                                     elm_error *err)
{
    *status = 0;
    return job->listed ? elm_manifest_find(job->catalog, path)
                       : elm_image_folders_item(job, path, status, err);
}

int elm_index_build_quality(const elm_index_build *job)
{
    enum { QUALITY = 95 };
    const int64_t asked = job->request->image_files.quality;
    return asked > 0 ? (int)asked : QUALITY;
}
