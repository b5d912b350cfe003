/* Lists of images and names of classes: the same bytes as either. What a list puts into the
 * catalog must be safe to use as a name. */
#include <string.h>

#include "input.h"
#include "prepare/lists/lists.h"

static void check_catalog(elm_manifest *catalog)
{
    elm_error err = {0};
    fuzz_check_status(elm_manifest_index(catalog, &err), &err);
    for (int64_t i = 0; i < elm_manifest_count(catalog); i++) {
        const elm_image_item *item = elm_manifest_at(catalog, i);
        fuzz_demand(elm_path_check(item->name) == NULL, "no unsafe name in the catalog");
        fuzz_demand(item->label >= 0 && item->label <= ELM_LABEL_MAX, "labels in range");
        fuzz_demand(elm_manifest_exact(catalog, item->name) == item,
                    "a name that leads to its own image");
        (void)elm_manifest_find(catalog, item->name + strlen(item->name) / 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    fuzz_file file = fuzz_file_make(bytes, size_bytes);
    elm_class_names names = {0};
    elm_manifest *catalog = NULL;
    elm_rejects *report = NULL;
    elm_error err = {0}, second = {0};
    if (elm_manifest_create(&catalog, &err) == 0 && elm_rejects_create(&report, &err) == 0) {
        fuzz_check_status(elm_image_list_read(catalog, &names, file.path, 0, report, &err), &err);
        fuzz_check_status(elm_class_names_read(&names, catalog, file.path, NULL, &second), &second);
        check_catalog(catalog);
        for (int i = 0; i < names.count; i++)
            fuzz_demand(names.name[i] == NULL || strlen(names.name[i]) < size_bytes + 1,
                        "names of the file");
    }
    elm_class_names_free(&names);
    elm_manifest_destroy(catalog);
    elm_rejects_destroy(report);
    fuzz_file_remove(&file);
    fuzz_end(begun);
    return 0;
}
