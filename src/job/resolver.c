#include "job/resolver.h"

#include <stdio.h>
#include <string.h>

void elm_resolver_place(const elm_resolver *r, int file, int line, char *place)
{
    if (line == ELM_GIVEN_BY_SET)
        snprintf(place, ELM_PLACE_SIZE, "--set");
    else if (line == ELM_NOT_GIVEN)
        snprintf(place, ELM_PLACE_SIZE, "default");
    else
        elm_sources_place(&r->sources, file, line, place);
}

elm_slot *elm_resolver_find(const elm_resolver *r, const char *key, size_t length)
{
    for (int i = 0; i < r->count; i++)
        if (!strncmp(r->slots[i].row->key, key, length) && !r->slots[i].row->key[length])
            return &r->slots[i];
    return NULL;
}
