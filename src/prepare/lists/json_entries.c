/* From the parser's tokens to entries: which key stands where, and what becomes of an entry when it
 * ends. */
#include "prepare/lists/json_entries.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_DEPTH = 3 /* object, list, entry */, DEPTH_MAX = 256 };

static const char *const sections[] = {[ELM_SECTION_IMAGES] = "images",
                                       [ELM_SECTION_ANNOTATIONS] = "annotations",
                                       [ELM_SECTION_CATEGORIES] = "categories"};

static const struct {
    elm_json_section section;
    const char *key;
    elm_json_field field;
} fields[] = {
    {ELM_SECTION_IMAGES, "id", ELM_FIELD_ID},
    {ELM_SECTION_IMAGES, "file_name", ELM_FIELD_FILE},
    {ELM_SECTION_ANNOTATIONS, "image_id", ELM_FIELD_IMAGE},
    {ELM_SECTION_ANNOTATIONS, "category_id", ELM_FIELD_CATEGORY},
    {ELM_SECTION_CATEGORIES, "id", ELM_FIELD_ID},
    {ELM_SECTION_CATEGORIES, "name", ELM_FIELD_NAME},
};

static const char *key_of(elm_json_section section, elm_json_field field)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].section == section && fields[i].field == field)
            return fields[i].key;
    return "?";
}

/* An entry needs both: says which is absent, or what is wrong with it. */
static bool has_both(elm_json_reader *reader, elm_json_field first, elm_json_field second)
{
    if (reader->seen[first] && reader->seen[second])
        return true;
    const elm_json_field field = reader->seen[first] ? second : first;
    if (reader->wrong[field] != NULL)
        elm_error_set(reader->err, ELM_EXIT_FAILURE,
                      "an entry of %s whose %s is %s (%s): give a %s", sections[reader->section],
                      key_of(reader->section, field), reader->wrong[field], reader->path,
                      field == ELM_FIELD_FILE || field == ELM_FIELD_NAME ? "text" : "whole number");
    else
        elm_error_set(reader->err, ELM_EXIT_FAILURE,
                      "an entry of %s without %s (%s): give the original annotations",
                      sections[reader->section], key_of(reader->section, field), reader->path);
    return false;
}

static int end_image(elm_json_reader *reader)
{
    if (!has_both(reader, ELM_FIELD_ID, ELM_FIELD_FILE))
        return 0;
    const char *file = elm_manifest_text(reader->catalog, reader->text, reader->err);
    return file != NULL &&
           elm_annotations_add_image(&reader->annotations, reader->number[ELM_FIELD_ID], file,
                                     reader->err) == 0;
}

static int end_annotation(elm_json_reader *reader)
{
    if (!has_both(reader, ELM_FIELD_IMAGE, ELM_FIELD_CATEGORY))
        return 0;
    return elm_annotations_add_label(&reader->annotations, reader->number[ELM_FIELD_IMAGE],
                                     reader->number[ELM_FIELD_CATEGORY], reader->err) == 0;
}

static int end_category(elm_json_reader *reader)
{
    const int64_t id = reader->number[ELM_FIELD_ID];
    if (reader->wrong[ELM_FIELD_ID] != NULL || reader->wrong[ELM_FIELD_NAME] != NULL)
        return has_both(reader, ELM_FIELD_ID, ELM_FIELD_NAME);
    const bool blank = reader->text[strspn(reader->text, " \t\r\n")] == '\0';
    if (!reader->seen[ELM_FIELD_ID] || !reader->seen[ELM_FIELD_NAME] || blank || id < 0 ||
        id > ELM_LABEL_MAX)
        return 1; /* categories are a comfort */
    const char *other = id < reader->names->count ? reader->names->name[id] : NULL;
    if (other != NULL && strcmp(other, reader->text) != 0) {
        elm_error_set(reader->err, ELM_EXIT_FAILURE,
                      "category %lld has two names, %.100s and %.100s (%s): keep one",
                      (long long)id, other, reader->text, reader->path);
        return 0;
    }
    return other != NULL || elm_class_names_set(reader->names, reader->catalog, (int)id,
                                                reader->text, reader->err) == 0;
}

/* The parser takes memory for every bracket that is open. */
static int go_deeper(elm_json_reader *reader, const char *what)
{
    if (reader->depth == ENTRY_DEPTH && reader->field != ELM_FIELD_NONE)
        reader->wrong[reader->field] = what;
    reader->field = ELM_FIELD_NONE;
    if (++reader->depth <= DEPTH_MAX)
        return 1;
    elm_error_set(reader->err, ELM_EXIT_FAILURE,
                  "more than %d brackets within each other (%s): give the original annotations",
                  DEPTH_MAX, reader->path);
    return 0;
}

static int start_entry(void *context)
{
    elm_json_reader *reader = context;
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
    elm_json_reader *reader = context;
    reader->field = ELM_FIELD_NONE;
    if (reader->depth-- != ENTRY_DEPTH)
        return 1;
    switch (reader->section) {
    case ELM_SECTION_IMAGES:
        return end_image(reader);
    case ELM_SECTION_ANNOTATIONS:
        return end_annotation(reader);
    case ELM_SECTION_CATEGORIES:
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
    elm_json_reader *reader = context;
    reader->field = ELM_FIELD_NONE;
    reader->depth--;
    return 1;
}

static bool is_word(const unsigned char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

static int take_key(void *context, const unsigned char *key, size_t length)
{
    elm_json_reader *reader = context;
    reader->field = ELM_FIELD_NONE;
    if (reader->depth == 1) {
        reader->section = ELM_SECTION_OTHER;
        for (elm_json_section s = ELM_SECTION_IMAGES; s <= ELM_SECTION_CATEGORIES; s++)
            if (is_word(key, length, sections[s]))
                reader->section = s;
    }
    for (size_t i = 0; reader->depth == ENTRY_DEPTH && i < sizeof fields / sizeof *fields; i++)
        if (fields[i].section == reader->section && is_word(key, length, fields[i].key))
            reader->field = fields[i].field;
    return 1;
}

static bool is_number_field(elm_json_field field)
{
    return field != ELM_FIELD_NONE && field != ELM_FIELD_FILE && field != ELM_FIELD_NAME;
}

static int take_wrong(elm_json_reader *reader, const char *what)
{
    if (reader->field != ELM_FIELD_NONE && reader->depth == ENTRY_DEPTH)
        reader->wrong[reader->field] = what;
    reader->field = ELM_FIELD_NONE;
    return 1;
}

static int take_number(void *context, long long value)
{
    elm_json_reader *reader = context;
    const elm_json_field field = reader->field;
    if (field == ELM_FIELD_FILE)
        return take_wrong(reader, "a number");
    if (field == ELM_FIELD_NAME)
        snprintf(reader->text, sizeof reader->text, "%lld", value);
    reader->seen[field] = field != ELM_FIELD_NONE;
    reader->number[field] = value;
    reader->field = ELM_FIELD_NONE;
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
static int take_number_text(elm_json_reader *reader, const unsigned char *text, size_t length)
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
    elm_json_reader *reader = context;
    if (is_number_field(reader->field))
        return take_number_text(reader, text, length);
    if (reader->field == ELM_FIELD_FILE || reader->field == ELM_FIELD_NAME) {
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
    reader->field = ELM_FIELD_NONE;
    return 1;
}

static int take_null(void *context)
{
    elm_json_reader *reader = context;
    /* names are a comfort */
    return reader->field == ELM_FIELD_NAME ? take_wrong(reader, NULL) : take_wrong(reader, "null");
}

static int take_bool(void *context, int value)
{
    return take_wrong(context, value ? "true" : "false");
}

const yajl_callbacks elm_json_callbacks = {take_null, take_bool,  take_number, take_double,
                                           NULL,      take_text,  start_entry, take_key,
                                           end_entry, start_list, end_list};
