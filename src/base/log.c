#include "elmpi/log.h"

#include <errno.h>
#include <stdarg.h>

#include "elmpi/process.h"

static void print(FILE *to, const char *program, const char *kind, const char *format, va_list arguments)
{
    if (program)
        fprintf(to, "%s: %s: ", program, kind);
    vfprintf(to, format, arguments);
    fputc('\n', to);
    if (fflush(to) && to == stdout)
        elm_process_note_loss(errno);
}

/* A line to the stream and, if there is one, the file. */
static void print_both(const elm_log *log, FILE *stream, const char *kind, const char *format, va_list arguments)
{
    const char *program = kind ? log->program : NULL;
    va_list again;
    va_copy(again, arguments);
    print(stream, program, kind, format, arguments);
    if (log->file)
        print(log->file, program, kind, format, again);
    va_end(again);
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
