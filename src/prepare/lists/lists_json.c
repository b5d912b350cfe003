/* COCO-style annotations, read as a stream: {"images": [{"id", "file_name"}...], "annotations":
 * [{"image_id", "category_id"}...], "categories": [{"id", "name"}...]}, in any order, whatever
 * else stands between. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "prepare/lists/lists_json.h"

enum {
    BLOCK_BYTES = 1 << 16,
    TEXT_BYTES = 4096,
    ENTRY_DEPTH = 3 /* object, list, entry */,
    DEPTH_MAX = 256
};

typedef enum json_section {
    SECTION_OTHER,
    SECTION_IMAGES,
    SECTION_ANNOTATIONS,
    SECTION_CATEGORIES
} json_section;

static const char *const sections[] = {[SECTION_IMAGES] = "images",
                                       [SECTION_ANNOTATIONS] = "annotations",
                                       [SECTION_CATEGORIES] = "categories"};

/** The fields of an entry that matter. */
typedef enum json_field {
    FIELD_NONE,
    FIELD_ID,
    FIELD_IMAGE,
    FIELD_CATEGORY,
    FIELD_FILE,
    FIELD_NAME,
    FIELDS
} json_field;

static const struct {
    json_section section;
    const char *key;
    json_field field;
} fields[] = {
    {SECTION_IMAGES, "id", FIELD_ID},
    {SECTION_IMAGES, "file_name", FIELD_FILE},
    {SECTION_ANNOTATIONS, "image_id", FIELD_IMAGE},
    {SECTION_ANNOTATIONS, "category_id", FIELD_CATEGORY},
    {SECTION_CATEGORIES, "id", FIELD_ID},
    {SECTION_CATEGORIES, "name", FIELD_NAME},
};

typedef struct json_image {
    int64_t id;
    const char *file; /* text of the catalogue */
    int64_t order;    /* in the file */
    int64_t label;    /* -1: not annotated */
} json_image;

typedef struct json_label {
    int64_t image, category;
} json_label;

/** A list that grows. */
typedef struct json_list {
    void *items;
    size_t item_bytes;
    int64_t count, capacity;
} json_list;

typedef struct json_reader {
    elm_catalogue *catalogue;
    elm_class_names *names;
    const char *path;
    elm_error *err;
    json_list images, labels;
    int depth;
    json_section section;
    json_field field;
    bool seen[FIELDS];         /* in the current entry */
    const char *wrong[FIELDS]; /* what stands there instead of a number or text, or NULL */
    int64_t number[FIELDS];
    char text[TEXT_BYTES]; /* of FIELD_FILE or FIELD_NAME */
} json_reader;

static void *append(json_list *list, elm_error *err)
{
    if (list->count == list->capacity) {
        const int64_t capacity = list->capacity > 0 ? 2 * list->capacity : 4096;
        void *items = elm_alloc((size_t)capacity, list->item_bytes, err);
        if (items == NULL)
            return NULL;
        if (list->count > 0)
            memcpy(items, list->items, (size_t)list->count * list->item_bytes);
        elm_free(list->items);
        list->items = items;
        list->capacity = capacity;
    }
    return (char *)list->items + (size_t)list->count++ * list->item_bytes;
}

static const char *key_of(json_section section, json_field field)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].section == section && fields[i].field == field)
            return fields[i].key;
    return "?";
}

/* An entry needs both: says which is absent, or what is wrong with it. */
static bool has_both(json_reader *reader, json_field first, json_field second)
{
    if (reader->seen[first] && reader->seen[second])
        return true;
    const json_field field = reader->seen[first] ? second : first;
    if (reader->wrong[field] != NULL)
        elm_error_set(reader->err, ELM_EXIT_FAILURE,
                      "an entry of %s whose %s is %s (%s): give a %s", sections[reader->section],
                      key_of(reader->section, field), reader->wrong[field], reader->path,
                      field == FIELD_FILE || field == FIELD_NAME ? "text" : "whole number");
    else
        elm_error_set(reader->err, ELM_EXIT_FAILURE,
                      "an entry of %s without %s (%s): give the original annotations",
                      sections[reader->section], key_of(reader->section, field), reader->path);
    return false;
}

static int end_image(json_reader *reader)
{
    if (!has_both(reader, FIELD_ID, FIELD_FILE))
        return 0;
    json_image *image = append(&reader->images, reader->err);
    if (image == NULL)
        return 0;
    *image = (json_image){reader->number[FIELD_ID],
                          elm_catalogue_text(reader->catalogue, reader->text, reader->err),
                          reader->images.count, -1};
    return image->file != NULL;
}

static int end_annotation(json_reader *reader)
{
    if (!has_both(reader, FIELD_IMAGE, FIELD_CATEGORY))
        return 0;
    json_label *label = append(&reader->labels, reader->err);
    if (label == NULL)
        return 0;
    *label = (json_label){reader->number[FIELD_IMAGE], reader->number[FIELD_CATEGORY]};
    return 1;
}

static int end_category(json_reader *reader)
{
    const int64_t id = reader->number[FIELD_ID];
    if (reader->wrong[FIELD_ID] != NULL || reader->wrong[FIELD_NAME] != NULL)
        return has_both(reader, FIELD_ID, FIELD_NAME);
    const bool blank = reader->text[strspn(reader->text, " \t\r\n")] == '\0';
    if (!reader->seen[FIELD_ID] || !reader->seen[FIELD_NAME] || blank || id < 0 ||
        id > ELM_LABEL_MAX)
        return 1; /* categories are a comfort */
    const char *other = id < reader->names->count ? reader->names->name[id] : NULL;
    if (other != NULL && strcmp(other, reader->text) != 0) {
        elm_error_set(reader->err, ELM_EXIT_FAILURE,
                      "category %lld has two names, %.100s and %.100s (%s): keep one",
                      (long long)id, other, reader->text, reader->path);
        return 0;
    }
    return other != NULL || elm_class_names_set(reader->names, reader->catalogue, (int)id,
                                                reader->text, reader->err) == 0;
}

/* The parser takes memory for every bracket that is open. */
static int go_deeper(json_reader *reader, const char *what)
{
    if (reader->depth == ENTRY_DEPTH && reader->field != FIELD_NONE)
        reader->wrong[reader->field] = what;
    reader->field = FIELD_NONE;
    if (++reader->depth <= DEPTH_MAX)
        return 1;
    elm_error_set(reader->err, ELM_EXIT_FAILURE,
                  "more than %d brackets within each other (%s): give the original annotations",
                  DEPTH_MAX, reader->path);
    return 0;
}

static int start_entry(void *context)
{
    json_reader *reader = context;
    if (!go_deeper(reader, "an object"))
        return 0;
    if (reader->depth == ENTRY_DEPTH) {
        memset(reader->seen, 0, sizeof reader->seen);
        memset(reader->wrong, 0, sizeof reader->wrong);
        reader->text[0] = '\0';
    }
    return 1;
}

static int end_entry(void *context)
{
    json_reader *reader = context;
    reader->field = FIELD_NONE;
    if (reader->depth-- != ENTRY_DEPTH)
        return 1;
    switch (reader->section) {
    case SECTION_IMAGES:
        return end_image(reader);
    case SECTION_ANNOTATIONS:
        return end_annotation(reader);
    case SECTION_CATEGORIES:
        return end_category(reader);
    default:
        return 1;
    }
}

static int start_list(void *context)
{
    return go_deeper(context, "a list");
}

static int end_list(void *context)
{
    json_reader *reader = context;
    reader->field = FIELD_NONE;
    reader->depth--;
    return 1;
}

static bool is_word(const unsigned char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

static int take_key(void *context, const unsigned char *key, size_t length)
{
    json_reader *reader = context;
    reader->field = FIELD_NONE;
    if (reader->depth == 1) {
        reader->section = SECTION_OTHER;
        for (json_section s = SECTION_IMAGES; s <= SECTION_CATEGORIES; s++)
            if (is_word(key, length, sections[s]))
                reader->section = s;
    }
    for (size_t i = 0; reader->depth == ENTRY_DEPTH && i < sizeof fields / sizeof *fields; i++)
        if (fields[i].section == reader->section && is_word(key, length, fields[i].key))
            reader->field = fields[i].field;
    return 1;
}

static bool is_number_field(json_field field)
{
    return field != FIELD_NONE && field != FIELD_FILE && field != FIELD_NAME;
}

static int take_wrong(json_reader *reader, const char *what)
{
    if (reader->field != FIELD_NONE && reader->depth == ENTRY_DEPTH)
        reader->wrong[reader->field] = what;
    reader->field = FIELD_NONE;
    return 1;
}

static int take_number(void *context, long long value)
{
    json_reader *reader = context;
    const json_field field = reader->field;
    if (field == FIELD_FILE)
        return take_wrong(reader, "a number");
    if (field == FIELD_NAME)
        snprintf(reader->text, sizeof reader->text, "%lld", value);
    reader->seen[field] = field != FIELD_NONE;
    reader->number[field] = value;
    reader->field = FIELD_NONE;
    return 1;
}

/* pandas and spreadsheets write 7.0. */
static int take_double(void *context, double value)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    if (value == floor(value) && fabs(value) < exact)
        return take_number(context, (long long)value);
    return take_wrong(context, "not a whole number");
}

/* Others write "7". */
static int take_number_text(json_reader *reader, const unsigned char *text, size_t length)
{
    char digits[32], *end = NULL;
    snprintf(digits, sizeof digits, "%.*s", (int)(length < sizeof digits ? length : sizeof digits),
             (const char *)text);
    errno = 0;
    const long long value = strtoll(digits, &end, 10);
    if (length == 0 || length >= sizeof digits || *end != '\0' || errno != 0 ||
        isspace((unsigned char)digits[0]))
        return take_wrong(reader, "a text that is no whole number");
    return take_number(reader, value);
}

static int take_text(void *context, const unsigned char *text, size_t length)
{
    json_reader *reader = context;
    if (is_number_field(reader->field))
        return take_number_text(reader, text, length);
    if (reader->field == FIELD_FILE || reader->field == FIELD_NAME) {
        if (length >= sizeof reader->text || memchr(text, '\0', length) != NULL) {
            elm_error_set(reader->err, ELM_EXIT_FAILURE,
                          "a name that is too long or broken (%s): give the original annotations",
                          reader->path);
            return 0;
        }
        memcpy(reader->text, text, length);
        reader->text[length] = '\0';
        reader->seen[reader->field] = true;
    }
    reader->field = FIELD_NONE;
    return 1;
}

static int take_null(void *context)
{
    json_reader *reader = context;
    /* names are a comfort */
    return reader->field == FIELD_NAME ? take_wrong(reader, NULL) : take_wrong(reader, "null");
}

static int take_bool(void *context, int value)
{
    return take_wrong(context, value ? "true" : "false");
}

static const yajl_callbacks callbacks = {take_null, take_bool,  take_number, take_double,
                                         NULL,      take_text,  start_entry, take_key,
                                         end_entry, start_list, end_list};

static int parse_failed(json_reader *reader, yajl_handle parser, const unsigned char *block,
                        size_t length)
{
    if (reader->err->text[0] != '\0') /* a callback has said it */
        return -1;
    unsigned char *text = yajl_get_error(parser, 0, block, length);
    if (text != NULL)
        text[strcspn((char *)text, "\n")] = '\0';
    elm_error_set(reader->err, ELM_EXIT_FAILURE,
                  "broken JSON (%s): %.200s: give the original annotations, or download them again",
                  reader->path, text != NULL ? (const char *)text : "unknown cause");
    yajl_free_error(parser, text);
    return -1;
}

/* yajl keeps a text or number until it ends: where in the file's bytes one stands, and how long
 * it is so far. */
typedef struct json_token {
    bool in_text, escaped;
    size_t bytes;
} json_token;

static bool tokens_end(json_token *token, const unsigned char *block, size_t length)
{
    enum { TOKEN_BYTES_MAX = 1 << 16 };
    for (size_t i = 0; i < length; i++) {
        const bool quote = block[i] == '"' && !token->escaped,
                   ends = !token->in_text && block[i] != 0 &&
                          strchr(" \t\r\n,:[]{}", block[i]) != NULL;
        token->escaped = token->in_text && block[i] == '\\' && !token->escaped;
        token->in_text ^= quote;
        token->bytes = quote || ends ? 0 : token->bytes + 1;
        if (token->bytes > TOKEN_BYTES_MAX)
            return false;
    }
    return true;
}

static int parse(json_reader *reader, FILE *file, unsigned char *block)
{
    json_token token = {0};
    yajl_handle parser = yajl_alloc(&callbacks, NULL, reader);
    int status = parser != NULL
                     ? 0
                     : elm_error_set(reader->err, ELM_EXIT_FAILURE,
                                     "out of memory (%s): close other programs", reader->path);
    size_t length = 1;
    bool first = true;
    while (status == 0 && length > 0) {
        length = fread(block, 1, BLOCK_BYTES, file);
        if (!tokens_end(&token, block, length)) {
            status = elm_error_set(
                reader->err, ELM_EXIT_FAILURE,
                "a text or number of more than 64 KiB (%s): give the original annotations",
                reader->path);
            break;
        }
        const size_t mark = first ? elm_utf8_mark((const char *)block, length) : 0;
        first = false;
        const yajl_status parsed = length > 0 ? yajl_parse(parser, block + mark, length - mark)
                                              : yajl_complete_parse(parser);
        if (parsed != yajl_status_ok)
            status = parse_failed(reader, parser, block, length);
    }
    if (parser != NULL)
        yajl_free(parser);
    return status;
}

static int by_id(const void *a, const void *b)
{
    const json_image *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static int by_order(const void *a, const void *b)
{
    const json_image *left = a, *right = b;
    return (left->order > right->order) - (left->order < right->order);
}

/* Every image its category. */
static int join(json_reader *reader)
{
    json_image *images = reader->images.items;
    const json_label *labels = reader->labels.items;
    if (reader->images.count == 0 || reader->labels.count == 0)
        return elm_error_set(reader->err, ELM_EXIT_FAILURE,
                             "no %s (%s): give annotations with images, annotations and categories",
                             reader->images.count == 0 ? "images" : "annotations", reader->path);
    qsort(images, (size_t)reader->images.count, sizeof *images, by_id);
    for (int64_t i = 1; i < reader->images.count; i++)
        if (images[i].id == images[i - 1].id)
            return elm_error_set(reader->err, ELM_EXIT_FAILURE,
                                 "two images with the id %lld (%s): give the original annotations",
                                 (long long)images[i].id, reader->path);
    for (int64_t i = 0; i < reader->labels.count; i++) {
        json_image *image = bsearch(&(json_image){.id = labels[i].image}, images,
                                    (size_t)reader->images.count, sizeof *images, by_id);
        if (image == NULL || labels[i].category < 0 ||
            (image->label >= 0 && image->label != labels[i].category))
            return elm_error_set(
                reader->err, ELM_EXIT_FAILURE,
                "an annotation of image %lld that is %s (%s): give the original annotations",
                (long long)labels[i].image,
                image == NULL            ? "not listed"
                : labels[i].category < 0 ? "of no class"
                                         : "of two classes",
                reader->path);
        image->label = labels[i].category;
    }
    qsort(images, (size_t)reader->images.count, sizeof *images, by_order);
    return 0;
}

static int add_all(json_reader *reader, int split, elm_report *report)
{
    const json_image *images = reader->images.items;
    char where[600];
    for (int64_t i = 0; i < reader->images.count; i++) {
        snprintf(where, sizeof where, "%.500s, image %lld", reader->path, (long long)images[i].id);
        if (images[i].label < 0)
            return elm_error_set(reader->err, ELM_EXIT_FAILURE,
                                 "no annotation (%s): give the original annotations", where);
        if (elm_picture_list_add(reader->catalogue, images[i].file, split, images[i].label, where,
                                 report, reader->err) != 0)
            return -1;
    }
    return 0;
}

int elm_picture_json_read(elm_catalogue *catalogue, elm_class_names *names, const char *path,
                          int split, elm_report *report, elm_error *err)
{
    elm_error own = {0};
    json_reader reader = {.catalogue = catalogue,
                          .names = names,
                          .path = path,
                          .err = &own,
                          .images.item_bytes = sizeof(json_image),
                          .labels.item_bytes = sizeof(json_label)};
    unsigned char *block = elm_alloc(BLOCK_BYTES, 1, &own);
    FILE *file = block != NULL ? fopen(path, "r") : NULL;
    int status = -1;
    if (block != NULL && file == NULL)
        elm_error_set(&own, ELM_EXIT_FAILURE, "cannot read the list (%s): %s: check its path", path,
                      strerror(errno));
    else if (block != NULL)
        status = parse(&reader, file, block);
    if (file != NULL)
        fclose(file);
    elm_free(block);
    if (status == 0)
        status = join(&reader);
    if (status == 0)
        status = add_all(&reader, split, report);
    elm_free(reader.images.items);
    elm_free(reader.labels.items);
    if (status != 0)
        elm_error_set(err, own.code, "%s", own.text);
    return status;
}
