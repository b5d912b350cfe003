#include "base/text/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text/utf8.h"

static bool is_control(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},   {0x2028, 0x202e},
        {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0001, 0xe0001},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

size_t elm_text_unit(const char *text, char shown[ELM_TEXT_UNIT_SIZE])
{
    uint32_t point;
    const size_t length = elm_utf8_next(text, &point);
    if (length == 0 || (length == 1 && is_control(point))) {
        snprintf(shown, ELM_TEXT_UNIT_SIZE, "\\x%02x", (unsigned)(unsigned char)*text);
        return 1;
    }
    if (is_control(point)) {
        snprintf(shown, ELM_TEXT_UNIT_SIZE, "\\u%04x", (unsigned)point);
        return length;
    }
    memcpy(shown, text, length);
    shown[length] = '\0';
    return length;
}

size_t elm_text_escape(char *shown, size_t size_bytes, const char *text)
{
    size_t length = 0;
    bool fits = size_bytes > 0;
    if (fits)
        *shown = '\0';
    while (*text != '\0') {
        char unit[ELM_TEXT_UNIT_SIZE];
        text += elm_text_unit(text, unit);
        const size_t bytes = strlen(unit);
        fits = fits && bytes < size_bytes - length;
        if (fits)
            memcpy(shown + length, unit, bytes + 1);
        length += bytes;
    }
    return length;
}

size_t elm_text_cut(const char *text, size_t length)
{
    const size_t whole = strnlen(text, length + 1);
    if (whole <= length)
        return whole;
    while (length > 0 && (unsigned char)text[length] >> 6 == 2)
        length--;
    return length;
}

void elm_text_trim(char *text)
{
    size_t first = strlen(text), length = first;
    while (first > 0 && (unsigned char)text[first - 1] >> 6 == 2)
        first--;
    if (first == 0 || (unsigned char)text[first - 1] < 0xc0)
        return;
    const unsigned char lead = (unsigned char)text[first - 1];
    const size_t whole = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length - first + 1 < whole)
        text[first - 1] = '\0';
}
