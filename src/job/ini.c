#include "job/ini.h"

#include <ini.h>
#include <stdbool.h>
#include <string.h>

#include "elmpi/memory.h"

typedef struct reader {
    const char *name, *rest; /* of the text: not yet read */
    const char *line;        /* present line without indentation and line end */
    size_t length;
    int number;
    bool cut; /* longer than inih's buffer */
    elm_ini_entry_taker take;
    void *context;
    int status, failed_line;
    elm_error *err;
} reader;

static const char blanks[] = " \t\r\v\f";

static int stop(reader *r)
{
    r->status = -1;
    r->failed_line = r->number;
    return 0; /* inih: this line is in error */
}

/* inih would ignore what follows the bracket, which may be an option. */
static bool section_is_clean(const reader *r)
{
    const char *end = memchr(r->line, ']', r->length);
    if (!end)
        return true; /* inih complains */
    end++;
    end += strspn(end, blanks);
    return end >= r->line + r->length || *end == ';' || *end == '#';
}

/* inih's source of lines. Always one whole line a call, so that numbers agree; indentation is
 * taken off, as inih would read an indented entry as more of the value above. */
static char *next_line(char *buffer, int size, void *stream)
{
    reader *r = stream;
    if (r->status || !*r->rest)
        return NULL;
    const char *end = r->rest + strcspn(r->rest, "\n");
    r->line = r->rest + strspn(r->rest, blanks);
    r->length = r->line < end ? (size_t)(end - r->line) : 0;
    while (r->length && strchr(blanks, r->line[r->length - 1]))
        r->length--;
    r->rest = *end ? end + 1 : end;
    r->number++;
    if (r->length && *r->line == '[' && !section_is_clean(r)) {
        elm_error_set(r->err, ELM_EXIT_USAGE,
                      "something follows the section's bracket (%s:%d): give it a line of its own",
                      r->name, r->number);
        stop(r);
        return NULL;
    }
    const size_t room = (size_t)size - 2;
    r->cut = r->length > room;
    const size_t shown = r->cut ? room : r->length;
    memcpy(buffer, r->line, shown);
    memcpy(buffer + shown, "\n", 2);
    return buffer;
}

/* The value of a line that inih saw only the beginning of (Debian builds it with a buffer of 200
 * bytes): what follows the separator, up to a comment.
 *  Owns:   to be freed with elm_free. */
static char *whole_value(const reader *r)
{
    const char *end = r->line + r->length, *value = r->line + strcspn(r->line, "=:") + 1;
    for (const char *c = value; c < end; c++)
        if (*c == ';' && strchr(blanks, c[-1]))
            end = c;
    while (value < end && strchr(blanks, *value))
        value++;
    while (end > value && strchr(blanks, end[-1]))
        end--;
    char *text = elm_alloc((size_t)(end - value) + 1, 1, r->err);
    if (text)
        memcpy(text, value, (size_t)(end - value));
    return text;
}

static int handle(void *user, const char *section, const char *key, const char *value)
{
    reader *r = user;
    if (r->status)
        return 0;
    if (!*section) {
        elm_error_set(
            r->err, ELM_EXIT_USAGE,
            "\"%s\" stands before the first section (%s:%d): put a line such as [optim] above it",
            key, r->name, r->number);
        return stop(r);
    }
    char *whole = r->cut ? whole_value(r) : NULL;
    const elm_ini_entry entry = {section, key, whole ? whole : value, r->number};
    const bool good = (whole || !r->cut) && r->take(r->context, &entry, r->err) == 0;
    elm_free(whole);
    return good ? 1 : stop(r);
}

int elm_ini_read(const char *text, const char *name, elm_ini_entry_taker take, void *context,
                 elm_error *err)
{
    const char *begin = strncmp(text, "\xEF\xBB\xBF", 3) ? text : text + 3;
    reader r = {.name = name, .rest = begin, .take = take, .context = context, .err = err};
    const int bad = ini_parse_stream(next_line, &r, handle, &r);
    if (bad > 0 && bad != r.failed_line)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "not understood (%s:%d): write [section], key = value, or a comment after ; or #", name,
            bad);
    if (bad < 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "out of memory (%s): use a host with more memory", name);
    return r.status;
}
