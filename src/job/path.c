#include "job/path.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/job.h"

enum { NAME_MAX_SIZE = 128 };

static const char name_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

/* What is being expanded, for messages, and the result so far. */
typedef struct expansion {
    const elm_option *row;
    const char *text, *place;
    char *path;
    size_t used;
    elm_error *err;
} expansion;

static int put(expansion *e, const char *text, size_t length)
{
    if (e->used + length >= ELM_TEXT_SIZE)
        return elm_error_set(e->err, ELM_EXIT_USAGE,
                             "%s is longer than %d characters (%s): shorten it", e->row->key,
                             ELM_TEXT_SIZE - 1, e->place);
    memcpy(e->path + e->used, text, length);
    e->used += length;
    e->path[e->used] = 0;
    return 0;
}

static int refuse_dollar(const expansion *e)
{
    return elm_error_set(e->err, ELM_EXIT_USAGE,
                         "%s = %.200s has a $ that begins no name (%s): write $NAME, ${NAME}, or "
                         "$$ for a dollar sign",
                         e->row->key, e->text, e->place);
}

static int put_variable(expansion *e, const char *name, size_t length)
{
    char key[NAME_MAX_SIZE];
    if (length == 0 || length >= sizeof key || strchr("0123456789", *name))
        return refuse_dollar(e);
    snprintf(key, sizeof key, "%.*s", (int)length, name);
    const char *value = getenv(key);
    if (value && *value)
        return put(e, value, strlen(value));
    return elm_error_set(e->err, ELM_EXIT_USAGE,
                         "%s = %.200s needs the environment variable %s, which is %s (%s): set it, "
                         "or write the path out",
                         e->row->key, e->text, key, value ? "empty" : "not set", e->place);
}

/* *text stands behind a $ and moves behind the name. */
static int expand_dollar(expansion *e, const char **text)
{
    const bool braced = **text == '{';
    if (**text == '$') {
        (*text)++;
        return put(e, "$", 1);
    }
    const char *name = *text + braced;
    const size_t length = strspn(name, name_characters);
    if (braced && name[length] != '}')
        return refuse_dollar(e);
    *text = name + length + braced;
    return put_variable(e, name, length);
}

/* ~ and ~user. */
static int expand_home(expansion *e, const char **text)
{
    char user[NAME_MAX_SIZE];
    const size_t length = strcspn(*text + 1, "/");
    snprintf(user, sizeof user, "%.*s", (int)length, *text + 1);
    const char *home = length ? NULL : getenv("HOME");
    if (!home || !*home) {
        const struct passwd *entry = length ? getpwnam(user) : getpwuid(getuid());
        home = entry ? entry->pw_dir : NULL;
    }
    if (!home || !*home || length >= sizeof user)
        return elm_error_set(e->err, ELM_EXIT_USAGE,
                             "%s = %.200s names the home folder of %s, which is not known (%s): "
                             "write the path out, or ./~ for a file of that name",
                             e->row->key, e->text, length ? user : "this user", e->place);
    *text += 1 + length;
    return put(e, home, strlen(home));
}

int elm_path_expand(const elm_option *row, const char *text, const char *place, char *path,
                    elm_error *err)
{
    expansion e = {row, text, place, path, 0, err};
    *path = 0;
    if (*text == '~' && expand_home(&e, &text))
        return -1;
    while (*text) {
        const size_t plain = strcspn(text, "$");
        if (put(&e, text, plain))
            return -1;
        text += plain;
        if (*text == '$') {
            text++;
            if (expand_dollar(&e, &text))
                return -1;
        }
    }
    return 0;
}

/* The length of the variable's name behind a $: 0 where it is another variable. */
static size_t data_set_length(const char *text)
{
    static const char plain[] = "data_set", braced[] = "{data_set}";
    if (!strncmp(text, braced, sizeof braced - 1))
        return sizeof braced - 1;
    const bool is_it = !strncmp(text, plain, sizeof plain - 1) &&
                       !strspn(text + sizeof plain - 1, name_characters);
    return is_it ? sizeof plain - 1 : 0;
}

int elm_path_name_data_set(const elm_option *row, const char *text, const char *data_set,
                           const char *place, char *out, elm_error *err)
{
    expansion e = {row, text, place, out, 0, err};
    *out = 0;
    while (*text) {
        const size_t length =
            *text == '$' && (data_set || !getenv("data_set")) ? data_set_length(text + 1) : 0;
        const size_t kept = !strncmp(text, "$$", 2) ? 2 : 1;
        if (length && !data_set)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "%s = %.200s needs the data set's name (%s): include a set-up "
                                 "that declares job.data_set before it",
                                 row->key, e.text, place);
        if (length ? put(&e, data_set, strlen(data_set)) : put(&e, text, kept))
            return -1;
        text += length ? length + 1 : kept;
    }
    return 0;
}

static void append(char *text, size_t size, size_t *used, char c)
{
    if (*used + 1 < size) {
        text[*used] = c;
        text[*used + 1] = 0;
    }
    (*used)++;
}

size_t elm_path_escape(const char *path, char *text, size_t size)
{
    size_t used = 0;
    *text = 0;
    if (*path == '~') {
        append(text, size, &used, '.');
        append(text, size, &used, '/');
    }
    for (; *path; path++) {
        if (*path == '$')
            append(text, size, &used, '$');
        append(text, size, &used, *path);
    }
    return used;
}
