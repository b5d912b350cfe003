#include "job/compose.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* No name may mean something in an include line. */
static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static bool exists(const char *folder, int folder_length, const char *kind, const char *name)
{
    char path[ELM_JOB_PATH_SIZE];
    struct stat about;
    return snprintf(path, sizeof path, "%.*s%s/%s.ini", folder_length, folder, kind, name) <
               (int)sizeof path &&
           stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

/* The first `length` characters of the stem are the set-up, what follows the dash the method. */
static bool is_pair(const char *path, int folder, const char *stem, size_t stem_length,
                    size_t length, elm_job_pair *pair)
{
    const size_t method = stem_length - length - 1;
    if (!length || !method || length >= sizeof pair->setup || method >= sizeof pair->method)
        return false;
    snprintf(pair->setup, sizeof pair->setup, "%.*s", (int)length, stem);
    snprintf(pair->method, sizeof pair->method, "%.*s", (int)method, stem + length + 1);
    return exists(path, folder, "setups", pair->setup) &&
           exists(path, folder, "methods", pair->method);
}

bool elm_job_compose(const char *path, elm_job_pair *pair)
{
    const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path;
    const size_t whole = strlen(stem), length = whole > 4 ? whole - 4 : 0;
    if (!length || strcmp(stem + length, ".ini") != 0 || strspn(stem, allowed) != whole)
        return false;
    for (size_t at = length; at-- > 0;)
        if (stem[at] == '-' && is_pair(path, (int)(stem - path), stem, length, at, pair))
            return true;
    return false;
}

void elm_job_pair_text(const elm_job_pair *pair, char *text, size_t size)
{
    snprintf(text, size, "[job]\ninclude = setups/%s.ini, methods/%s.ini\n", pair->setup,
             pair->method);
}
