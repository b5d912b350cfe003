#include "store/store_parts.h"

int store_corrupt(const elm_store *store, const char *where, const char *what, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "broken store (%s, %s): %s: make it again with elmpi-prepare --force",
                         store->path, where, what);
}

store_split *store_find_split(elm_store *store, const char *name, elm_error *err)
{
    const int index = store_split_index(name);
    if (index < 0 || store->splits[index].count == 0) {
        elm_error_set(err, ELM_EXIT_FAILURE, "no split \"%s\" (%s): make a store that has it", name,
                      store->path);
        return NULL;
    }
    return &store->splits[index];
}

int store_check_members(const elm_store *store, const char *split, int64_t count,
                        const int64_t *members, int64_t member_count, elm_error *err)
{
    for (int64_t i = 0; i < member_count; i++)
        if (members[i] < 0 || members[i] >= count)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "row %lld of %lld (%s, %s): ask for rows that are there",
                                 (long long)members[i], (long long)count, store->path, split);
    return 0;
}
