#include "nn/backends/backend.h"

#include <string.h>

/* Fastest first: "auto" takes the first. */
static const elm_backend *const backends[] = {
#ifdef ELMPI_HAVE_ONEDNN
    &elm_backend_onednn,
#endif
    &elm_backend_openblas,
};
enum { BACKENDS = sizeof backends / sizeof *backends };

const elm_backend *elm_backend_find(const char *name, elm_error *err)
{
    if (!strcmp(name, "auto"))
        return backends[0];
    for (int i = 0; i < BACKENDS; i++)
        if (!strcmp(name, backends[i]->name))
            return backends[i];
    if (!strcmp(name, "onednn"))
        elm_error_set(err, ELM_EXIT_USAGE,
                      "this build has no oneDNN (run.backend = onednn): install libdnnl-dev and "
                      "build again, or use auto or openblas");
    else
        elm_error_set(err, ELM_EXIT_USAGE,
                      "unknown backend \"%s\" (run.backend): use auto, onednn or openblas", name);
    return NULL;
}
