/* Lists of pictures and names of classes: the same bytes as either. What a list puts into the
 * catalogue must be safe to use as a name. */
#include <string.h>

#include "input.h"
#include "prepare/lists/lists.h"

static void check_catalogue(elm_catalogue *catalogue)
{
    elm_error err = {0};
    fuzz_check_status(elm_catalogue_index(catalogue, &err), &err);
    for (int64_t i = 0; i < elm_catalogue_count(catalogue); i++) {
        const elm_picture_item *item = elm_catalogue_at(catalogue, i);
        fuzz_demand(elm_name_problem(item->name) == NULL, "no unsafe name in the catalogue");
        fuzz_demand(item->label >= 0 && item->label <= ELM_LABEL_MAX, "labels in range");
        fuzz_demand(elm_catalogue_exact(catalogue, item->name) == item,
                    "a name that leads to its own picture");
        (void)elm_catalogue_find(catalogue, item->name + strlen(item->name) / 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    fuzz_file file = fuzz_file_make(bytes, size_bytes);
    elm_class_names names = {0};
    elm_catalogue *catalogue = NULL;
    elm_report *report = NULL;
    elm_error err = {0}, second = {0};
    if (elm_catalogue_create(&catalogue, &err) == 0 && elm_report_create(&report, &err) == 0) {
        fuzz_check_status(elm_picture_list_read(catalogue, &names, file.path, 0, report, &err),
                          &err);
        fuzz_check_status(elm_class_names_read(&names, catalogue, file.path, NULL, &second),
                          &second);
        check_catalogue(catalogue);
        for (int i = 0; i < names.count; i++)
            fuzz_demand(names.name[i] == NULL || strlen(names.name[i]) < size_bytes + 1,
                        "names of the file");
    }
    elm_class_names_free(&names);
    elm_catalogue_destroy(catalogue);
    elm_report_destroy(report);
    fuzz_file_remove(&file);
    fuzz_end(begun);
    return 0;
}
