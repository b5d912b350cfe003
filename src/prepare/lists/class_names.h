/* Class names: what a store may call its classes. */
#ifndef ELMPI_PREPARE_LISTS_CLASS_NAMES_H
#define ELMPI_PREPARE_LISTS_CLASS_NAMES_H

#include "elmpi/log.h"
#include "prepare/lists/lists.h"

/** How many distinct classes may share a name: none when `distinct`, else it is a warning (ImageNet
 * has two cranes). Names that are not UTF-8 are converted from `encoding` (iconv's name, such as
 * latin1, shift_jis, cp437; "escape" writes each foreign byte as \xE4), or refused where that is
 * NULL: results and exports are JSON, which knows UTF-8 alone.
 *  Errors: ELM_EXIT_USAGE for an unknown encoding; a name that is not UTF-8 or cannot be
 *          converted, is too long for a store, or equals another */
int elm_class_names_finish(elm_class_names *names, elm_manifest *catalog, int classes,
                           bool distinct, const char *encoding, const elm_log *log, elm_error *err);

/** Errors: ELM_EXIT_USAGE for an encoding that iconv does not know */
int elm_class_names_check_encoding(const char *encoding, elm_error *err);

#endif
