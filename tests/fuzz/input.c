#define _GNU_SOURCE /* memfd_create */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elmpi/memory.h"

fuzz_file fuzz_file_make(const void *bytes, size_t size_bytes)
{
    fuzz_file file = {.descriptor = memfd_create("input", MFD_CLOEXEC)};
    fuzz_demand(file.descriptor >= 0, "a file in memory");
    for (size_t done = 0; done < size_bytes;) {
        const ssize_t count = write(file.descriptor, (const char *)bytes + done, size_bytes - done);
        fuzz_demand(count > 0, "room for a file in memory");
        done += (size_t)count;
    }
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.descriptor);
    return file;
}

void fuzz_file_remove(fuzz_file *file)
{
    close(file->descriptor);
}

void fuzz_demand(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz: broken promise: %s\n", what);
    abort();
}

void fuzz_check_status(int status, const elm_error *err)
{
    fuzz_demand(status >= -1 && status <= 1, "a status of -1, 0 or 1");
    if (status == 0)
        return;
    fuzz_demand(err->code == ELM_EXIT_FAILURE || err->code == ELM_EXIT_USAGE, "an exit code with every error");
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
