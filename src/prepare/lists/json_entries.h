/* JSON entries: the images, annotations and categories of a COCO file, taken from a parser's tokens
 * as they come. */
#ifndef ELMPI_PREPARE_LISTS_JSON_ENTRIES_H
#define ELMPI_PREPARE_LISTS_JSON_ENTRIES_H

#include <yajl/yajl_parse.h>

#include "prepare/lists/annotations.h"

enum { ELM_JSON_TEXT_BYTES = 4096 };

typedef enum elm_json_section {
    ELM_SECTION_OTHER,
    ELM_SECTION_IMAGES,
    ELM_SECTION_ANNOTATIONS,
    ELM_SECTION_CATEGORIES
} elm_json_section;

/** The fields of an entry that matter. */
typedef enum elm_json_field {
    ELM_FIELD_NONE,
    ELM_FIELD_ID,
    ELM_FIELD_IMAGE,
    ELM_FIELD_CATEGORY,
    ELM_FIELD_FILE,
    ELM_FIELD_NAME,
    ELM_FIELDS
} elm_json_field;

typedef struct elm_json_reader {
    elm_manifest *catalog;
    elm_class_names *names;
    const char *path;
    elm_error *err;
    elm_annotations annotations;
    int depth;
    elm_json_section section;
    elm_json_field field;
    bool seen[ELM_FIELDS];         /* in the current entry */
    const char *wrong[ELM_FIELDS]; /* what stands there instead of a number or text, or NULL */
    int64_t number[ELM_FIELDS];
    char text[ELM_JSON_TEXT_BYTES]; /* of ELM_FIELD_FILE or ELM_FIELD_NAME */
} elm_json_reader;

/** For a parser whose context is an elm_json_reader with its first four members set, the rest
 * zeros.
 *  Errors: they cancel the parser, with the reason in reader->err */
extern const yajl_callbacks elm_json_callbacks;

#endif
