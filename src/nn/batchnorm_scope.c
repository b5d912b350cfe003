#include "nn/batchnorm_scope.h"

#include <stdlib.h>
#include <string.h>

int elm_norm_scope_parse(const char *text, elm_norm_scope *scope, elm_error *err)
{
    *scope = (elm_norm_scope){.kind = ELM_NORM_GLOBAL};
    if (!strcmp(text, "global"))
        return 0;
    scope->kind = ELM_NORM_RANK;
    if (!strcmp(text, "rank"))
        return 0;
    scope->kind = ELM_NORM_GROUP;
    char *end = NULL;
    if (!strncmp(text, "group:", 6)) {
        scope->group = strtoll(text + 6, &end, 10);
        if (end != text + 6 && !*end && scope->group >= 1)
            return 0;
    }
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "\"%s\" is no BatchNorm scope (model.bn): use global, rank or group:<images>", text);
}

elm_capacity elm_norm_scope_capacity(elm_norm_scope scope, int max_images, int ranks)
{
    const int borders = ranks > 1 ? ranks - 1 : 0;
    switch (scope.kind) {
    case ELM_NORM_GLOBAL:
        return (elm_capacity){max_images, 1, borders ? 1 : 0};
    case ELM_NORM_RANK:
        return (elm_capacity){max_images, 1, 0};
    default:
        return (elm_capacity){max_images, (int)(max_images / scope.group) + 2, borders};
    }
}

int elm_norm_scope_segments(elm_norm_scope scope, elm_partition share, elm_segment *segments,
                            int64_t *shared_groups, int *shared_count)
{
    *shared_count = 0;
    if (scope.kind == ELM_NORM_RANK) {
        segments[0] = (elm_segment){0, share.local, -1};
        return share.local ? 1 : 0;
    }
    const int64_t group = scope.kind == ELM_NORM_GLOBAL ? share.global : scope.group;
    /* shared whoever holds the images: ranks without any follow its statistics */
    if (scope.kind == ELM_NORM_GLOBAL && share.size > 1)
        shared_groups[(*shared_count)++] = 0;
    for (int r = 1; r < share.size && scope.kind == ELM_NORM_GROUP;
         r++) { /* a border between ranks inside a group makes that group shared */
        const int64_t border = elm_partition_begin(share.global, share.size, r);
        const bool cuts = border > 0 && border < share.global && border % group;
        if (cuts && (!*shared_count || shared_groups[*shared_count - 1] != border / group))
            shared_groups[(*shared_count)++] = border / group;
    }
    int count = 0, next = 0;
    for (int64_t at = share.first; at < share.first + share.local; count++) {
        const int64_t end = (at / group + 1) * group, last = share.first + share.local;
        while (next < *shared_count && shared_groups[next] < at / group)
            next++;
        const bool shared = next < *shared_count && shared_groups[next] == at / group;
        segments[count] = (elm_segment){(int)(at - share.first),
                                        (int)((end < last ? end : last) - at), shared ? next : -1};
        at += segments[count].images;
    }
    return count;
}
