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
        column +=
            column ? printf(" %.*s", length, text) : printf("%*s%.*s", INDENT, "", length, text);
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
        snprintf(facts, sizeof facts, "%s; default: %s", wanted,
                 *row->fallback ? row->fallback : "(empty)");
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

/* A cell of a Markdown table: what would end the cell or begin a tag is only text. */
static void print_cell(const char *text)
{
    for (; *text; text++)
        printf(strchr("|<*", *text) ? "\\%c" : "%c", *text);
}

void elm_option_print_table(const elm_option *rows,
                            bool (*wanted)(const elm_option *row, const void *context),
                            const void *context)
{
    bool begun = false;
    for (const elm_option *row = rows; row->key; row++) {
        if (!wanted(row, context))
            continue;
        if (!begun)
            printf("\n| option | value | default | |\n|---|---|---|---|\n");
        begun = true;
        char value[512];
        elm_value_describe(row, value, sizeof value);
        printf("| `%s` | ", row->key);
        print_cell(value);
        const char *quote = row->fallback && row->fallback != elm_option_stem ? "`" : "";
        printf(" | %s%s%s | ", quote, row->fallback ? row->fallback : "must be given", quote);
        print_cell(row->help);
        printf(" |\n");
    }
}
