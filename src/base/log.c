#include "elmpi/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/process/process.h"
#include "base/text/text.h"

/* Whatever is in a message, a name from outside among it, reaches the terminal only through
 * here. */
static void print_shown(FILE *to, const char *text)
{
    while (*text != '\0') {
        char unit[ELM_TEXT_UNIT_SIZE];
        text += elm_text_unit(text, unit);
        fputs(unit, to);
    }
}

/* Line feeds are the format's, at its front; those of its arguments are shown as what they are. */
static void print(FILE *to, const char *program, const char *kind, const char *format,
                  const char *text)
{
    for (; *format == '\n'; format++)
        fputc('\n', to);
    if (program)
        fprintf(to, "%s: %s: ", program, kind);
    print_shown(to, text);
    fputc('\n', to);
    if (fflush(to) && to == stdout)
        elm_process_note_loss(errno);
}

/* A line to the stream and, if there is one, the file. */
static void print_both(const elm_log *log, FILE *stream, const char *kind, const char *format,
                       va_list arguments)
{
    const char *program = kind ? log->program : NULL, *text_format = format + strspn(format, "\n");
    char brief[2048], *whole = NULL;
    va_list again;
    va_copy(again, arguments);
    const int length =
        /* NOLINT(clang-diagnostic-format-nonliteral): the caller's */
        vsnprintf(brief, sizeof brief, text_format, arguments);
    if (length >= (int)sizeof brief && (whole = malloc((size_t)length + 1)) != NULL)
        /* NOLINT(clang-diagnostic-format-nonliteral) */
        vsnprintf(whole, (size_t)length + 1, text_format, again);
    va_end(again);
    const char *text = whole ? whole : brief; /* without memory the message is cut, not lost */
    print(stream, program, kind, format, text);
    if (log->file)
        print(log->file, program, kind, format, text);
    free(whole);
}

void elm_log_info(const elm_log *log, const char *format, ...)
{
    if (log->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_both(log, log->to_stderr ? stderr : stdout, NULL, format, arguments);
    va_end(arguments);
}

void elm_log_warn(const elm_log *log, const char *format, ...)
{
    if (log->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_both(log, stderr, "warning", format, arguments);
    va_end(arguments);
}

void elm_log_error(const elm_log *log, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_both(log, stderr, "error", format, arguments);
    va_end(arguments);
}
