/* Classes: which there are, what they are called, and how they are numbered. */
#ifndef ELMPI_PREPARE_FOLDERS_CLASSES_H
#define ELMPI_PREPARE_FOLDERS_CLASSES_H

#include "prepare/index_state.h"

/** Classes and their names: settles which there are and how they are numbered. *classes: how
 * many. */
int elm_image_classes_settle(elm_index_build *job, int *classes, elm_error *err);

#endif
