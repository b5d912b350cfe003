#include "prepare/lists/lists.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file/input.h"
#include "base/text/utf8.h"
#include "prepare/lists/lists_json.h"

enum { WHERE_BYTES = 600 };

/* Whether the line's last word is an image's path: then there is no label. */
static bool is_unlabeled(const char *word)
{
    static const char *const suffixes[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png",
                                           ".gif", ".webp", ".bmp", ".tif",  ".tiff"};
    const char *dot = strrchr(word, '.');
    for (size_t i = 0; dot != NULL && i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcasecmp(dot, suffixes[i]) == 0)
            return true;
    return false;
}

/* Cuts off what is blank at the end. */
static void trim(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
}

/* Whether a line is a comment: a number sign and a blank. An image's path may begin with a
 * number sign, too. */
static bool is_comment(const char *line)
{
    return line[0] == '#' && (line[1] == '\0' || line[1] == '#' || isspace((unsigned char)line[1]));
}

/* Windows' paths: no other has a backslash and no slash. */
static void turn_backslashes(char *path)
{
    if (strchr(path, '/') == NULL)
        for (char *at = path; (at = strchr(at, '\\')) != NULL;)
            *at = '/';
}

/* Numbers as spreadsheets and pandas write them, too: 7.0. */
static bool read_label(const char *text, long long *label)
{
    char *end = NULL;
    errno = 0;
    *label = strtoll(text, &end, 10);
    if (errno != 0 || end == text || !isdigit((unsigned char)end[-1]))
        return false;
    if (*end == '.')
        end += 1 + strspn(end + 1, "0");
    return *end == '\0';
}

/* "some path/with blanks.jpg 17": the label is what stands behind the last blank. */
static int read_line(elm_manifest *catalog, char *line, int split, const char *where,
                     elm_rejects *report, elm_error *err)
{
    trim(line);
    while (isspace((unsigned char)*line))
        line++;
    if (*line == '\0' || is_comment(line))
        return 0;
    char *blank = line + strlen(line);
    while (blank > line && !isspace((unsigned char)*blank))
        blank--;
    if (is_unlabeled(blank))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "no label behind the path (%s): an unlabeled list says of no image "
                             "what it shows: write \"path label\", or leave "
                             "the list away where folders name the classes",
                             where);
    long long label;
    if (blank == line || !read_label(blank, &label)) {
        char shown[120];
        if (line[0] == '#') /* of no other meaning */
            return 0;
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "not \"path label\" (%s): \"%s\": give a path and a class number a line%s", where,
            elm_utf8_escape(shown, sizeof shown, line), line[0] == '[' ? ", or a JSON object" : "");
    }
    *blank = '\0';
    trim(line);
    turn_backslashes(line);
    return elm_image_list_add(catalog, line, split, label, where, report, err);
}

/* A line that no list has, as of a device without end, or a disk that fails: what elm_input_line
 * returned. */
static int cannot_read(const char *path, long length, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the list (%s): %s: check its path",
                         path,
                         length == -EFBIG ? "a line of more than 64 KiB, so that this is no list"
                                          : strerror((int)-length));
}

static int cannot_open(const char *path, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the list (%s): %s: check its path",
                         path, strerror(errno));
}

/* A line end in the middle, as Macintoshes once wrote them: all lines would be one. */
static bool has_return(const char *line, size_t length)
{
    const char *found = memchr(line, '\r', length);
    return found != NULL && found[strspn(found, "\r\n")] != '\0';
}

/* Hands each line of a text file to `take`, without the byte-order mark that Windows' editors
 * put in front. */
static int read_lines(const char *path,
                      int (*take)(void *context, char *line, long long number, elm_error *err),
                      void *context, elm_error *err)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return cannot_open(path, err);
    char *line = NULL;
    size_t capacity = 0;
    long length = 0;
    int status = 0;
    for (long long number = 1;
         status == 0 && (length = elm_input_line(&line, &capacity, file)) >= 0; number++) {
        if (number == 1 && elm_utf8_is_utf16(line, (size_t)length))
            status = elm_error_set(err, ELM_EXIT_FAILURE, "a text in UTF-16 (%s): save it as UTF-8",
                                   path);
        else if (memchr(line, '\0', (size_t)length) != NULL)
            status = elm_error_set(err, ELM_EXIT_FAILURE,
                                   "zero bytes in it (%s, line %lld): give a text", path, number);
        else if (has_return(line, (size_t)length))
            status = elm_error_set(err, ELM_EXIT_FAILURE,
                                   "carriage returns within a line (%s, line %lld): save it with "
                                   "the line ends of Unix or Windows",
                                   path, number);
        else
            status = take(context, line + (number == 1 ? elm_utf8_mark(line, (size_t)length) : 0),
                          number, err);
    }
    if (status == 0 && length < -1)
        status = cannot_read(path, length, err);
    free(line);
    fclose(file);
    return status;
}

typedef struct list_reader {
    elm_manifest *catalog;
    elm_rejects *report;
    const char *path;
    int split;
} list_reader;

static int take_list_line(void *context, char *line, long long number, elm_error *err)
{
    const list_reader *reader = context;
    char where[WHERE_BYTES];
    snprintf(where, sizeof where, "%.500s, line %lld", reader->path, number);
    return read_line(reader->catalog, line, reader->split, where, reader->report, err);
}

/* JSON begins with a brace, whatever the file's name. */
static int first_character(const char *path)
{
    static const char mark[] = "\xef\xbb\xbf";
    FILE *file = fopen(path, "r");
    int c = EOF, at = 0;
    while (file != NULL && at < ELM_INPUT_LINE_MAX && (c = fgetc(file)) != EOF &&
           (isspace(c) || (at < 3 && c == (unsigned char)mark[at])))
        at++;
    if (file != NULL)
        fclose(file);
    return c;
}

int elm_image_list_read(elm_manifest *catalog, elm_class_names *names, const char *path, int split,
                        elm_rejects *report, elm_error *err)
{
    return first_character(path) == '{'
               ? elm_image_json_read(catalog, names, path, split, report, err)
               : read_lines(path, take_list_line, &(list_reader){catalog, report, path, split},
                            err);
}

typedef struct names_reader {
    elm_class_names *names;
    elm_manifest *catalog;
    const char *path;
    int blank; /* the first of the blank lines just read, from 1; 0: none */
    int count;
} names_reader;

static int take_name(void *context, char *line, long long number, elm_error *err)
{
    names_reader *reader = context;
    trim(line);
    if (number > ELM_LABEL_MAX + 1)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "too many names of classes (%s): one a line, at most %d", reader->path,
                             ELM_LABEL_MAX + 1);
    if (line[0] == '\0') {
        reader->blank = reader->blank == 0 ? (int)number : reader->blank;
        return 0;
    }
    if (reader->blank != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "a class without a name (%s, line %d): one name a line, class 0 "
                             "first; number the nameless ones",
                             reader->path, reader->blank);
    reader->count = (int)number;
    return elm_class_names_set(reader->names, reader->catalog, (int)number - 1, line, err);
}

int elm_class_names_read(elm_class_names *names, elm_manifest *catalog, const char *path,
                         int *count, elm_error *err)
{
    names_reader reader = {.names = names, .catalog = catalog, .path = path};
    const int status = read_lines(path, take_name, &reader, err);
    if (count != NULL)
        *count = reader.count;
    return status == 0 && reader.count == 0
               ? elm_error_set(err, ELM_EXIT_FAILURE,
                               "no names in it (%s): one a line, class 0 first", path)
               : status;
}
