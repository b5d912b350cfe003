#define _GNU_SOURCE /* dl_iterate_phdr */

#include "base/build_id.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

typedef struct search {
    char *text;
    size_t size;
} search;

static void write_hex(const unsigned char *bytes, size_t count, const search *to)
{
    for (size_t i = 0; i < count && 2 * i + 2 < to->size; i++)
        snprintf(to->text + 2 * i, to->size - 2 * i, "%02x", bytes[i]);
}

static size_t padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/* A segment of notes: each a head, an owner's name and a content, the latter two padded to
 * words. */
static void search_notes(const char *notes, size_t size, const search *to)
{
    ElfW(Nhdr) head;
    for (size_t at = 0; at + sizeof head <= size;) {
        memcpy(&head, notes + at, sizeof head);
        const char *name = notes + at + sizeof head, *content = name + padded(head.n_namesz);
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && !memcmp(name, "GNU", 4)) {
            write_hex((const unsigned char *)content, head.n_descsz, to);
            return;
        }
        at += sizeof head + padded(head.n_namesz) + padded(head.n_descsz);
    }
}

static int visit_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            search_notes((const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr,
                         info->dlpi_phdr[i].p_memsz, context);
    return 1; /* the program itself comes first, its libraries do not count */
}

void elm_build_id(char *text, size_t size)
{
    search to = {text, size};
    snprintf(text, size, "unknown");
    dl_iterate_phdr(visit_program, &to);
}
