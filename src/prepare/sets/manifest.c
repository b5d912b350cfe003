#include "prepare/sets/manifest.h"

#include <string.h>

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

struct elm_catalogue {
    elm_picture_item **blocks; /* of BLOCK_ITEMS each: an item stays where it is */
    int64_t count, block_count, block_capacity;
    text_block *texts;
    ending *endings;
    int64_t ending_count, ending_capacity; /* a power of two */
};

int elm_catalogue_create(elm_catalogue **catalogue, elm_error *err)
{
    *catalogue = elm_alloc(1, sizeof **catalogue, err);
    return *catalogue != NULL ? 0 : -1;
}

void elm_catalogue_destroy(elm_catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    for (int64_t i = 0; i < catalogue->block_count; i++)
        elm_free(catalogue->blocks[i]);
    elm_free(catalogue->blocks);
    elm_free(catalogue->endings);
    for (text_block *block = catalogue->texts, *next; block != NULL; block = next) {
        next = block->next;
        elm_free(block);
    }
    elm_free(catalogue);
}

const char *elm_catalogue_text(elm_catalogue *catalogue, const char *text, elm_error *err)
{
    const size_t bytes = strlen(text) + 1;
    text_block *block = catalogue->texts;
    if (block == NULL || TEXT_BYTES - block->used < bytes) {
        block = elm_alloc(sizeof *block + (bytes > TEXT_BYTES ? bytes : TEXT_BYTES), 1, err);
        if (block == NULL)
            return NULL;
        block->next = catalogue->texts;
        catalogue->texts = block;
    }
    char *own = block->text + block->used;
    memcpy(own, text, bytes);
    block->used += bytes;
    return own;
}

const char *elm_name_plain(const char *path)
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

const char *elm_name_problem(const char *path)
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

static int add_block(elm_catalogue *catalogue, elm_error *err)
{
    if (catalogue->block_count == catalogue->block_capacity) {
        const int64_t capacity = catalogue->block_capacity > 0 ? 2 * catalogue->block_capacity : 64;
        elm_picture_item **blocks = elm_alloc((size_t)capacity, sizeof *blocks, err);
        if (blocks == NULL)
            return -1;
        if (catalogue->block_count > 0)
            memcpy(blocks, catalogue->blocks, (size_t)catalogue->block_count * sizeof *blocks);
        elm_free(catalogue->blocks);
        catalogue->blocks = blocks;
        catalogue->block_capacity = capacity;
    }
    elm_picture_item *block = elm_alloc(BLOCK_ITEMS, sizeof *block, err);
    if (block == NULL)
        return -1;
    catalogue->blocks[catalogue->block_count++] = block;
    return 0;
}

int64_t elm_catalogue_count(const elm_catalogue *catalogue)
{
    return catalogue->count;
}

elm_picture_item *elm_catalogue_at(elm_catalogue *catalogue, int64_t i)
{
    return &catalogue->blocks[i / BLOCK_ITEMS][i % BLOCK_ITEMS];
}

/* 64-bit FNV-1a. */
static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value ^ value >> 29;
}

/* The ending's place, or the free one where it would be. */
static ending *find_ending(const elm_catalogue *catalogue, const char *text)
{
    const uint64_t mask = (uint64_t)catalogue->ending_capacity - 1;
    uint64_t at = hash(text) & mask;
    while (catalogue->endings[at].text != NULL && strcmp(catalogue->endings[at].text, text) != 0)
        at = (at + 1) & mask;
    return &catalogue->endings[at];
}

static bool is_whole(elm_catalogue *catalogue, const ending *found)
{
    return found->item != AMBIGUOUS &&
           elm_catalogue_at(catalogue, found->item)->name == found->text;
}

/* A whole name stands above ends of others. Of two equal whole names the first counts. */
static void put_ending(elm_catalogue *catalogue, const char *text, int64_t item, bool whole)
{
    ending *found = find_ending(catalogue, text);
    if (found->text == NULL) {
        *found = (ending){text, item};
        catalogue->ending_count++;
    } else if (!is_whole(catalogue, found)) {
        *found = whole ? (ending){text, item} : (ending){found->text, AMBIGUOUS};
    }
}

static int reserve_endings(elm_catalogue *catalogue, int64_t count, elm_error *err)
{
    int64_t capacity = 1024;
    while (capacity < 2 * count)
        capacity *= 2;
    if (capacity <= catalogue->ending_capacity)
        return 0;
    ending *before = catalogue->endings,
           *endings = elm_alloc((size_t)capacity, sizeof *endings, err);
    const int64_t before_capacity = catalogue->ending_capacity;
    if (endings == NULL)
        return -1;
    catalogue->endings = endings;
    catalogue->ending_capacity = capacity;
    for (int64_t i = 0; i < before_capacity; i++)
        if (before[i].text != NULL)
            *find_ending(catalogue, before[i].text) = before[i];
    elm_free(before);
    return 0;
}

elm_picture_item *elm_catalogue_add(elm_catalogue *catalogue, const char *name, int split,
                                    int32_t label, elm_error *err)
{
    if (catalogue->count == catalogue->block_count * BLOCK_ITEMS && add_block(catalogue, err) != 0)
        return NULL;
    const char *own = elm_catalogue_text(catalogue, name, err);
    if (own == NULL || reserve_endings(catalogue, catalogue->ending_count + 1, err) != 0)
        return NULL;
    elm_picture_item *item = elm_catalogue_at(catalogue, catalogue->count);
    *item = (elm_picture_item){.name = own, .label = label, .split = (int8_t)split};
    put_ending(catalogue, own, catalogue->count++, true);
    return item;
}

int elm_catalogue_index(elm_catalogue *catalogue, elm_error *err)
{
    int64_t ends = catalogue->count;
    for (int64_t i = 0; i < catalogue->count; i++)
        for (const char *c = elm_catalogue_at(catalogue, i)->name; *c != '\0'; c++)
            ends += *c == '/';
    if (reserve_endings(catalogue, ends, err) != 0)
        return -1;
    for (int64_t i = 0; i < catalogue->count; i++)
        for (const char *slash = strchr(elm_catalogue_at(catalogue, i)->name, '/'); slash != NULL;
             slash = strchr(slash + 1, '/'))
            put_ending(catalogue, slash + 1, i, false);
    return 0;
}

elm_picture_item *elm_catalogue_exact(elm_catalogue *catalogue, const char *name)
{
    const ending *found = catalogue->ending_capacity > 0 ? find_ending(catalogue, name) : NULL;
    return found != NULL && found->text != NULL && is_whole(catalogue, found)
               ? elm_catalogue_at(catalogue, found->item)
               : NULL;
}

elm_picture_item *elm_catalogue_find(elm_catalogue *catalogue, const char *path)
{
    if (catalogue->ending_capacity == 0)
        return NULL;
    const ending *found = find_ending(catalogue, path);
    for (const char *end = path, *slash;; end = slash + 1) {
        const ending *whole = find_ending(catalogue, end);
        if (whole->text != NULL && is_whole(catalogue, whole))
            return elm_catalogue_at(catalogue, whole->item);
        if ((slash = strchr(end, '/')) == NULL)
            break;
    }
    return found->text != NULL && found->item != AMBIGUOUS
               ? elm_catalogue_at(catalogue, found->item)
               : NULL;
}
