/* What every user of a checkpoint needs and HDF5 does not. */
#include "elmpi/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint/digest.h"
#include "elmpi/memory.h"

int elm_checkpoint_verify(const char *path, elm_error *err)
{
    bool damaged;
    return elm_digest_check(path, NULL, &damaged, err);
}

void elm_checkpoint_free(elm_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (int i = 0; i < checkpoint->tensor_count; i++)
        elm_free(checkpoint->tensors[i].data);
    for (int i = 0; checkpoint->class_names && i < checkpoint->classes; i++)
        elm_free((void *)checkpoint->class_names[i]);
    for (int i = 0; i < checkpoint->history_count; i++)
        elm_free((void *)checkpoint->history[i].values);
    elm_free((void *)checkpoint->job);
    elm_free((void *)checkpoint->git);
    elm_free((void *)checkpoint->made_with);
    elm_free((void *)checkpoint->chosen_on);
    elm_free((void *)checkpoint->class_names);
    elm_free((void *)checkpoint->class_count);
    elm_free(checkpoint->tensors);
    elm_free(checkpoint->history);
    elm_free(checkpoint->progress);
    elm_free(checkpoint);
}

bool elm_checkpoint_knows_input(const elm_checkpoint *checkpoint)
{
    return checkpoint->input.channels > 0 || checkpoint->input.features > 0;
}

static elm_tensor *find_tensor(const elm_checkpoint *checkpoint, const char *name)
{
    for (int i = 0; i < checkpoint->tensor_count; i++)
        if (!strcmp(checkpoint->tensors[i].name, name))
            return &checkpoint->tensors[i];
    return NULL;
}

const elm_tensor *elm_checkpoint_tensor(const elm_checkpoint *checkpoint, const char *name)
{
    return find_tensor(checkpoint, name);
}

static int swap_average(elm_checkpoint *checkpoint, elm_tensor *last, elm_error *err)
{
    char name[ELM_NAME_SIZE];
    snprintf(name, sizeof name, "ema/%.*s", (int)(sizeof name - sizeof "ema/"),
             last->name + sizeof "model/" - 1);
    elm_tensor *average = find_tensor(checkpoint, name);
    if (!average || average->count != last->count)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the checkpoint has no moving average of its weights (--weights ema, "
                             "%s): runs with optim.ema keep one; use --weights last",
                             name);
    float *data = last->data;
    last->data = average->data;
    average->data = data;
    return 0;
}

int elm_checkpoint_choose_weights(elm_checkpoint *checkpoint, const char *which, elm_error *err)
{
    static const char *const names[] = {"last", "ema"};
    if (!which || !strcmp(which, names[0]))
        return 0;
    if (strcmp(which, names[1]) != 0)
        return elm_error_unknown(err,
                                 &(elm_unknown){"weights", which, "--weights", names, 2, NULL});
    for (int i = 0; i < checkpoint->tensor_count; i++)
        if (!strncmp(checkpoint->tensors[i].name, "model/", sizeof "model/" - 1) &&
            swap_average(checkpoint, &checkpoint->tensors[i], err))
            return -1;
    return 0;
}

double elm_checkpoint_progress(const elm_checkpoint *checkpoint, const char *name, double missing)
{
    for (int i = 0; i < checkpoint->progress_count; i++)
        if (!strcmp(checkpoint->progress[i].name, name))
            return checkpoint->progress[i].value;
    return missing;
}

const elm_history_column *elm_checkpoint_history(const elm_checkpoint *checkpoint, const char *name)
{
    for (int i = 0; i < checkpoint->history_count; i++)
        if (!strcmp(checkpoint->history[i].name, name))
            return &checkpoint->history[i];
    return NULL;
}
