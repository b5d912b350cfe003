#include "prepare/lists/list_entries.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "store/format.h"

void elm_class_names_free(elm_class_names *names)
{
    elm_free(names->name);
    *names = (elm_class_names){0};
}

int elm_class_names_set(elm_class_names *names, elm_manifest *catalog, int class_index,
                        const char *name, elm_error *err)
{
    if (class_index >= names->count) {
        const int count = class_index < 1024 ? 1024 : 2 * class_index;
        const char **list = elm_alloc((size_t)count, sizeof *list, err);
        if (list == NULL)
            return -1;
        if (names->count > 0)
            memcpy(list, names->name, (size_t)names->count * sizeof *list);
        elm_free(names->name);
        names->name = list;
        names->count = count;
    }
    names->name[class_index] = elm_manifest_text(catalog, name, err);
    return names->name[class_index] != NULL ? 0 : -1;
}

int elm_image_list_add(elm_manifest *catalog, const char *listed, int split, int64_t label,
                       const char *where, elm_rejects *report, elm_error *err)
{
    char name[2 * ELM_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "%s", listed); /* cut, it is still too long for a name */
    elm_name_clean(name);
    const char *problem = elm_path_check(name);
    if (problem != NULL)
        return elm_rejects_add(report, ELM_REPORT_UNSAFE, name, problem, err);
    if (label < 0 || label > ELM_LABEL_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "label %lld out of range (%s): class numbers begin at 0, up to %d",
                             (long long)label, where, ELM_LABEL_MAX);
    const elm_image_item *other = elm_manifest_exact(catalog, name);
    if (other == NULL)
        return elm_manifest_add(catalog, name, split, (int32_t)label, err) != NULL ? 0 : -1;
    if (other->split != split)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "an image in two splits, %s and %s (%s): %.300s: remove it from one of the lists",
            store_split_names[(int)other->split], store_split_names[split], where, name);
    if (other->label != label)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "an image of two classes, %d and %lld (%s): %.300s: correct the list",
                             other->label, (long long)label, where, name);
    return elm_rejects_add(report, ELM_REPORT_TWICE, name, where, err);
}
