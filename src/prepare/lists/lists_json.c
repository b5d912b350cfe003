/* COCO-style annotations, read as a stream: {"images": [{"id", "file_name"}...], "annotations":
 * [{"image_id", "category_id"}...], "categories": [{"id", "name"}...]}, in any order, whatever
 * else stands between. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "prepare/lists/json_entries.h"
#include "prepare/lists/lists_json.h"

enum { BLOCK_BYTES = 1 << 16 };

static int parse_failed(elm_json_reader *reader, yajl_handle parser, const unsigned char *block,
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

static int parse(elm_json_reader *reader, FILE *file, unsigned char *block)
{
    json_token token = {0};
    yajl_handle parser = yajl_alloc(&elm_json_callbacks, NULL, reader);
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

int elm_image_json_read(elm_manifest *catalog, elm_class_names *names, const char *path, int split,
                        elm_rejects *report, elm_error *err)
{
    elm_error own = {0};
    elm_json_reader reader = {.catalog = catalog, .names = names, .path = path, .err = &own};
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
        status = elm_annotations_join(&reader.annotations, path, &own);
    if (status == 0)
        status = elm_annotations_list(&reader.annotations, catalog, split, path, report, &own);
    elm_annotations_free(&reader.annotations);
    if (status != 0)
        elm_error_set(err, own.code, "%s", own.text);
    return status;
}
