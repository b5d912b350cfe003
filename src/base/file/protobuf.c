/* A message inside a message has its length in front, which is known only behind it: it is put
 * in then, so that nothing has to be measured beforehand and every length has its shortest form. */
#include "base/file/protobuf.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_32 = 5, VARINT_BYTES = 10 };

/* Seven bits a byte, the lowest first; the top bit says that more follow. */
static size_t encode(unsigned char code[VARINT_BYTES], uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        code[size++] = (unsigned char)(value | 0x80);
    code[size++] = (unsigned char)value;
    return size;
}

static void add_varint(elm_bytes *bytes, uint64_t value)
{
    unsigned char code[VARINT_BYTES];
    elm_bytes_add(bytes, code, encode(code, value));
}

static void add_tag(elm_bytes *bytes, int field, int wire)
{
    add_varint(bytes, (uint64_t)field << 3 | (unsigned)wire);
}

/* The lowest byte first, whatever the machine's order. */
static void add_fixed(elm_bytes *bytes, uint64_t bits, size_t size_bytes)
{
    unsigned char code[8];
    for (size_t i = 0; i < size_bytes; i++)
        code[i] = (unsigned char)(bits >> 8 * i);
    elm_bytes_add(bytes, code, size_bytes);
}

void elm_protobuf_int(elm_bytes *bytes, int field, int64_t value)
{
    add_tag(bytes, field, WIRE_VARINT);
    add_varint(bytes, (uint64_t)value);
}

void elm_protobuf_float(elm_bytes *bytes, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_tag(bytes, field, WIRE_32);
    add_fixed(bytes, bits, sizeof bits);
}

void elm_protobuf_double(elm_bytes *bytes, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_tag(bytes, field, WIRE_64);
    add_fixed(bytes, bits, sizeof bits);
}

void elm_protobuf_bytes(elm_bytes *bytes, int field, const void *data, size_t size_bytes)
{
    add_tag(bytes, field, WIRE_LENGTH);
    add_varint(bytes, size_bytes);
    elm_bytes_add(bytes, data, size_bytes);
}

void elm_protobuf_text(elm_bytes *bytes, int field, const char *text)
{
    elm_protobuf_bytes(bytes, field, text, strlen(text));
}

size_t elm_protobuf_begin(elm_bytes *bytes, int field)
{
    add_tag(bytes, field, WIRE_LENGTH);
    return bytes->size;
}

void elm_protobuf_end(elm_bytes *bytes, size_t begun)
{
    unsigned char code[VARINT_BYTES];
    elm_bytes_insert(bytes, begun, code, encode(code, bytes->size - begun));
}
