/* Input: texts from outside, read within bounds whatever the file is: a device without end, a
 * pipe, or a file larger than any of its kind. */
#ifndef ELMPI_BASE_FILE_INPUT_H
#define ELMPI_BASE_FILE_INPUT_H

#include <stddef.h>
#include <stdio.h>

enum { ELM_INPUT_LINE_MAX = 1 << 16 /* bytes of a line */ };

/** Reads a whole file, of at most `most_bytes`, as a text that ends with a zero byte.
 *  Memory: twice what the file holds, at most twice most_bytes
 *  Owns:   *text to be freed with elm_free
 *  Returns: 0, or the errno of what failed; EFBIG: the file is larger, EISDIR: a folder */
int elm_input_text(const char *path, size_t most_bytes, char **text, size_t *size_bytes);

/** getline, for lines of at most ELM_INPUT_LINE_MAX bytes.
 *  Owns:   *line, allocated with malloc as getline does, to be freed by the caller
 *  Returns:the line's length; -1 at the file's end; or the negated errno of what failed, -EFBIG
 *          (which is no -1) for a longer line */
long elm_input_line(char **line, size_t *capacity, FILE *file);

#endif
