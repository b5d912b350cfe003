/* Text: words from outside (class names, names in archives, paths, keys, a library's messages)
 * made fit for a terminal and a log. */
#ifndef ELMPI_BASE_TEXT_TEXT_H
#define ELMPI_BASE_TEXT_TEXT_H

#include <stddef.h>

enum { ELM_TEXT_UNIT_SIZE = 12 };

/** The next character of `text` as it is shown: itself, or, when it could steer a terminal or
 * mislead its reader, an escape. Those are C0 and C1 controls (tabulator and line feed too),
 * DEL, line separators, the byte order mark and the controls of writing direction ("\u202e"),
 * and every byte that is not of valid UTF-8 ("\x9b"). Returns: how many bytes of `text` (which
 * is not at its end) it takes */
size_t elm_text_unit(const char *text, char shown[ELM_TEXT_UNIT_SIZE]);

/** A whole text as elm_text_unit shows it; one that does not fit is cut between two characters.
 *  Returns: the length without the cut */
size_t elm_text_escape(char *shown, size_t size_bytes, const char *text);

/** The length of a text cut to at most `length` bytes without leaving a part of a UTF-8
 * character at its end. */
size_t elm_text_cut(const char *text, size_t length);

/** Takes the part of a UTF-8 character off the end of a text that was cut. */
void elm_text_trim(char *text);

#endif
