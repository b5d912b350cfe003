#include "base/file/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elmpi/memory.h"

enum { FIRST_BYTES = 1 << 16 };

/* The block with room for as much again, at most `most_bytes` and a zero byte. */
static char *grow(char *text, size_t used, size_t *capacity, size_t most_bytes)
{
    const size_t wanted = *capacity <= most_bytes / 2 ? 2 * *capacity : most_bytes + 1;
    char *more = elm_alloc(wanted + 1, 1, NULL);
    if (more != NULL)
        memcpy(more, text, used);
    elm_free(text);
    *capacity = wanted;
    return more;
}

static int read_all(int descriptor, size_t most_bytes, char **text, size_t *size_bytes)
{
    size_t capacity = most_bytes < FIRST_BYTES ? most_bytes + 1 : FIRST_BYTES, used = 0;
    char *block = elm_alloc(capacity + 1, 1, NULL);
    int cause = 0;
    while (block != NULL && cause == 0) {
        if (used == capacity && (block = grow(block, used, &capacity, most_bytes)) == NULL)
            break;
        const ssize_t count = read(descriptor, block + used, capacity - used);
        if (count < 0 && errno != EINTR)
            cause = errno;
        if (count == 0)
            break;
        used += count > 0 ? (size_t)count : 0;
        if (used > most_bytes)
            cause = EFBIG;
    }
    if (block == NULL)
        return ENOMEM;
    if (cause != 0) {
        elm_free(block);
        return cause;
    }
    block[used] = '\0';
    *text = block;
    *size_bytes = used;
    return 0;
}

int elm_input_text(const char *path, size_t most_bytes, char **text, size_t *size_bytes)
{
    struct stat about;
    *text = NULL;
    *size_bytes = 0;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    int cause = fstat(descriptor, &about) != 0 ? errno : 0;
    if (cause == 0 && S_ISREG(about.st_mode) && (unsigned long long)about.st_size > most_bytes)
        cause = EFBIG;
    if (cause == 0)
        cause = read_all(descriptor, most_bytes, text, size_bytes);
    close(descriptor);
    return cause;
}

long elm_input_line(char **line, size_t *capacity, FILE *file)
{
    if (*line == NULL) {
        *line = malloc(ELM_INPUT_LINE_MAX + 2);
        *capacity = ELM_INPUT_LINE_MAX + 2;
        if (*line == NULL)
            return -ENOMEM;
    }
    long used = 0;
    int c = EOF;
    errno = 0;
    while (used <= ELM_INPUT_LINE_MAX && (c = getc(file)) != EOF) {
        (*line)[used++] = (char)c;
        if (c == '\n')
            break;
    }
    (*line)[used] = '\0';
    if (used > ELM_INPUT_LINE_MAX)
        return -EFBIG;
    if (c == EOF && ferror(file))
        return errno > 1 ? -errno : -EIO;
    return used > 0 ? used : -1;
}
