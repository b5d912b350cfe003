#include "program.h"

#include "base/process/process.h"

static const double default_timeout = 600; /* seconds */

int elm_program_begin(elm_program *program, const char *name, elm_error *err)
{
    double timeout;
    *program = (elm_program){.name = name};
    if (elm_process_begin(name, err) != 0 || elm_watchdog_create(&program->watch, name, err) != 0 ||
        elm_watchdog_timeout(default_timeout, &timeout, err) != 0 ||
        elm_watchdog_guard(program->watch, timeout, err) != 0)
        return -1;
    return elm_watchdog_enter_with(program->watch, "launch", "", err);
}

int elm_program_end(elm_program *program, int code)
{
    code = elm_process_end(code);
    elm_watchdog_destroy(program->watch);
    return code;
}
