/* The option rows as help for people. */
#include <stdio.h>
#include <string.h>

#include "elmpi/job.h"
#include "job/value.h"

enum { COLUMNS = 100, INDENT = 6 };

/* How a text is laid out: columns before its first line and before the others, and whether it is
 * Markdown. */
typedef struct layout {
    int first, rest;
    bool markdown;
} layout;

/* Characters up to the next space; in Markdown a span of code is not broken. */
static int word_length(const char *text, bool markdown)
{
    int length = 0;
    for (bool code = false; text[length] && (text[length] != ' ' || code); length++)
        code ^= markdown && text[length] == '`';
    return length;
}

/* Returns the columns printed. In Markdown, what would begin a tag or emphasis is escaped. */
static int print_word(const char *word, int length, bool markdown)
{
    int columns = length;
    bool code = false;
    for (int i = 0; i < length; i++) {
        code ^= markdown && word[i] == '`';
        if (markdown && !code && strchr("<*", word[i])) {
            putchar('\\');
            columns++;
        }
        putchar(word[i]);
    }
    return columns;
}

static void print_wrapped(const char *text, layout form)
{
    int column = printf("%*s", form.first, "");
    for (bool begun = false; *text; begun = true) {
        const int length = word_length(text, form.markdown);
        if (begun && column + 1 + length > COLUMNS) {
            printf("\n%*s", form.rest, "");
            column = form.rest;
        } else if (begun) {
            putchar(' ');
            column++;
        }
        column += print_word(text, length, form.markdown);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

void elm_markdown_print(const char *text)
{
    const bool item = !strncmp(text, "- ", 2);
    print_wrapped(text, (layout){.rest = item ? 2 : 0, .markdown = true});
}

static void print_row(const elm_option *row)
{
    char wanted[512], facts[1024];
    elm_value_describe(row, wanted, sizeof wanted);
    if (!row->default_text)
        snprintf(facts, sizeof facts, "%s; must be given", wanted);
    else
        snprintf(facts, sizeof facts, "%s; default: %s", wanted,
                 *row->default_text ? row->default_text : "(empty)");
    printf("  %s\n", row->key);
    print_wrapped(row->help, (layout){INDENT, INDENT, false});
    print_wrapped(facts, (layout){INDENT, INDENT, false});
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

/* "- `key` (values; default `x`; only with `a=b`): help" */
static void print_item(const elm_option *row)
{
    char values[512], start[64] = "; must be given", rule[256] = "", text[4096];
    elm_value_describe(row, values, sizeof values);
    const char *quote =
        row->default_text && *row->default_text && row->default_text != elm_option_stem ? "`" : "";
    if (row->default_text)
        snprintf(start, sizeof start, "; default %s%s%s", quote,
                 *row->default_text ? row->default_text : "empty", quote);
    if (row->used_if)
        snprintf(rule, sizeof rule, "; only with `%s`", row->used_if);
    snprintf(text, sizeof text, "- `%s` (%s%s%s): %s", row->key, values, start, rule, row->help);
    elm_markdown_print(text);
}

void elm_option_print_list(const elm_option *rows,
                           bool (*wanted)(const elm_option *row, const void *context),
                           const void *context)
{
    bool begun = false;
    for (const elm_option *row = rows; row->key; row++) {
        if (!wanted(row, context))
            continue;
        if (!begun)
            putchar('\n');
        begun = true;
        print_item(row);
    }
}
