#include "predict/list_inputs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/process/clock.h"
#include "elmpi/memory.h"
#include "prepare/archives/archive_names.h"
#include "prepare/folders/names.h"
#include "prepare/source_files.h"

enum { HEAD_BYTES = 4096, NAME_BYTES = 8192 };

/* A file of a folder or an archive. */
static int add_found(elm_image_list *list, const char *root, int64_t root_text,
                     const elm_source_file *file, int64_t turn, elm_error *err)
{
    const elm_name_kind kind = elm_image_name_kind(file->path);
    char name[NAME_BYTES];
    struct stat about;
    if (file->link != NULL || kind == ELM_NAME_OTHER || elm_image_path_hidden(file->path, NULL)) {
        if (list->moved_on != NULL)
            list->moved_on(list->context);
        list->passed++; /* what an archive's link leads to is classified under its own name */
        return 0;
    }
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    if (snprintf(name, sizeof name, "%.*s%s%s", (int)length, root,
                 root[length - 1] == '/' ? "" : "/", file->path) >= (int)sizeof name)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "a path of more than %d bytes (%.80s...): shorten it", NAME_BYTES - 1,
                             name);
    const char *problem =
        kind == ELM_NAME_FOREIGN ? "neither JPEG nor PNG: convert it" : file->problem;
    if (stat(name, &about) == 0 && S_ISREG(about.st_mode))
        return elm_image_list_add_image(list, name, problem, err);
    const elm_listed_image place = {
        .offset = file->offset, .size_bytes = file->size_bytes, .turn = turn};
    return elm_image_list_add_member(list, name, root_text, place, problem, err);
}

static int add_source(elm_image_list *list, const char *path, elm_error *err)
{
    elm_image_source *source = NULL;
    elm_source_file file;
    int64_t turn = 0;
    const int64_t root = elm_image_list_text(list, path, err);
    int status = root < 0 || elm_image_source_open(&source, path, "", err) != 0 ? -1 : 1;
    while (status == 1 && (status = elm_image_source_next(source, &file, err)) == 1)
        if (add_found(list, path, root, &file, turn++, err) != 0)
            status = -1;
    elm_image_source_close(source);
    return status;
}

static bool is_text(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] == 0x7f || (bytes[i] < ' ' && strchr("\t\r\n", bytes[i]) == NULL) ||
            bytes[i] == 0)
            return false;
    return count > 0;
}

static bool begins(const unsigned char *head, size_t count, const char *mark, size_t length)
{
    return count >= length && memcmp(head, mark, length) == 0;
}

/* A file by its name and first bytes. */
static int add_file(elm_image_list *list, const char *path, const unsigned char *head, size_t count,
                    elm_error *err)
{
    size_t stem;
    const elm_name_kind kind = elm_image_name_kind(path);
    if (begins(head, count, "\xff\xd8\xff", 3) || begins(head, count, "\x89PNG", 4) ||
        kind == ELM_NAME_IMAGE)
        return elm_image_list_add_image(list, path, NULL, err);
    if (kind == ELM_NAME_FOREIGN)
        return elm_image_list_add_image(list, path, "neither JPEG nor PNG: convert it", err);
    if (elm_archive_is_name(path, &stem) || begins(head, count, "PK\3\4", 4) ||
        (count > 262 && memcmp(head + 257, "ustar", 5) == 0))
        return add_source(list, path, err);
    if (is_text(head, count))
        return elm_image_list_read_paths(list, path, err);
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "%s (%s): give a JPEG or PNG image, a folder, an archive (tar, tar.gz, zip), a list of "
        "paths, or - for a list on standard input",
        begins(head, count, "\x89HDF", 4)
            ? "an HDF5 file is no image; elmpi-evaluate classifies the test split of a store"
        : count == 0 ? "an empty file"
                     : "no image and nothing that holds any",
        path);
}

static int add_input(elm_image_list *list, const char *path, elm_error *err)
{
    struct stat about;
    unsigned char head[HEAD_BYTES];
    if (strcmp(path, "-") == 0)
        return elm_image_list_read_paths(list, path, err);
    if (stat(path, &about) != 0)
        return elm_error_set(err, ELM_EXIT_USAGE, "cannot find the images (%s): %s: %s", path,
                             strerror(errno),
                             "give an image, a folder, an archive or a list of paths");
    if (S_ISDIR(about.st_mode))
        return add_source(list, path, err);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the file (%s): %s: %s", path,
                             strerror(errno), "check its permissions");
    if (!S_ISREG(about.st_mode)) { /* a pipe's bytes come once */
        fclose(file);
        return elm_image_list_read_paths(list, path, err);
    }
    const size_t count = fread(head, 1, sizeof head, file);
    fclose(file);
    return add_file(list, path, head, count, err);
}

static int make(const char *const *inputs, int count, elm_image_list *list, elm_error *err)
{
    for (int i = 0; i < count; i++)
        if (add_input(list, inputs[i], err) != 0)
            return -1;
    return list->count > 0
               ? 0
               : elm_error_set(err, ELM_EXIT_FAILURE,
                               "no image found (%s%s; %lld other files): images end in .jpg, "
                               ".jpeg or .png",
                               inputs[0], count > 1 ? ", ..." : "", (long long)list->passed);
}

/* From rank 0; texts and images have no pointers in them. */
static int share_all(elm_comm *comm, elm_image_list *list, elm_error *err)
{
    int64_t sizes[3] = {list->count, list->text_bytes, list->passed};
    int status = 0;
    elm_comm_broadcast_all(comm, sizes, sizeof sizes);
    if (elm_comm_rank(comm) != 0) {
        *list = (elm_image_list){.count = sizes[0], .text_bytes = sizes[1], .passed = sizes[2]};
        const elm_need needs[] = {
            {&list->images, (size_t)list->count, sizeof *list->images},
            {&list->texts, (size_t)list->text_bytes, 1},
        };
        status = elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
    }
    if (elm_comm_agree_all(comm, status, err) != 0)
        return -1;
    elm_comm_broadcast_all(comm, list->images, (size_t)list->count * sizeof *list->images);
    elm_comm_broadcast_all(comm, list->texts, (size_t)list->text_bytes);
    return 0;
}

/* Rank 0's, while it makes the list. */
typedef struct listing {
    elm_comm *comm;
    double told; /* when the others last heard of it */
} listing;

static void tell_all(elm_comm *comm, int goes_on)
{
    elm_comm_broadcast_all(comm, &goes_on, sizeof goes_on);
    elm_watchdog_heartbeat(elm_comm_watch(comm));
}

/* A long list is no stall: the others hear of it once a second. */
static void moved_on(void *context)
{
    listing *l = context;
    if (elm_clock_seconds() - l->told < 1)
        return;
    tell_all(l->comm, 1);
    l->told = elm_clock_seconds();
}

static void wait_for_list_all(elm_comm *comm)
{
    int goes_on = 1;
    while (goes_on) {
        elm_comm_broadcast_all(comm, &goes_on, sizeof goes_on);
        elm_watchdog_heartbeat(elm_comm_watch(comm));
    }
}

int elm_image_list_make_all(elm_comm *comm, const char *const *inputs, int count,
                            elm_image_list *list, elm_error *err)
{
    listing made = {comm, elm_clock_seconds()};
    int status = 0;
    *list = (elm_image_list){0};
    if (elm_comm_rank(comm) == 0) {
        list->moved_on = moved_on;
        list->context = &made;
        status = make(inputs, count, list, err);
        list->moved_on = NULL;
        list->context = NULL;
        tell_all(comm, 0);
    } else {
        wait_for_list_all(comm);
    }
    return elm_comm_agree_all(comm, status, err) == 0 ? share_all(comm, list, err) : -1;
}
