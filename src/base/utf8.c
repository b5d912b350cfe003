#include "elmpi/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character that a text begins with; 0: not UTF-8. */
static size_t character(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    if (at[0] < 0x80)
        return 1;
    const size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    const bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    const bool surrogate = at[0] == 0xed && at[1] >= 0xa0;
    const bool too_large = at[0] == 0xf4 && at[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

bool elm_utf8_is_valid(const char *text)
{
    for (size_t length; *text != '\0'; text += length)
        if ((length = character(text)) == 0)
            return false;
    return true;
}

char *elm_utf8_escape(char *out, size_t size_bytes, const char *text)
{
    char escaped[8];
    size_t used = 0;
    while (*text != '\0') {
        const size_t length = character(text);
        const bool plain = length > 0 && (unsigned char)*text >= ' ' && *text != 0x7f;
        const size_t wanted = plain ? length : 4;
        if (used + wanted >= size_bytes)
            break;
        snprintf(escaped, sizeof escaped, "\\x%02X", (unsigned char)*text);
        memcpy(out + used, plain ? text : escaped, wanted);
        used += wanted;
        text += plain ? length : 1;
    }
    if (size_bytes > 0)
        out[used] = '\0';
    return out;
}

void elm_utf8_mend(char *text)
{
    for (size_t length; *text != '\0'; text += length)
        if ((length = character(text)) == 0) {
            *text = '?';
            length = 1;
        }
}

size_t elm_utf8_mark(const char *text, size_t length)
{
    return length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

bool elm_utf8_is_utf16(const char *text, size_t length)
{
    return length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}
