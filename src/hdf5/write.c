#define _GNU_SOURCE /* memfd_create */
#include "hdf5/write.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hdf5/read.h"

/* At the end of the process HDF5 1.10 closes what could not be closed before, and crashes over
 * that: the write that fails may be the close's own. All files are closed by their users, so it
 * need not. Only before its first call can it be told so. */
__attribute__((constructor)) static void close_nothing_at_exit(void)
{
    H5dont_atexit();
}

hid_t elm_h5_create(elm_output *output, hid_t creation)
{
    elm_h5_quiet();
    const hid_t access = elm_h5_access();
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    errno = 0;
    const hid_t file = H5Fcreate(elm_output_part(output), H5F_ACC_TRUNC, creation, access);
    if (file < 0)
        elm_output_fail(output, errno);
    H5Pclose(access);
    return file;
}

void elm_h5_give_up(hid_t file)
{
    void *handle = NULL;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 || !handle)
        return;
    /* The default driver's handle is its descriptor. What takes its place can be read, sought
     * and truncated, and is empty: a memory file takes a few megabytes at most, what HDF5
     * caches. */
    int nowhere = memfd_create("elmpi", MFD_CLOEXEC);
    if (nowhere < 0)
        nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere < 0)
        return;
    dup3(nowhere, *(const int *)handle, O_CLOEXEC);
    close(nowhere);
}

void elm_h5_finish(hid_t file, elm_output *output)
{
    errno = 0;
    if (!elm_output_has_failed(output) && H5Fflush(file, H5F_SCOPE_GLOBAL) < 0)
        elm_output_fail(output, errno);
    if (elm_output_has_failed(output))
        elm_h5_give_up(file);
    errno = 0;
    if (H5Fclose(file) < 0)
        elm_output_fail(output, errno);
}
