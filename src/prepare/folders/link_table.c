#include "prepare/folders/link_table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "prepare/sets/manifest.h"

enum { PATH_BYTES = 4096, CHAIN_MAX = 40 };

typedef struct link_entry {
    const char *path, *target;
} link_entry;

struct elm_link_table {
    elm_manifest *texts;
    const char **files;
    int64_t file_count, file_capacity;
    link_entry *links;
    int64_t link_count, link_capacity;
};

int elm_link_table_create(elm_link_table **out, elm_error *err)
{
    elm_link_table *table = *out = elm_alloc(1, sizeof *table, err);
    if (table == NULL)
        return -1;
    if (elm_manifest_create(&table->texts, err) == 0)
        return 0;
    elm_free(table);
    *out = NULL;
    return -1;
}

void elm_link_table_destroy(elm_link_table *table)
{
    if (table == NULL)
        return;
    elm_manifest_destroy(table->texts);
    elm_free(table->files);
    elm_free(table->links);
    elm_free(table);
}

/* Room for one more item. */
static int grow(void *list, int64_t count, int64_t *capacity, size_t item_bytes, elm_error *err)
{
    void **items = list;
    if (count < *capacity)
        return 0;
    const int64_t more = *capacity > 0 ? 2 * *capacity : 1024;
    void *grown = elm_alloc((size_t)more, item_bytes, err);
    if (grown == NULL)
        return -1;
    if (count > 0)
        memcpy(grown, *items, (size_t)count * item_bytes);
    elm_free(*items);
    *items = grown;
    *capacity = more;
    return 0;
}

int elm_link_table_add_file(elm_link_table *table, const char *path, elm_error *err)
{
    if (grow(&table->files, table->file_count, &table->file_capacity, sizeof *table->files, err) !=
        0)
        return -1;
    const char *own = elm_manifest_text(table->texts, path, err);
    table->files[table->file_count] = own;
    table->file_count += own != NULL;
    return own != NULL ? 0 : -1;
}

int elm_link_table_add_link(elm_link_table *table, const char *path, const char *target,
                            elm_error *err)
{
    if (grow(&table->links, table->link_count, &table->link_capacity, sizeof *table->links, err) !=
        0)
        return -1;
    link_entry *entry = &table->links[table->link_count];
    entry->path = elm_manifest_text(table->texts, path, err);
    entry->target = entry->path != NULL ? elm_manifest_text(table->texts, target, err) : NULL;
    table->link_count += entry->target != NULL;
    return entry->target != NULL ? 0 : -1;
}

int64_t elm_link_table_files(const elm_link_table *table)
{
    return table->file_count;
}

const char *const *elm_link_table_list(const elm_link_table *table)
{
    return table->files;
}

const char *elm_link_table_file(const elm_link_table *table, int64_t i)
{
    return table->files[i];
}

int64_t elm_link_table_links(const elm_link_table *table)
{
    return table->link_count;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const link_entry *)a)->path, ((const link_entry *)b)->path);
}

void elm_link_table_sort(elm_link_table *table)
{
    if (table->file_count > 0)
        qsort(table->files, (size_t)table->file_count, sizeof *table->files, by_text);
    if (table->link_count > 0)
        qsort(table->links, (size_t)table->link_count, sizeof *table->links, by_path);
}

/* The first file that is not before the text. */
static int64_t first_file(const elm_link_table *table, const char *text)
{
    int64_t low = 0, high = table->file_count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (strcmp(table->files[middle], text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_file(const elm_link_table *table, const char *path)
{
    const int64_t at = first_file(table, path);
    return at < table->file_count && strcmp(table->files[at], path) == 0;
}

/* The link that a path is, or goes through first. *used: bytes of the path that it stands for. */
static const link_entry *find_link(const elm_link_table *table, const char *path, size_t *used)
{
    char part[PATH_BYTES];
    for (const char *slash = path; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        *used = slash != NULL ? (size_t)(slash - path) : strlen(path);
        snprintf(part, sizeof part, "%.*s", (int)*used, path);
        const link_entry *found =
            table->link_count > 0
                ? bsearch(&(link_entry){.path = part}, table->links, (size_t)table->link_count,
                          sizeof *table->links, by_path)
                : NULL;
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* Replaces links in a path by what they lead to, until there is none: false where that has no
 * end. */
static bool resolve(const elm_link_table *table, char path[PATH_BYTES])
{
    char next[PATH_BYTES];
    for (int i = 0; i < CHAIN_MAX; i++) {
        size_t used;
        const link_entry *link = is_file(table, path) ? NULL : find_link(table, path, &used);
        if (link == NULL)
            return true;
        const char *rest = path + used;
        if (snprintf(next, sizeof next, "%s%s", link->target,
                     link->target[0] == '\0' && rest[0] == '/' ? rest + 1 : rest) >= PATH_BYTES)
            return false;
        memcpy(path, next, sizeof next);
    }
    return false;
}

static bool lies_in(const char *path, const char *folder, size_t length)
{
    return length == 0 || (strncmp(path, folder, length) == 0 && path[length] == '/');
}

/* All of a folder's files, under the link's name; links within it as well, where they lead to
 * files. */
static int take_folder(const elm_link_table *table, const link_entry *link, const char *folder,
                       elm_link_taker take, void *context, int64_t *found, elm_error *err)
{
    const size_t length = strlen(folder), skipped = length > 0 ? length + 1 : 0;
    char path[PATH_BYTES], real[PATH_BYTES];
    if (lies_in(link->path, folder, length))
        return take(context, link->path, NULL, "a link to a folder that it lies in", err);
    snprintf(path, sizeof path, "%.4000s/", folder);
    for (int64_t i = first_file(table, path);
         i < table->file_count && lies_in(table->files[i], folder, length); i++) {
        if (snprintf(path, sizeof path, "%s/%s", link->path, table->files[i] + skipped) >=
            PATH_BYTES)
            continue;
        (*found)++;
        if (take(context, path, table->files[i], NULL, err) != 0)
            return -1;
    }
    for (int64_t i = 0; i < table->link_count; i++) {
        if (!lies_in(table->links[i].path, folder, length))
            continue;
        snprintf(real, sizeof real, "%s", table->links[i].path);
        snprintf(path, sizeof path, "%s/%.2000s", link->path, table->links[i].path + skipped);
        const bool file = resolve(table, real) && is_file(table, real);
        (*found)++;
        if (take(context, path, file ? real : NULL, "a link in a linked folder, to no file", err) !=
            0)
            return -1;
    }
    return 0;
}

static int take_link(const elm_link_table *table, const link_entry *link, elm_link_taker take,
                     void *context, elm_error *err)
{
    char real[PATH_BYTES];
    int64_t found = 0;
    snprintf(real, sizeof real, "%s", link->path);
    if (!resolve(table, real))
        return take(context, link->path, NULL, "a link in a circle of links", err);
    if (is_file(table, real))
        return take(context, link->path, real, NULL, err);
    if (take_folder(table, link, real, take, context, &found, err) != 0)
        return -1;
    return found > 0 || lies_in(link->path, real, strlen(real))
               ? 0
               : take(context, link->path, NULL, "a link that leads to nothing there", err);
}

int elm_link_table_follow(const elm_link_table *table, elm_link_taker take, void *context,
                          elm_error *err)
{
    for (int64_t i = 0; i < table->link_count; i++)
        if (take_link(table, &table->links[i], take, context, err) != 0)
            return -1;
    return 0;
}
