#include "base/text/name_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text/utf8.h"
#include "elmpi/memory.h"

/* The whole file with a zero byte at its end, behind room for the list of names. */
static char **read_block(const char *path, int count, char **text, elm_error *err)
{
    FILE *file = fopen(path, "rb");
    struct stat about = {0};
    char **names = NULL;
    size_t size = 0;
    if (file != NULL && fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode)) {
        names = elm_alloc((size_t)count * sizeof *names + (size_t)about.st_size + 1, 1, err);
        *text = names != NULL ? (char *)(names + count) : NULL;
        size = names != NULL ? fread(*text, 1, (size_t)about.st_size, file) : 0;
    } else {
        elm_error_set(err, ELM_EXIT_USAGE,
                      "cannot read the names of classes (--class-names %s): %s: check its path",
                      path, file != NULL ? "it is no file" : strerror(errno));
    }
    if (names != NULL && (memchr(*text, '\0', size) != NULL || elm_utf8_is_utf16(*text, size) ||
                          !elm_utf8_is_valid(*text))) {
        elm_error_set(err, ELM_EXIT_USAGE,
                      "no text in UTF-8 (--class-names %s): convert it, with iconv", path);
        elm_free(names);
        names = NULL;
    }
    if (file != NULL)
        fclose(file);
    return names;
}

static void trim(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
}

int elm_name_list_read(const char *path, int count, char ***out, elm_error *err)
{
    char *text = NULL, **names = read_block(path, count, &text, err);
    *out = NULL;
    if (names == NULL)
        return -1;
    int found = 0, line = 0, blank = 0;
    char *rest = text + elm_utf8_mark(text, strlen(text)), *name;
    while ((name = strsep(&rest, "\n")) != NULL) {
        line++;
        trim(name);
        if (name[0] == '\0') {
            blank = blank == 0 ? line : blank;
            continue;
        }
        if (blank != 0)
            break;
        if (found < count)
            names[found] = name;
        found++;
    }
    if (name == NULL && found == count) {
        *out = names;
        return 0;
    }
    elm_free(names);
    return name != NULL
               ? elm_error_set(err, ELM_EXIT_USAGE,
                               "a class without a name (--class-names %s, line %d): one a line",
                               path, blank)
               : elm_error_set(
                     err, ELM_EXIT_USAGE,
                     "%d names for %d classes (--class-names %s): one a line, class 0 first", found,
                     count, path);
}
