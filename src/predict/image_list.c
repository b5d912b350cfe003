#include "predict/image_list.h"

#include <string.h>

#include "elmpi/memory.h"

/* Twice the room, at least `wanted` elements. */
static int grow(void **array, int64_t *capacity, int64_t used, int64_t wanted, size_t element_bytes,
                elm_error *err)
{
    if (wanted <= *capacity)
        return 0;
    const int64_t room = wanted > 2 * *capacity ? wanted + 4096 : 2 * *capacity;
    void *larger = elm_alloc((size_t)room, element_bytes, err);
    if (larger == NULL)
        return -1;
    if (used > 0)
        memcpy(larger, *array, (size_t)used * element_bytes);
    elm_free(*array);
    *array = larger;
    *capacity = room;
    return 0;
}

int64_t elm_image_list_text(elm_image_list *list, const char *text, elm_error *err)
{
    const int64_t place = list->text_bytes, size = (int64_t)strlen(text) + 1;
    if (grow((void **)&list->texts, &list->text_capacity, place, place + size, 1, err) != 0)
        return -1;
    memcpy(list->texts + place, text, (size_t)size);
    list->text_bytes += size;
    return place;
}

int elm_image_list_add_member(elm_image_list *list, const char *name, int64_t file,
                              elm_listed_image place, const char *problem, elm_error *err)
{
    if (list->moved_on != NULL)
        list->moved_on(list->context);
    if (grow((void **)&list->images, &list->capacity, list->count, list->count + 1,
             sizeof *list->images, err) != 0)
        return -1;
    place.problem = -1;
    place.name = elm_image_list_text(list, name, err);
    place.file = file >= 0 ? file : place.name;
    if (place.name >= 0 && problem != NULL)
        place.problem = elm_image_list_text(list, problem, err);
    if (place.name < 0 || (problem != NULL && place.problem < 0))
        return -1;
    list->images[list->count++] = place;
    return 0;
}

int elm_image_list_add_image(elm_image_list *list, const char *name, const char *problem,
                             elm_error *err)
{
    return elm_image_list_add_member(
        list, name, -1, (elm_listed_image){.offset = 0, .size_bytes = -1}, problem, err);
}

void elm_image_list_release(elm_image_list *list)
{
    elm_free(list->images);
    elm_free(list->texts);
    *list = (elm_image_list){0};
}
