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

const elm_loss_row *elm_loss_find(const elm_loss_row *const *rows, const char *key,
                                  const char *name, elm_error *err)
{
    const char *names[NAMES_MAX];
    int count = 0;
    for (; rows[count] && count < NAMES_MAX; count++) {
        if (strcmp(rows[count]->name, name) == 0)
            return rows[count];
        names[count] = rows[count]->name;
    }
    elm_error_unknown(err, &(elm_unknown){"loss", name, key, names, count, NULL});
    return NULL;
}
