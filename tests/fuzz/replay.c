/* Replay: hands files, and all files of folders, to a fuzz target once each. For builds without
 * libFuzzer. */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "input.h"

/* An input of exactly its size on the heap, so that a sanitizer sees whoever reads past it. */
static int replay_file(const char *path, size_t size_bytes)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(size_bytes > 0 ? size_bytes : 1);
    const bool whole =
        file != NULL && bytes != NULL && fread(bytes, 1, size_bytes, file) == size_bytes;
    if (whole) {
        fprintf(stderr, "%s\n", path); /* the last line before a crash names the culprit */
        LLVMFuzzerTestOneInput(bytes, size_bytes);
    } else {
        fprintf(stderr, "replay: error: cannot read the input (%s): %s\n", path, strerror(errno));
    }
    free(bytes);
    if (file != NULL)
        fclose(file);
    return whole ? 0 : -1;
}

int main(int argc, char **argv)
{
    int count = 0, status = 0;
    FTS *walk = argc > 1 ? fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    for (FTSENT *entry; walk != NULL && (entry = fts_read(walk)) != NULL;)
        if (entry->fts_info == FTS_F) {
            status |= replay_file(entry->fts_path, (size_t)entry->fts_statp->st_size);
            count++;
        }
    if (walk != NULL)
        fts_close(walk);
    if (count == 0)
        fprintf(stderr, "replay: error: no input was read: name files or folders\n");
    printf("%d inputs\n", count);
    return count > 0 && status == 0 ? 0 : 1;
}
