/* Annotations in COCO's JSON. */
#include "input.h"
#include "prepare/lists/lists_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    fuzz_file file = fuzz_file_make(bytes, size_bytes);
    elm_class_names names = {0};
    elm_manifest *catalog = NULL;
    elm_rejects *report = NULL;
    elm_error err = {0};
    if (elm_manifest_create(&catalog, &err) == 0 && elm_rejects_create(&report, &err) == 0) {
        const int status = elm_image_json_read(catalog, &names, file.path, 1, report, &err);
        fuzz_check_status(status, &err);
        fuzz_demand(names.count <= 2 * (ELM_LABEL_MAX + 1),
                    "no room for more classes than there may be");
        for (int64_t i = 0; i < elm_manifest_count(catalog); i++) {
            const elm_image_item *item = elm_manifest_at(catalog, i);
            fuzz_demand(elm_path_check(item->name) == NULL && item->label >= 0 &&
                            item->label <= ELM_LABEL_MAX,
                        "names and labels that are safe to use");
        }
        fuzz_demand(status != 0 || elm_manifest_count(catalog) + elm_rejects_count(report) > 0,
                    "images where there is no error");
    }
    elm_class_names_free(&names);
    elm_manifest_destroy(catalog);
    elm_rejects_destroy(report);
    fuzz_file_remove(&file);
    fuzz_end(begun);
    return 0;
}
