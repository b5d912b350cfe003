#include "elmpi/loss.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "loss/logit/class_weights.h"
#include "loss/table.h"

/* A row at work. */
typedef struct part {
    const elm_loss_row *row; /* NULL: no such part */
    void *state;
    double weight;
} part;

struct elm_loss {
    part logit, embed;
    elm_class_weights *weights; /* of the logit loss; NULL: none */
    elm_loss_needs needs;       /* of the embedding term */
};

static int create_part(part *p, const elm_loss_row *row, double weight, const elm_loss_setup *setup,
                       elm_error *err)
{
    if (!row)
        return -1;
    *p = (part){row, NULL, weight};
    return row->create ? row->create(&p->state, setup, err) : 0;
}

static void destroy_part(part *p)
{
    if (p->row && p->row->destroy)
        p->row->destroy(p->state);
}

static elm_loss_value evaluate_part(const part *p, const elm_loss_batch *batch, double amount)
{
    if (!p->row)
        return (elm_loss_value){0};
    elm_loss_value value = p->row->evaluate(p->state, batch, p->weight * amount);
    value.loss *= p->weight * amount;
    return value;
}

/* How much of either part counts now. */
typedef struct mixture {
    double logit, embed;
} mixture;

static mixture mixture_at(const elm_loss *loss, const elm_loss_time *moment)
{
    mixture m = {1, 1};
    if (loss->embed.row && loss->embed.row->mix)
        loss->embed.row->mix(moment, &m.logit, &m.embed);
    return m;
}

/* Whether the logit loss is defined with smoothed labels, where the options ask for them. */
static int check_smoothing(const elm_loss_row *row, const elm_loss_options *options, elm_error *err)
{
    char others[512] = "";
    size_t used = 0;
    if (options->smoothing == 0 || row->smooths)
        return 0;
    for (int i = 0; elm_logit_losses[i] && used < sizeof others; i++)
        if (elm_logit_losses[i]->smooths)
            used += (size_t)snprintf(others + used, sizeof others - used, "%s%s", used ? ", " : "",
                                     elm_logit_losses[i]->name);
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "%s has no definition with smoothed labels (loss.smoothing): %s; choose "
                         "loss.smoothing = none or a loss that has one (%s)",
                         row->name, row->unsmoothed ? row->unsmoothed : "it names one class",
                         others);
}

int elm_loss_check(const elm_loss_options *options, elm_error *err)
{
    const elm_loss_row *row = elm_loss_find(elm_logit_losses, "loss.logit", options->logit, err);
    return row ? check_smoothing(row, options, err) : -1;
}

int elm_loss_create(elm_loss **loss, const elm_loss_options *options, elm_class_counts counts,
                    int width, int max_local, int64_t max_rows, elm_error *err)
{
    const elm_loss_setup setup = {options, counts, width, max_local, max_rows};
    elm_loss *l = elm_alloc(1, sizeof *l, err);
    *loss = NULL;
    if (!l)
        return -1;
    if (elm_loss_check(options, err))
        goto fail;
    if (create_part(&l->logit, elm_loss_find(elm_logit_losses, "loss.logit", options->logit, err),
                    1, &setup, err))
        goto fail;
    if (elm_class_weights_create(&l->weights, l->logit.row, &setup, err))
        goto fail;
    if (strcmp(options->embed, "none") != 0) {
        const elm_loss_row *row =
            elm_loss_find(elm_embedding_terms, "loss.embed", options->embed, err);
        /* An owner may be sent all rows of a batch. */
        elm_loss_setup embed = setup;
        elm_loss_needs needs = {0};
        if (row && row->needs)
            row->needs(options, &needs);
        if (needs.reach == ELM_LOSS_OWNED)
            embed.max_local = (int)max_rows;
        /* With weight 0 the name is checked and the term left out: nothing is gathered, and 0 *
         * infinity cannot become NaN. */
        if (!row ||
            (options->lambda != 0 && create_part(&l->embed, row, options->lambda, &embed, err)))
            goto fail;
        if (l->embed.row)
            l->needs = needs;
    }
    *loss = l;
    return 0;
fail:
    elm_loss_destroy(l);
    return -1;
}

void elm_loss_destroy(elm_loss *loss)
{
    if (!loss)
        return;
    destroy_part(&loss->logit);
    destroy_part(&loss->embed);
    elm_class_weights_destroy(loss->weights);
    elm_free(loss);
}

elm_loss_needs elm_loss_needs_of(const elm_loss *loss)
{
    return loss->needs;
}

void elm_loss_set_means(elm_loss *loss, const float *means)
{
    loss->embed.row->set_means(loss->embed.state, means);
}

bool elm_loss_depends_on_length(const elm_loss_options *options)
{
    const elm_loss_row *row =
        elm_loss_find(elm_embedding_terms, "loss.embed", options->embed, NULL);
    return row && row->mix;
}

elm_loss_head elm_loss_head_of(const elm_loss_options *options, int classes)
{
    const elm_loss_row *row = elm_loss_find(elm_logit_losses, "loss.logit", options->logit, NULL);
    return row && row->head ? row->head(options, classes) : (elm_loss_head){0};
}

elm_loss_value elm_loss_logits(elm_loss *loss, const elm_loss_batch *batch)
{
    elm_loss_batch weighted = *batch;
    const double amount = mixture_at(loss, &batch->moment).logit;
    elm_class_weights_apply(loss->weights, &weighted);
    if (!batch->partner_labels)
        return evaluate_part(&loss->logit, &weighted, amount);
    elm_loss_value value = evaluate_part(&loss->logit, &weighted, amount * batch->own_share);
    weighted.labels = batch->partner_labels;
    value.loss += evaluate_part(&loss->logit, &weighted, amount * (1 - batch->own_share)).loss;
    return value;
}

elm_loss_value elm_loss_embeddings(elm_loss *loss, const elm_loss_batch *batch)
{
    return evaluate_part(&loss->embed, batch, mixture_at(loss, &batch->moment).embed);
}

void elm_loss_update(elm_loss *loss, double lr)
{
    const part *const parts[] = {&loss->logit, &loss->embed};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i]->row && parts[i]->row->update)
            parts[i]->row->update(parts[i]->state, lr);
}

int elm_loss_tensors(elm_loss *loss, elm_tensor *tensors, int capacity)
{
    const part *const parts[] = {&loss->logit, &loss->embed};
    int count = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i]->row && parts[i]->row->tensors)
            count += parts[i]->row->tensors(parts[i]->state, tensors + count,
                                            capacity > count ? capacity - count : 0);
    for (int i = 0; i < count && i < capacity; i++) {
        char name[ELM_NAME_SIZE];
        snprintf(name, sizeof name, "loss/%.*s", (int)(sizeof name - sizeof "loss/"),
                 tensors[i].name);
        memcpy(tensors[i].name, name, sizeof name);
    }
    return count;
}

static bool describe(const elm_loss_row *const *rows, int i, elm_loss_about *about)
{
    for (int k = 0; k < i; k++)
        if (!rows[k])
            return false;
    if (!rows[i])
        return false;
    *about = (elm_loss_about){rows[i]->name, rows[i]->formula, rows[i]->source, rows[i]->help};
    return true;
}

bool elm_loss_about_logit(int i, elm_loss_about *about)
{
    return describe(elm_logit_losses, i, about);
}

bool elm_loss_about_embed(int i, elm_loss_about *about)
{
    return describe(elm_embedding_terms, i, about);
}
