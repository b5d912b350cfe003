#include "checkpoint/check_classes.h"

#include <string.h>

int elm_checkpoint_check_classes(const elm_checkpoint *checkpoint, const elm_checkpoint_data *data,
                                 const char *advice, elm_error *err)
{
    if (checkpoint->class_count == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the checkpoint lacks the classes' training images "
                             "(/classes/train_count): use one that elmpi-train wrote");
    if (checkpoint->classes != data->classes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the checkpoint knows %d classes, the data set %s has %d (%s): %s",
                             checkpoint->classes, data->dataset, data->classes, data->store,
                             advice);
    for (int c = 0; checkpoint->class_names != NULL && c < checkpoint->classes; c++)
        if (strcmp(checkpoint->class_names[c], data->class_names[c]) != 0)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "the checkpoint is of another data set: its class %d is %s, that "
                                 "of %s is %s (%s): %s",
                                 c, checkpoint->class_names[c], data->dataset, data->class_names[c],
                                 data->store, advice);
    return 0;
}
