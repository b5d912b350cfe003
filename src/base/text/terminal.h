/* Terminal: whether a person is watching. */
#ifndef ELMPI_BASE_TEXT_TERMINAL_H
#define ELMPI_BASE_TEXT_TERMINAL_H

#include <stdbool.h>

/** True when stdout ends at a terminal. mpirun gives its ranks a pseudo-terminal even when its
 * own output goes to a file: there its own counts. */
bool elm_terminal_watched(void);

#endif
