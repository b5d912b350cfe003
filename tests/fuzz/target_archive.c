/* Archives: every file of them as elmpi-prepare meets it, archives within archives included, and
 * two files fetched by name. Names go through the check that decides whether they may be used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "input.h"
#include "prepare/archives/archive_fetch.h"
#include "prepare/sets/manifest.h"
#include "prepare/source_files.h"

enum { ENTRY_BYTES_MAX = 1 << 20, ENTRIES_MAX = 64 /* more would only be slow */ };

/* What the catalog takes for safe must stay within a folder. */
static void check_name(const char *path)
{
    const char *plain = elm_path_normalize(path);
    if (elm_path_check(plain) != NULL)
        return;
    int depth = 0;
    char copy[ELM_NAME_BYTES_MAX + 1], *rest = copy, *part;
    fuzz_demand(strlen(plain) < sizeof copy, "a name of bounded length");
    snprintf(copy, sizeof copy, "%s", plain);
    fuzz_demand(copy[0] != '/', "no absolute path");
    while ((part = strsep(&rest, "/")) != NULL) {
        depth += strcmp(part, "..") == 0 ? -1 : *part != '\0' && strcmp(part, ".") != 0;
        fuzz_demand(depth >= 0, "a path that stays within its folder");
    }
}

static void walk(const char *path, size_t size_bytes)
{
    elm_image_source *source = NULL;
    elm_source_file file;
    elm_error err = {0};
    int status = elm_image_source_open(&source, path, "", &err);
    fuzz_check_status(status, &err);
    for (int i = 0; status == 0 && i < ENTRIES_MAX &&
                    (status = elm_image_source_next(source, &file, &err)) == 1;
         i++) {
        fuzz_demand(file.offset < 0 || (size_t)file.offset <= size_bytes,
                    "a place within the file");
        check_name(file.path);
        (void)elm_image_source_share(source);
        status = 0;
        if (file.size_bytes <= 0 || file.size_bytes > ENTRY_BYTES_MAX)
            continue;
        uint8_t *bytes = malloc((size_t)file.size_bytes);
        status = bytes != NULL ? elm_image_source_read(source, bytes, &err) : 0;
        free(bytes);
    }
    if (status < 0)
        fuzz_check_status(status, &err);
    elm_image_source_close(source);
}

static void fetch(const uint8_t *bytes, size_t size_bytes)
{
    elm_archive_file files[] = {{.base = "a.jpg", .max_bytes = ENTRY_BYTES_MAX},
                                {.base = "b.jpg", .min_bytes = 1, .max_bytes = 1000}};
    const elm_archive_place place = {"in memory", bytes, size_bytes};
    elm_error err = {0};
    const int status =
        elm_archive_fetch(&place, files, 2, "fetch it again", (elm_archive_progress){0}, &err);
    fuzz_check_status(status, &err);
    fuzz_demand(status != 0 || (files[0].bytes != NULL && files[1].bytes != NULL &&
                                files[1].size_bytes <= 1000),
                "both files or an error");
    elm_archive_free(files, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    fuzz_file file = fuzz_file_make(bytes, size_bytes);
    walk(file.path, size_bytes);
    fetch(bytes, size_bytes);
    fuzz_file_remove(&file);
    fuzz_end(begun);
    return 0;
}
