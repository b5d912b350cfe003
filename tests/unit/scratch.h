/* Scratch: a folder for the files of one test program, and the data that is not part of the
 * project. */
#ifndef ELMPI_TESTS_SCRATCH_H
#define ELMPI_TESTS_SCRATCH_H

#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch_folder[256];

/** cmocka's group set-up and tear-down. */
static inline int scratch_setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/elmpi-unit.XXXXXX",
             base != NULL ? base : "/tmp");
    return mkdtemp(scratch_folder) != NULL ? 0 : -1;
}

static inline int scratch_teardown(void **state)
{
    (void)state;
    char *const roots[] = {scratch_folder, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int status = walk != NULL ? 0 : -1;
    for (FTSENT *entry; status == 0 && (entry = fts_read(walk)) != NULL;)
        /* folders come again after what is in them */
        if (entry->fts_info != FTS_D && remove(entry->fts_accpath) != 0)
            status = -1;
    if (walk != NULL)
        fts_close(walk);
    return status;
}

/** A path in the folder; four may be in use at a time. */
static inline const char *scratch_path(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}

/** The path of a file beside the project's own tree, or NULL, said on stdout, where it is
 * absent. */
static inline const char *shared_data(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/../shared/data/%s", ELM_SOURCE_DIR, name);
    if (access(path, R_OK) == 0)
        return path;
    printf("skipped: ../shared/data/%s is not there\n", name);
    return NULL;
}

#endif
