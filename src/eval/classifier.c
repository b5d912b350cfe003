#include "elmpi/classifier.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/evaluation.h"

static int fc_count_all(const elm_classifier_input *input, elm_tally *tally, elm_error *err)
{
    return elm_evaluation_count_all(input->net, input->test, input->comm, NULL, tally, err);
}

const elm_classifier elm_classifiers[] = {
    {"fc", "the network's own last layer, largest logit", fc_count_all},
    {NULL, NULL, NULL},
};
enum { CLASSIFIERS = sizeof elm_classifiers / sizeof elm_classifiers[0] - 1 };

const elm_classifier *elm_classifier_find(const char *name, elm_error *err)
{
    const char *names[CLASSIFIERS];
    char valid[256] = "";
    size_t used = 0;
    for (int i = 0; i < CLASSIFIERS; i++) {
        if (strcmp(elm_classifiers[i].name, name) == 0)
            return &elm_classifiers[i];
        names[i] = elm_classifiers[i].name;
        if (used < sizeof valid)
            used += (size_t)snprintf(valid + used, sizeof valid - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *nearest = elm_nearest_name(name, names, CLASSIFIERS);
    elm_error_set(err, ELM_EXIT_USAGE, "unknown classifier (%s): %s%s%suse one of %s", name, nearest != NULL ? "did you mean " : "",
                  nearest != NULL ? nearest : "", nearest != NULL ? "? " : "", valid);
    return NULL;
}
