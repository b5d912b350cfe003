/* Paths from a file or standard input. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file/input.h"
#include "base/text/utf8.h"
#include "predict/image_list.h"

static int add_line(elm_image_list *list, char *line, size_t length, bool first, elm_error *err)
{
    const size_t mark = first ? elm_utf8_mark(line, length) : 0;
    line += mark;
    length -= mark;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        line[--length] = '\0';
    return length > 0 ? elm_image_list_add_image(list, line, NULL, err) : 0;
}

static int line_failed(const char *name, int64_t number, long cause, elm_error *err)
{
    return elm_error_set(err, cause == -EFBIG ? ELM_EXIT_USAGE : ELM_EXIT_FAILURE,
                         "cannot read the list of paths (%s, line %lld): %s: give a path a line",
                         name, (long long)number,
                         cause == -EFBIG ? "a line of more than 65536 bytes"
                                         : strerror((int)-cause));
}

static int read_lines(elm_image_list *list, FILE *file, const char *name, elm_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    int status = 0;
    int64_t number = 0;
    while (status == 0) {
        const long length = elm_input_line(&line, &capacity, file);
        number++;
        if (length == -1)
            break;
        if (length < 0)
            status = line_failed(name, number, length, err);
        else if (strlen(line) < (size_t)length)
            status = elm_error_set(err, ELM_EXIT_USAGE,
                                   "a zero byte in the list of paths (%s, line %lld): give paths "
                                   "as text, one a line",
                                   name, (long long)number);
        else
            status = add_line(list, line, (size_t)length, number == 1, err);
    }
    free(line);
    return status;
}

int elm_image_list_read_paths(elm_image_list *list, const char *path, elm_error *err)
{
    if (strcmp(path, "-") == 0)
        return read_lines(list, stdin, "standard input", err);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the list of paths (%s): %s: %s",
                             path, strerror(errno), "check its permissions");
    const int status = read_lines(list, file, path, err);
    fclose(file);
    return status;
}
