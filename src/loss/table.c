#include "loss/table.h"

#include <stdio.h>
#include <string.h>

/* A loss a line: elm_loss_<name> is the row that its file defines. Every line ends in a
 * backslash; the empty line ends the list. */
/* clang-format off */
#define LOGIT_LOSSES(ROW) \
    ROW(ce) \
    ROW(logadj) \
    ROW(ldam) \
    ROW(cb_focal) \
    ROW(equalization) \

#define EMBEDDING_TERMS(ROW) \
    ROW(pull) \
    ROW(dro) \
    ROW(center) \
    ROW(supcon) \
    ROW(hybrid_sc) \
    ROW(triplet) \
    ROW(spreadout) \
    ROW(range) \
    ROW(contrastive_logit) \
    ROW(lda) \

/* The lists end here. */
/* clang-format on */

#define DECLARE(name) extern const elm_loss_row elm_loss_##name;
#define ADDRESS(name) &elm_loss_##name,
LOGIT_LOSSES(DECLARE)
EMBEDDING_TERMS(DECLARE)

const elm_loss_row *const elm_logit_losses[] = {LOGIT_LOSSES(ADDRESS) NULL};
const elm_loss_row *const elm_embedding_terms[] = {EMBEDDING_TERMS(ADDRESS) NULL};

enum { NAMES_MAX = 64 };

/* Adds to a text what still fits. */
static void append(char *text, size_t size, const char *before, const char *word)
{
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", before, word);
}

const elm_loss_row *elm_loss_find(const elm_loss_row *const *rows, const char *key,
                                  const char *name, elm_error *err)
{
    const char *names[NAMES_MAX];
    char valid[512] = "";
    int count = 0;
    for (; rows[count] && count < NAMES_MAX; count++) {
        if (strcmp(rows[count]->name, name) == 0)
            return rows[count];
        names[count] = rows[count]->name;
        append(valid, sizeof valid, count ? ", " : "", rows[count]->name);
    }
    const char *near = elm_nearest_name(name, names, count);
    elm_error_set(err, ELM_EXIT_USAGE, "unknown loss %s (%s): %s%s%suse one of %s", name, key,
                  near ? "did you mean " : "", near ? near : "", near ? "? Else " : "", valid);
    return NULL;
}
