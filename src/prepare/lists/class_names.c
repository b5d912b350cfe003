#include "prepare/lists/class_names.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "store/format.h"

enum { SHOWN_BYTES = 160 };
static const char escape[] = "escape";

int elm_class_names_check_encoding(const char *encoding, elm_error *err)
{
    if (encoding == NULL || strcmp(encoding, escape) == 0)
        return 0;
    const iconv_t converter = iconv_open("UTF-8", encoding);
    if (converter == (iconv_t)-1)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "unknown encoding (--name-encoding %.40s): give a name that iconv "
                             "knows, such as latin1, cp437 or shift_jis, or "
                             "\"escape\" to write foreign bytes as \\xE4",
                             encoding);
    iconv_close(converter);
    return 0;
}

static bool convert(const char *encoding, const char *name, char *out, size_t size_bytes)
{
    if (strcmp(encoding, escape) == 0) {
        elm_utf8_escape(out, size_bytes, name);
        return true;
    }
    /* iconv's prototype lacks the const; it does not write there */
    char *from = (char *)name, *to = out;
    size_t left = strlen(name), room = size_bytes - 1;
    const iconv_t converter = iconv_open("UTF-8", encoding);
    if (converter == (iconv_t)-1)
        return false;
    const bool done = iconv(converter, &from, &left, &to, &room) != (size_t)-1 && left == 0;
    iconv_close(converter);
    *to = '\0';
    return done && elm_utf8_is_valid(out);
}

static int finish_name(elm_class_names *names, elm_manifest *catalog, int c, const char *encoding,
                       elm_error *err)
{
    char shown[SHOWN_BYTES], converted[STORE_CLASS_BYTES_MAX];
    const char *name = names->name[c];
    if (strlen(name) >= STORE_CLASS_BYTES_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "name of class %d longer than %d bytes (%s...): shorten it", c,
                             STORE_CLASS_BYTES_MAX - 1, elm_utf8_escape(shown, sizeof shown, name));
    if (elm_utf8_is_valid(name))
        return 0;
    if (encoding == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the name of a class is not UTF-8 (class %d, %s): say what it is with "
                             "--name-encoding (latin1, cp437, shift_jis, "
                             "...; \"escape\" keeps the bytes as \\xE4), or rename its folder",
                             c, elm_utf8_escape(shown, sizeof shown, name));
    if (!convert(encoding, name, converted, sizeof converted))
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "the name of class %d is not %.40s either (%s): give another --name-encoding", c,
            encoding, elm_utf8_escape(shown, sizeof shown, name));
    return elm_class_names_set(names, catalog, c, converted, err);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(**(const char *const *const *)a, **(const char *const *const *)b);
}

static int compare_names(const elm_class_names *names, int classes, bool distinct,
                         const elm_log *log, elm_error *err)
{
    const char ***sorted = elm_alloc((size_t)classes, sizeof *sorted, err);
    if (sorted == NULL)
        return -1;
    for (int c = 0; c < classes; c++)
        sorted[c] = &names->name[c];
    qsort(sorted, (size_t)classes, sizeof *sorted, by_text);
    int equal = 0, first = 0;
    for (int c = 1; c < classes; c++)
        if (strcmp(*sorted[c], *sorted[c - 1]) == 0 && equal++ == 0)
            first = c;
    int status = 0;
    if (equal > 0) {
        const int one = (int)(sorted[first - 1] - names->name),
                  other = (int)(sorted[first] - names->name);
        if (distinct)
            status = elm_error_set(
                err, ELM_EXIT_FAILURE,
                "two classes with the same name (%.100s, classes %d and %d): rename one of them",
                *sorted[first], one, other);
        else
            elm_log_warn(log, "%d classes have the name of another one, such as %d and %d (%.100s)",
                         equal, one, other, *sorted[first]);
    }
    elm_free(sorted);
    return status;
}

int elm_class_names_finish(elm_class_names *names, elm_manifest *catalog, int classes,
                           bool distinct, const char *encoding, const elm_log *log, elm_error *err)
{
    for (int c = 0; c < classes; c++)
        if (finish_name(names, catalog, c, encoding, err) != 0)
            return -1;
    return compare_names(names, classes, distinct, log, err);
}
