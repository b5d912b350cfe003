#include "loss/table.h"

#include <stdio.h>
#include <string.h>

/* A row a line. */
/* clang-format off */
const elm_loss_row *const elm_logit_losses[] = {
    &elm_loss_ce,
    &elm_loss_logadj,
    &elm_loss_ldam,
    &elm_loss_cb_focal,
    &elm_loss_equalization,
    NULL,
};

const elm_loss_row *const elm_embedding_terms[] = {
    &elm_loss_pull,
    &elm_loss_dro,
    &elm_loss_center,
    &elm_loss_supcon,
    &elm_loss_hybrid_sc,
    &elm_loss_triplet,
    &elm_loss_spreadout,
    &elm_loss_range,
    &elm_loss_contrastive_logit,
    &elm_loss_lda,
    NULL,
};
/* clang-format on */

enum { NAMES_MAX = 64 };

/* Adds to a text what still fits. */
static void append(char *text, size_t size, const char *before, const char *word)
{
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", before, word);
}

const elm_loss_row *elm_loss_find(const elm_loss_row *const *rows, const char *key, const char *name, elm_error *err)
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
    elm_error_set(err, ELM_EXIT_USAGE, "unknown loss %s (%s): %s%s%suse one of %s", name, key, near ? "did you mean " : "",
                  near ? near : "", near ? "? Else " : "", valid);
    return NULL;
}
