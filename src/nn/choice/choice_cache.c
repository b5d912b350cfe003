/* Measurements of one machine, a small text file each: the key in full, then the candidates with
 * their seconds. The file is named by the key's hash and replaced in one instant, so that runs
 * that start together do not disturb each other. Whatever is wrong with a file, it is measured
 * again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/cpu/cpu.h"
#include "base/cpu/cpu_identity.h"
#include "base/file/io.h"
#include "base/hash.h"
#include "elmpi/choice.h"
#include "elmpi/output.h"
#include "nn/backends/backend.h"

enum { FILE_MAX = 8192 };
static const char title[] = "elmpi choice 1\n";

void elm_choice_key(const elm_net_spec *spec, char *text, size_t size_bytes)
{
    char cpu[512], build[64], library[ELM_VERSION_SIZE], openblas[ELM_VERSION_SIZE];
    elm_cpu_identity(cpu, sizeof cpu);
    elm_build_id(build, sizeof build);
    snprintf(text, size_bytes,
             "build %s\ncpu %s\nkernels %s\nlibraries %s, %s for %s\nranks %d\nthreads %d\nnetwork "
             "%s, model.train %d, %s\n"
             "input %d x %d x %d, %d\nimages %d\n",
             build, cpu, elm_isa_names[elm_cpu_isa()],
             elm_backend_find("auto", NULL)->version(library),
             elm_backend_openblas.version(openblas), elm_backend_openblas.cpu(), spec->ranks,
             omp_get_max_threads(), spec->model->name, spec->model->train,
             spec->max_batch > 0 ? "training" : "forward", spec->channels, spec->height,
             spec->width, spec->features, spec->max_images);
}

/* Where the cache is; false: there is none. */
static bool folder_of(char path[ELM_PATH_SIZE])
{
    const char *own = getenv("ELMPI_CACHE"), *xdg = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    int length;
    if (own && *own)
        length = strcmp(own, "off") == 0 ? 0 : snprintf(path, ELM_PATH_SIZE, "%s", own);
    else if (xdg && *xdg == '/') /* others are to be ignored, says the XDG specification */
        length = snprintf(path, ELM_PATH_SIZE, "%s/elmpi", xdg);
    else
        length = home && *home ? snprintf(path, ELM_PATH_SIZE, "%s/.cache/elmpi", home) : 0;
    return length > 0 && length < ELM_PATH_SIZE - 64;
}

static bool path_of(const char *key, char path[ELM_PATH_SIZE])
{
    char folder[ELM_PATH_SIZE];
    if (!folder_of(folder))
        return false;
    snprintf(path, ELM_PATH_SIZE, "%.*s/choice-%016" PRIx64 ".txt", ELM_PATH_SIZE - 64, folder,
             elm_hash_text_64(key));
    return true;
}

/* What the file says before its figures. */
static size_t write_head(const char *key, char *text, size_t size_bytes)
{
    const int length = snprintf(text, size_bytes, "%s%s", title, key);
    return length > 0 && (size_t)length < size_bytes ? (size_t)length : 0;
}

/* A candidate's line: its name, its seconds, whether they are a lower bound. */
static bool read_line(const char **text, elm_candidate *candidate)
{
    char name[ELM_CANDIDATE_TEXT_SIZE], *end;
    const size_t length = strlen(elm_choice_text(candidate, name));
    if (strncmp(*text, name, length) != 0 || (*text)[length] != ' ')
        return false;
    candidate->seconds = strtod(*text + length, &end);
    /* inf: could not compute */
    if (!(candidate->seconds > 0) || (strncmp(end, " 0\n", 3) != 0 && strncmp(end, " 1\n", 3) != 0))
        return false;
    candidate->cut = end[1] == '1';
    *text = end + 3;
    return true;
}

static bool parse(const char *text, const char *key, elm_candidate *list, int count)
{
    char head[FILE_MAX];
    const size_t length = write_head(key, head, sizeof head);
    if (!length || strncmp(text, head, length) != 0)
        return false;
    text += length;
    bool any = false;
    for (int c = 0; c < count; c++) {
        const bool can = isfinite(list[c].seconds);
        if (!read_line(&text, &list[c]) || can != (bool)isfinite(list[c].seconds))
            return false;
        any |= can && !list[c].cut;
    }
    return any && strcmp(text, "end\n") == 0;
}

/* Whether a file may be written there: a pipe would wait for its reader. */
static bool is_replaceable(const char *path)
{
    struct stat about;
    return stat(path, &about) != 0 || S_ISREG(about.st_mode);
}

/* NULL with errno, which is 0 where something else than a file is in the way: a pipe would wait
 * for its writer. */
static FILE *open_regular(const char *path)
{
    struct stat about;
    const int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return NULL;
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode))
        return fdopen(file, "rb");
    close(file);
    errno = 0;
    return NULL;
}

bool elm_choice_cache_read(const char *key, elm_candidate *list, int count, char *note,
                           size_t size_bytes)
{
    char path[ELM_PATH_SIZE], text[FILE_MAX];
    elm_candidate kept[ELM_CANDIDATES_MAX];
    *note = '\0';
    if (!path_of(key, path))
        return false;
    FILE *file = open_regular(path);
    if (!file) {
        if (errno != ENOENT)
            snprintf(note, size_bytes, "%.512s cannot be read (%s)", path,
                     errno ? strerror(errno) : "no regular file");
        return false;
    }
    const size_t length = fread(text, 1, sizeof text - 1, file);
    const bool failed = ferror(file) != 0;
    fclose(file);
    text[length] = '\0';
    memcpy(kept, list, (size_t)count * sizeof *list);
    if (failed || !parse(text, key, kept, count)) {
        snprintf(note, size_bytes, "%.512s is damaged or another program's", path);
        return false;
    }
    memcpy(list, kept, (size_t)count * sizeof *list);
    return true;
}

void elm_choice_cache_write(const char *key, const elm_candidate *list, int count, char *note,
                            size_t size_bytes)
{
    char path[ELM_PATH_SIZE], folder[ELM_PATH_SIZE], failed[ELM_PATH_SIZE], text[FILE_MAX],
        name[ELM_CANDIDATE_TEXT_SIZE];
    *note = '\0';
    if (!path_of(key, path) || !folder_of(folder))
        return;
    size_t used = write_head(key, text, sizeof text);
    if (!used || used + (size_t)(count + 1) * (ELM_CANDIDATE_TEXT_SIZE + 32) > sizeof text)
        return;
    for (int c = 0; c < count; c++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s %.17g %d\n",
                                 elm_choice_text(&list[c], name), list[c].seconds, list[c].cut);
    used += (size_t)snprintf(text + used, sizeof text - used, "end\n");
    const int error = elm_io_make_folders(folder, failed);
    elm_error err = {0};
    if (error)
        snprintf(note, size_bytes, "%.512s cannot be written (%s)", path, strerror(error));
    else if (is_replaceable(path) && elm_output_write_file(path, text, used, &err))
        snprintf(note, size_bytes, "%.512s cannot be written (%.400s)", path, err.text);
}
