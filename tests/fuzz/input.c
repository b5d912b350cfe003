#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "elmpi/memory.h"

fuzz_file fuzz_file_make(const void *bytes, size_t size_bytes)
{
    const char *folder = getenv("TMPDIR");
    fuzz_file file;
    snprintf(file.path, sizeof file.path, "%s/elmpi-fuzz.XXXXXX", folder != NULL ? folder : "/tmp");
    file.descriptor = mkstemp(file.path);
    fuzz_demand(file.descriptor >= 0, "a file to write");
    for (size_t done = 0; done < size_bytes;) {
        const ssize_t count = write(file.descriptor, (const char *)bytes + done, size_bytes - done);
        fuzz_demand(count > 0, "room for the file");
        done += (size_t)count;
    }
    return file;
}

void fuzz_file_remove(fuzz_file *file)
{
    const char *keep = getenv("ELMPI_FUZZ_KEEP");
    close(file->descriptor);
    if (keep == NULL || rename(file->path, keep) != 0)
        unlink(file->path);
}

void fuzz_fail(const char *promise)
{
    fprintf(stderr, "fuzz: broken promise: %s\n", promise);
    abort();
}

void fuzz_check_status(int status, const elm_error *err)
{
    fuzz_demand(status >= -1 && status <= 1, "a status of -1, 0 or 1");
    if (status == 0)
        return;
    fuzz_demand(err->code == ELM_EXIT_FAILURE || err->code == ELM_EXIT_USAGE,
                "an exit code with every error");
    fuzz_demand(err->text[0] != '\0', "a text with every error");
}

int64_t fuzz_begin(void)
{
    return elm_alloc_live();
}

void fuzz_end(int64_t begun)
{
    fuzz_demand(elm_alloc_live() == begun, "everything freed");
}

unsigned fuzz_take(fuzz_bytes *bytes, unsigned below)
{
    if (bytes->left == 0)
        return 0;
    bytes->left--;
    return *bytes->at++ % below;
}
