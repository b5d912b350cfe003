/* Shared memory: segments in /dev/shm that MPI libraries make, and that stay there, memory that
 * nobody can use, when a job is killed. */
#ifndef ELMPI_BASE_FILE_SHARED_MEMORY_H
#define ELMPI_BASE_FILE_SHARED_MEMORY_H

#include <stddef.h>
#include <stdio.h>

/** Says which segments this process has, and how to remove them if its launcher does not: for a
 * process that ends without MPI_Finalize. Nothing where it has none. */
void elm_shared_memory_tell_own(FILE *to);

/** Segments of MPI libraries in `folder` (/dev/shm) that belong to this user and that no process
 * has mapped: what killed jobs have left. Puts "rm -f FILE..." into `command`, as many files as
 * fit. Returns: how many there are; *bytes: their size. 0 too where that cannot be told */
int elm_shared_memory_find_left(const char *folder, char *command, size_t size, size_t *bytes);

#endif
