/* Writes a store index with the class counts of a file (one count a line): as large as a real
 * one, but its images have no content. The shard behind it is a file of holes. Usage:
 * write_index COUNTS.txt STORE.h5 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/store.h"

enum { CLASSES_MAX = 100000, LENGTH = 290000 };

static int fail(const char *what)
{
    fprintf(stderr, "write_index: %s\n", what);
    return 1;
}

int main(int argc, char **argv)
{
    static const char *names[CLASSES_MAX];
    static long counts[CLASSES_MAX];
    char path[4096];
    elm_error err = {0};
    elm_store_info info = {.dataset = "index",
                           .in_shards = true,
                           .channels = 3,
                           .mean = {0.5F, 0.5F, 0.5F},
                           .std = {0.25F, 0.25F, 0.25F}};
    if (argc != 3)
        return fail("usage: write_index COUNTS.txt STORE.h5");
    FILE *file = fopen(argv[1], "r");
    if (!file)
        return fail("no such file of counts");
    int64_t total = 0;
    for (char line[64]; info.classes < CLASSES_MAX && fgets(line, sizeof line, file);) {
        counts[info.classes] = strtol(line, NULL, 10);
        names[info.classes] = "a class";
        total += counts[info.classes++];
    }
    fclose(file);
    snprintf(path, sizeof path, "%s.tar", argv[2]);
    const elm_store_shard shard = {strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
                                   total * LENGTH};
    const int tar = open(path, O_WRONLY | O_CREAT, 0666);
    if (tar < 0 || ftruncate(tar, shard.size_bytes) != 0 || close(tar) != 0)
        return fail("cannot make the shard");
    elm_store_writer *writer = NULL;
    int status = elm_store_writer_create_index(&writer, argv[2], &info, names, &shard, 1, 64, &err);
    int64_t offset = 0;
    for (int c = 0; c < info.classes; c++)
        for (long i = 0; i < counts[c] && status == 0; i++, offset += LENGTH) {
            char name[65];
            snprintf(name, sizeof name, "%d/%ld.jpg", c, i);
            status = elm_store_writer_append_place(
                writer, "train", c, name, &(elm_store_place){offset, LENGTH, 0, 800, 600, 0}, &err);
        }
    if (status == 0)
        status = elm_store_writer_finish(writer, &err);
    return status == 0 ? 0 : fail(err.text);
}
