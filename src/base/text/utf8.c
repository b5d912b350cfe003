#include "base/text/utf8.h"

#include <stdio.h>
#include <string.h>

size_t elm_utf8_next(const char *text, uint32_t *point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)*text;
    const size_t length = first < 0x80       ? 1
                          : first >> 5 == 6  ? 2
                          : first >> 4 == 14 ? 3
                          : first >> 3 == 30 ? 4
                                             : 0;
    if (length <= 1) {
        *point = first;
        return length;
    }
    uint32_t value = first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        const unsigned char next = (unsigned char)text[i];
        if (next >> 6 != 2) /* the text's end too */
            return 0;
        value = value << 6 | (next & 0x3fU);
    }
    *point = value;
    return value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)
               ? 0
               : length;
}

static size_t character(const char *text)
{
    uint32_t point;
    return elm_utf8_next(text, &point);
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
