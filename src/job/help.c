/* The option rows as help for people. */
#include <stdio.h>
#include <string.h>

#include "elmpi/job.h"
#include "job/value.h"

enum { COLUMNS = 100, INDENT = 6 };

static void print_wrapped(const char *text)
{
    int column = 0;
    while (*text) {
        const int length = (int)strcspn(text, " ");
        if (column && column + 1 + length > COLUMNS) {
            putchar('\n');
            column = 0;
        }
        column += column ? printf(" %.*s", length, text) : printf("%*s%.*s", INDENT, "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_row(const elm_option *row)
{
    char wanted[512], facts[1024];
    elm_value_describe(row, wanted, sizeof wanted);
    if (!row->fallback)
        snprintf(facts, sizeof facts, "%s; must be given", wanted);
    else
        snprintf(facts, sizeof facts, "%s; default: %s", wanted, *row->fallback ? row->fallback : "(empty)");
    printf("  %s\n", row->key);
    print_wrapped(row->help);
    print_wrapped(facts);
    if (row->used_if)
        printf("%*sonly with %s\n", INDENT, "", row->used_if);
}

void elm_option_print_help(const elm_option_set *sets, int set_count)
{
    const elm_option *before = NULL;
    for (int i = 0; i < set_count; i++)
        for (const elm_option *row = sets[i].rows; row->key; row++) {
            const size_t length = strcspn(row->key, ".") + 1;
            if (!before || strncmp(before->key, row->key, length))
                printf("\n[%.*s]\n", (int)length - 1, row->key);
            print_row(row);
            before = row;
        }
}
