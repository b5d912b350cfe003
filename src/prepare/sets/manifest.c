#include "prepare/sets/manifest.h"

#include <string.h>

#include "base/hash.h"
#include "elmpi/memory.h"

enum {
    BLOCK_ITEMS = 4096,
    TEXT_BYTES = 1 << 20,
    NAME_BYTES_MAX = ELM_NAME_BYTES_MAX,
    AMBIGUOUS = -1
};

/** Texts, one after the other. */
typedef struct text_block {
    struct text_block *next;
    size_t used;
    char text[];
} text_block;

/** An end of a name and whose it is. */
typedef struct ending {
    const char *text; /* NULL: free */
    int64_t item;     /* or AMBIGUOUS */
} ending;

struct elm_manifest {
    elm_image_item **blocks; /* of BLOCK_ITEMS each: an item stays where it is */
    int64_t count, block_count, block_capacity;
    text_block *texts;
    ending *endings;
    int64_t ending_count, ending_capacity; /* a power of two */
};

int elm_manifest_create(elm_manifest **catalog, elm_error *err)
{
    *catalog = elm_alloc(1, sizeof **catalog, err);
    return *catalog != NULL ? 0 : -1;
}

void elm_manifest_destroy(elm_manifest *catalog)
{
    if (catalog == NULL)
        return;
    for (int64_t i = 0; i < catalog->block_count; i++)
        elm_free(catalog->blocks[i]);
    elm_free(catalog->blocks);
    elm_free(catalog->endings);
    for (text_block *block = catalog->texts, *next; block != NULL; block = next) {
        next = block->next;
        elm_free(block);
    }
    elm_free(catalog);
}

const char *elm_manifest_text(elm_manifest *catalog, const char *text, elm_error *err)
{
    const size_t bytes = strlen(text) + 1;
    text_block *block = catalog->texts;
    if (block == NULL || TEXT_BYTES - block->used < bytes) {
        block = elm_alloc(sizeof *block + (bytes > TEXT_BYTES ? bytes : TEXT_BYTES), 1, err);
        if (block == NULL)
            return NULL;
        block->next = catalog->texts;
        catalog->texts = block;
    }
    char *own = block->text + block->used;
    memcpy(own, text, bytes);
    block->used += bytes;
    return own;
}

const char *elm_path_normalize(const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        for (path += 2; *path == '/';)
            path++;
    return path;
}

void elm_name_clean(char *path)
{
    char *to = path;
    for (const char *from = path; *from != '\0';) {
        const bool part = from == path || from[-1] == '/';
        if (part && from[0] == '.' && from[1] == '/')
            from += 2;
        else if (part && from[0] == '/' && from != path)
            from++;
        else
            *to++ = *from++;
    }
    *to = '\0';
}

const char *elm_path_check(const char *path)
{
    if (path[0] == '/')
        return "an absolute path";
    if (path[0] == '\0' || path[strlen(path) - 1] == '/')
        return "no file name";
    if (strlen(path) > NAME_BYTES_MAX)
        return "a name that is too long";
    for (const char *part = path; part != NULL;
         part = strchr(part, '/') != NULL ? strchr(part, '/') + 1 : NULL)
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return "a path that leaves the folder";
    for (const unsigned char *c = (const unsigned char *)path; *c != '\0'; c++)
        if (*c < ' ' || *c == 0x7f)
            return "control characters in the name";
    return NULL;
}

static int add_block(elm_manifest *catalog, elm_error *err)
{
    if (catalog->block_count == catalog->block_capacity) {
        const int64_t capacity = catalog->block_capacity > 0 ? 2 * catalog->block_capacity : 64;
        elm_image_item **blocks = elm_alloc((size_t)capacity, sizeof *blocks, err);
        if (blocks == NULL)
            return -1;
        if (catalog->block_count > 0)
            memcpy(blocks, catalog->blocks, (size_t)catalog->block_count * sizeof *blocks);
        elm_free(catalog->blocks);
        catalog->blocks = blocks;
        catalog->block_capacity = capacity;
    }
    elm_image_item *block = elm_alloc(BLOCK_ITEMS, sizeof *block, err);
    if (block == NULL)
        return -1;
    catalog->blocks[catalog->block_count++] = block;
    return 0;
}

int64_t elm_manifest_count(const elm_manifest *catalog)
{
    return catalog->count;
}

elm_image_item *elm_manifest_at(elm_manifest *catalog, int64_t i)
{
    return &catalog->blocks[i / BLOCK_ITEMS][i % BLOCK_ITEMS];
}

/* The ending's place, or the free one where it would be. */
static ending *find_ending(const elm_manifest *catalog, const char *text)
{
    const uint64_t mask = (uint64_t)catalog->ending_capacity - 1;
    const uint64_t hash = elm_hash_text_64(text);
    uint64_t at = (hash ^ hash >> 29) & mask;
    while (catalog->endings[at].text != NULL && strcmp(catalog->endings[at].text, text) != 0)
        at = (at + 1) & mask;
    return &catalog->endings[at];
}

static bool is_whole(elm_manifest *catalog, const ending *found)
{
    return found->item != AMBIGUOUS && elm_manifest_at(catalog, found->item)->name == found->text;
}

/* A whole name stands above ends of others. Of two equal whole names the first counts. */
static void put_ending(elm_manifest *catalog, const char *text, int64_t item, bool whole)
{
    ending *found = find_ending(catalog, text);
    if (found->text == NULL) {
        *found = (ending){text, item};
        catalog->ending_count++;
    } else if (!is_whole(catalog, found)) {
        *found = whole ? (ending){text, item} : (ending){found->text, AMBIGUOUS};
    }
}

static int reserve_endings(elm_manifest *catalog, int64_t count, elm_error *err)
{
    int64_t capacity = 1024;
    while (capacity < 2 * count)
        capacity *= 2;
    if (capacity <= catalog->ending_capacity)
        return 0;
    ending *before = catalog->endings, *endings = elm_alloc((size_t)capacity, sizeof *endings, err);
    const int64_t before_capacity = catalog->ending_capacity;
    if (endings == NULL)
        return -1;
    catalog->endings = endings;
    catalog->ending_capacity = capacity;
    for (int64_t i = 0; i < before_capacity; i++)
        if (before[i].text != NULL)
            *find_ending(catalog, before[i].text) = before[i];
    elm_free(before);
    return 0;
}

elm_image_item *elm_manifest_add(elm_manifest *catalog, const char *name, int split, int32_t label,
                                 elm_error *err)
{
    if (catalog->count == catalog->block_count * BLOCK_ITEMS && add_block(catalog, err) != 0)
        return NULL;
    const char *own = elm_manifest_text(catalog, name, err);
    if (own == NULL || reserve_endings(catalog, catalog->ending_count + 1, err) != 0)
        return NULL;
    elm_image_item *item = elm_manifest_at(catalog, catalog->count);
    *item = (elm_image_item){.name = own, .label = label, .split = (int8_t)split};
    put_ending(catalog, own, catalog->count++, true);
    return item;
}

int elm_manifest_index(elm_manifest *catalog, elm_error *err)
{
    int64_t ends = catalog->count;
    for (int64_t i = 0; i < catalog->count; i++)
        for (const char *c = elm_manifest_at(catalog, i)->name; *c != '\0'; c++)
            ends += *c == '/';
    if (reserve_endings(catalog, ends, err) != 0)
        return -1;
    for (int64_t i = 0; i < catalog->count; i++)
        for (const char *slash = strchr(elm_manifest_at(catalog, i)->name, '/'); slash != NULL;
             slash = strchr(slash + 1, '/'))
            put_ending(catalog, slash + 1, i, false);
    return 0;
}

elm_image_item *elm_manifest_exact(elm_manifest *catalog, const char *name)
{
    const ending *found = catalog->ending_capacity > 0 ? find_ending(catalog, name) : NULL;
    return found != NULL && found->text != NULL && is_whole(catalog, found)
               ? elm_manifest_at(catalog, found->item)
               : NULL;
}

elm_image_item *elm_manifest_find(elm_manifest *catalog, const char *path)
{
    if (catalog->ending_capacity == 0)
        return NULL;
    const ending *found = find_ending(catalog, path);
    for (const char *end = path, *slash;; end = slash + 1) {
        const ending *whole = find_ending(catalog, end);
        if (whole->text != NULL && is_whole(catalog, whole))
            return elm_manifest_at(catalog, whole->item);
        if ((slash = strchr(end, '/')) == NULL)
            break;
    }
    return found->text != NULL && found->item != AMBIGUOUS ? elm_manifest_at(catalog, found->item)
                                                           : NULL;
}
