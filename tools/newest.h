/* Newest: what a program says of a checkpoint that is not its run's last. */
#ifndef ELMPI_TOOLS_NEWEST_H
#define ELMPI_TOOLS_NEWEST_H

#include "elmpi/checkpoint.h"
#include "elmpi/log.h"

/** Warns where a newer checkpoint stands in the folder of the one at `path`. */
void elm_warn_unless_newest(const elm_log *log, const char *path, const elm_checkpoint *checkpoint);

#endif
