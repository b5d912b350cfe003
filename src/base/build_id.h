/* Build ID: which build of a program this is, as the linker notes it (--build-id): other code or
 * other compiler flags, another ID. */
#ifndef ELMPI_BASE_BUILD_ID_H
#define ELMPI_BASE_BUILD_ID_H

#include <stddef.h>

/** Hexadecimal digits, or "unknown" where the linker left none. */
void elm_build_id(char *text, size_t size_bytes);

#endif
