#include "elmpi/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text/text.h"

int elm_error_set(elm_error *err, int code, const char *format, ...)
{
    if (!err)
        return -1;
    /* apart from *err, whose own text may be among the arguments */
    elm_error made = {.code = code};
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(made.text, sizeof made.text, format, arguments) >= (int)sizeof made.text)
        elm_text_trim(made.text);
    va_end(arguments);
    *err = made;
    return -1;
}

enum { NAME_MAX_LENGTH = 64 };

static int least(int a, int b, int c)
{
    const int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's distance, one row at a time. */
static int edit_distance(const char *a, const char *b)
{
    int row[NAME_MAX_LENGTH + 1];
    const int length = (int)strlen(b);
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            const int above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

const char *elm_nearest_name(const char *name, const char *const *names, int count)
{
    const size_t length = strlen(name);
    int best = (int)length / 3 + 1; /* more changes than that are no slip of the fingers */
    const char *nearest = NULL;
    for (int i = 0; i < count && length <= NAME_MAX_LENGTH; i++) {
        if (strlen(names[i]) > NAME_MAX_LENGTH)
            continue;
        const int distance = edit_distance(name, names[i]);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* Names with commas between. */
static void join(const char *const *names, int count, char *text, size_t size)
{
    *text = 0;
    for (int i = 0; i < count; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? ", " : "", names[i]);
    }
}

int elm_error_unknown(elm_error *err, const elm_unknown *u)
{
    char names[sizeof err->text];
    const char *nearest = elm_nearest_name(u->name, u->names, u->count);
    join(u->names, u->count, names, sizeof names);
    return elm_error_set(err, ELM_EXIT_USAGE, "unknown %s %.200s (%s): %s%s%suse one of %s",
                         u->what, u->name, u->place, nearest ? "did you mean " : "",
                         nearest ? nearest : "", nearest ? "? Else " : "",
                         u->valid ? u->valid : names);
}
