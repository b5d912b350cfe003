/* UTF-8: whether a text is, and how to show one that is not. */
#ifndef ELMPI_BASE_TEXT_UTF8_H
#define ELMPI_BASE_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of the character that a text begins with, as RFC 3629 has it, and its code point; 0: it
 * begins with none. */
size_t elm_utf8_next(const char *text, uint32_t *point);

/** Whether a text is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
bool elm_utf8_is_valid(const char *text);

/** Copies a text so that it can stand in a message or a JSON text: a byte that is not UTF-8
 * becomes the four characters "\xE4"; so do control characters. What does not fit is left out
 * from a whole character on. Returns out */
char *elm_utf8_escape(char *out, size_t size_bytes, const char *text);

/** Replaces each byte that is not UTF-8 by a question mark. */
void elm_utf8_mend(char *text);

/** Bytes of the byte-order mark that a text begins with: 3 or 0. */
size_t elm_utf8_mark(const char *text, size_t length);

/** Whether a text begins with UTF-16's or UTF-32's byte-order mark: it is no UTF-8 then. */
bool elm_utf8_is_utf16(const char *text, size_t length);

#endif
