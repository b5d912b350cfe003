#include "job/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "elmpi/memory.h"
#include "job/compose.h"

enum { BYTES_MAX = 1 << 20 };

/* "a.ini", or "a.ini, included at b.ini:2". */
static void describe(const elm_job_file *file, const char *place, char *text, size_t size)
{
    if (place)
        snprintf(text, size, "%.500s, included at %.500s", file->path, place);
    else
        snprintf(text, size, "%.500s", file->path);
}

static int read_stream(FILE *stream, const char *which, char *bytes, elm_error *err)
{
    const size_t size = fread(bytes, 1, BYTES_MAX + 1, stream);
    if (ferror(stream))
        return elm_error_set(err, ELM_EXIT_USAGE, "cannot read the job file (%s): %s", which,
                             strerror(errno));
    if (size > BYTES_MAX)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "larger than 1 MiB (%s): this is no job file; give an INI text",
                             which);
    if (strlen(bytes) != size)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "holds zero bytes (%s): this is no job file; give an INI text", which);
    return 0;
}

/* A job that is no file, but whose set-up and method are. */
static int compose(elm_job_file *file, const elm_job_pair *pair, char **text, elm_error *err)
{
    enum { SIZE = 2 * ELM_JOB_NAME_SIZE + 64 };
    *text = elm_alloc(SIZE, 1, err);
    if (!*text)
        return -1;
    elm_job_pair_text(pair, *text, SIZE);
    file->named = true;
    return 0;
}

int elm_job_file_read(elm_job_file *file, const char *place, char **text, elm_error *err)
{
    char which[1100];
    describe(file, place, which, sizeof which);
    *text = NULL;
    struct stat about;
    elm_job_pair pair;
    /* The user's own file may be a pipe; one that a file names could be waited for for ever. */
    if (place && stat(file->path, &about) == 0 && !S_ISREG(about.st_mode) &&
        !S_ISDIR(about.st_mode))
        return elm_error_set(err, ELM_EXIT_USAGE, "not a file (%s): include a job file", which);
    if (stat(file->path, &about) && errno == ENOENT && elm_job_compose(file->path, &pair))
        return compose(file, &pair, text, err);
    FILE *stream = fopen(file->path, "r");
    if (!stream || fstat(fileno(stream), &about)) {
        elm_error_set(err, ELM_EXIT_USAGE, "cannot read the job file (%s): %s", which,
                      strerror(errno));
        if (stream)
            fclose(stream);
        return -1;
    }
    file->device = about.st_dev;
    file->inode = about.st_ino;
    file->named = S_ISREG(about.st_mode);
    char *bytes = elm_alloc(BYTES_MAX + 2, 1, err);
    const int status = bytes ? read_stream(stream, which, bytes, err) : -1;
    fclose(stream);
    if (status)
        elm_free(bytes);
    else
        *text = bytes;
    return status;
}

bool elm_job_file_beside(const char *from, const char *name, char path[ELM_JOB_PATH_SIZE])
{
    const char *slash = *name == '/' ? NULL : strrchr(from, '/');
    const int folder = slash ? (int)(slash + 1 - from) : 0;
    return snprintf(path, ELM_JOB_PATH_SIZE, "%.*s%s", folder, from, name) < ELM_JOB_PATH_SIZE;
}
