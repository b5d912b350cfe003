#include "data/picture_lists.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/store_format.h"
#include "elmpi/input.h"
#include "elmpi/memory.h"

enum { WHERE_BYTES = 600 };

void elm_class_names_free(elm_class_names *names)
{
    elm_free(names->name);
    *names = (elm_class_names){0};
}

int elm_class_names_set(elm_class_names *names, elm_catalogue *catalogue, int class_index, const char *name, elm_error *err)
{
    if (class_index >= names->count) {
        const int count = class_index < 1024 ? 1024 : 2 * class_index;
        const char **list = elm_alloc((size_t)count, sizeof *list, err);
        if (list == NULL)
            return -1;
        if (names->count > 0)
            memcpy(list, names->name, (size_t)names->count * sizeof *list);
        elm_free(names->name);
        names->name = list;
        names->count = count;
    }
    names->name[class_index] = elm_catalogue_text(catalogue, name, err);
    return names->name[class_index] != NULL ? 0 : -1;
}

int elm_picture_list_add(elm_catalogue *catalogue, const char *name, int split, int64_t label, const char *where, elm_report *report,
                         elm_error *err)
{
    name = elm_name_plain(name);
    const char *problem = elm_name_problem(name);
    if (problem != NULL)
        return elm_report_add(report, ELM_REPORT_UNSAFE, name, problem, err);
    if (label < 0 || label > ELM_LABEL_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE, "label %lld out of range (%s): class numbers begin at 0, up to %d", (long long)label,
                             where, ELM_LABEL_MAX);
    const elm_picture_item *other = elm_catalogue_exact(catalogue, name);
    if (other == NULL)
        return elm_catalogue_add(catalogue, name, split, (int32_t)label, err) != NULL ? 0 : -1;
    if (other->split != split)
        return elm_error_set(err, ELM_EXIT_FAILURE, "a picture in two splits, %s and %s (%s): %.300s: remove it from one of the lists",
                             store_split_names[(int)other->split], store_split_names[split], where, name);
    if (other->label != label)
        return elm_error_set(err, ELM_EXIT_FAILURE, "a picture of two classes, %d and %lld (%s): %.300s: correct the list", other->label,
                             (long long)label, where, name);
    return elm_report_add(report, ELM_REPORT_TWICE, name, where, err);
}

/* Cuts off what is blank at the end. */
static void trim(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
}

/* "some path/with blanks.jpg 17": the label is what stands behind the last blank. */
static int read_line(elm_catalogue *catalogue, char *line, int split, const char *where, elm_report *report, elm_error *err)
{
    trim(line);
    while (isspace((unsigned char)*line))
        line++;
    if (*line == '\0' || *line == '#')
        return 0;
    char *blank = line + strlen(line), *end = NULL;
    while (blank > line && !isspace((unsigned char)*blank))
        blank--;
    errno = 0;
    const long long label = strtoll(blank, &end, 10);
    if (blank == line || *end != '\0' || errno != 0 || !isdigit((unsigned char)end[-1]))
        return elm_error_set(err, ELM_EXIT_FAILURE, "not \"path label\" (%s): \"%.100s\": give a path and a class number a line", where,
                             line);
    *blank = '\0';
    trim(line);
    return elm_picture_list_add(catalogue, line, split, label, where, report, err);
}

/* A line that no list has, as of a device without end, or a disk that fails: what elm_input_line returned. */
static int cannot_read(const char *path, long length, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the list (%s): %s: check its path", path,
                         length == -EFBIG ? "a line of more than 64 KiB, so that this is no list" : strerror((int)-length));
}

static int cannot_open(const char *path, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the list (%s): %s: check its path", path, strerror(errno));
}

static int read_lines(elm_catalogue *catalogue, const char *path, int split, elm_report *report, elm_error *err)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return cannot_open(path, err);
    char *line = NULL, where[WHERE_BYTES];
    size_t capacity = 0;
    long length = 0;
    int status = 0;
    for (long long number = 1; status == 0 && (length = elm_input_line(&line, &capacity, file)) >= 0; number++) {
        snprintf(where, sizeof where, "%.500s, line %lld", path, number);
        status = read_line(catalogue, line, split, where, report, err);
    }
    if (status == 0 && length < -1)
        status = cannot_read(path, length, err);
    free(line);
    fclose(file);
    return status;
}

/* JSON begins with a brace, whatever the file's name. */
static int first_character(const char *path)
{
    FILE *file = fopen(path, "r");
    int c = EOF;
    for (long blanks = 0; file != NULL && blanks < ELM_INPUT_LINE_MAX && (c = fgetc(file)) != EOF && isspace(c); blanks++)
        ;
    if (file != NULL)
        fclose(file);
    return c;
}

int elm_picture_list_read(elm_catalogue *catalogue, elm_class_names *names, const char *path, int split, elm_report *report, elm_error *err)
{
    return first_character(path) == '{' ? elm_picture_json_read(catalogue, names, path, split, report, err)
                                        : read_lines(catalogue, path, split, report, err);
}

int elm_class_names_read(elm_class_names *names, elm_catalogue *catalogue, const char *path, elm_error *err)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return cannot_open(path, err);
    char *line = NULL;
    size_t capacity = 0;
    long length = 0;
    int status = 0;
    for (int c = 0; status == 0 && (length = elm_input_line(&line, &capacity, file)) >= 0; c++) {
        trim(line);
        if (c > ELM_LABEL_MAX)
            status =
                elm_error_set(err, ELM_EXIT_FAILURE, "too many names of classes (%s): one a line, at most %d", path, ELM_LABEL_MAX + 1);
        else if (line[0] != '\0')
            status = elm_class_names_set(names, catalogue, c, line, err);
    }
    if (status == 0 && length < -1)
        status = cannot_read(path, length, err);
    free(line);
    fclose(file);
    return status;
}
