/* What a loader says of images and shards that cannot be read. */

#include <stdio.h>

#include "data/bad_images.h"
#include "data/loader_state.h"
#include "store/shards.h"

/* The store is asked for the name only now: HDF5 is for the caller's thread alone. */
static void describe_fault(const elm_dataset *dataset, const elm_bad_image *fault, char *text,
                           size_t size_bytes)
{
    const elm_encoded_images *encoded = dataset->encoded;
    const elm_store_place *place = &encoded->places[fault->member];
    char name[512] = "";
    elm_store *store = NULL;
    if (elm_store_open(&store, encoded->store, NULL) == 0 &&
        elm_store_image_name(store, encoded->split, dataset->rows[fault->member], name, sizeof name,
                             NULL) != 0)
        name[0] = '\0';
    elm_store_close(store);
    snprintf(text, size_bytes, "%s (%s, byte %lld): %s", name[0] != '\0' ? name : "an image",
             elm_shards_path(encoded->shards, place->shard), (long long)place->offset,
             fault->reason);
}

bool elm_loader_complaint(elm_loader *loader, char *text, size_t size_bytes)
{
    elm_bad_image fault;
    if (loader->records.faults == NULL || !elm_bad_images_take(loader->records.faults, &fault))
        return false;
    char what[1024];
    describe_fault(loader->dataset, &fault, what, sizeof what);
    snprintf(text, size_bytes, "unreadable image: %s%s", what,
             loader->training ? ": the next one of its class, if any, takes its place" : "");
    return true;
}

int elm_loader_check_shards(elm_loader *loader, elm_error *err)
{
    const char *broken =
        loader->records.faults != NULL ? elm_bad_images_failure(loader->records.faults) : NULL;
    if (broken == NULL)
        return 0;
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "cannot read the shards (%s): %s: check disk, network and memory, then --resume",
        loader->dataset->encoded->store, broken);
}

int elm_loader_check(elm_loader *loader, elm_error *err)
{
    elm_bad_images *faults = loader->records.faults;
    if (faults == NULL)
        return 0;
    if (elm_loader_check_shards(loader, err) != 0)
        return -1;
    const char *advice = loader->training
                             ? "check the disk; raise data.unreadable and go on with --resume, or "
                               "make the store again with elmpi-prepare, which "
                               "leaves such images out, and begin a new run"
                             : "check the disk, or make the store again with elmpi-prepare, which "
                               "leaves such images out";
    const elm_dataset *dataset = loader->dataset;
    elm_bad_image fault;
    char what[1024];
    if (!loader->training && elm_bad_images_take(faults, &fault)) {
        describe_fault(dataset, &fault, what, sizeof what);
        return elm_error_set(err, ELM_EXIT_FAILURE, "unreadable image: %s: %s", what, advice);
    }
    if (elm_bad_images_too_many(faults))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "%lld of %lld images cannot be read (%s, %s%s): %s",
                             (long long)elm_bad_images_count(faults), (long long)dataset->count,
                             dataset->encoded->store, dataset->encoded->split,
                             loader->training ? "; data.unreadable allows fewer" : "", advice);
    return 0;
}

size_t elm_loader_fault_bytes(const elm_loader *loader)
{
    return loader->records.faults != NULL ? elm_bad_images_bytes(loader->records.faults) : 0;
}

void elm_loader_faults(elm_loader *loader, uint8_t *bits)
{
    elm_bad_images_get(loader->records.faults, bits);
}

void elm_loader_take_faults(elm_loader *loader, const uint8_t *bits)
{
    elm_bad_images_merge(loader->records.faults, bits);
}
