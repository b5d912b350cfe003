/* Looks for values that are NaN or infinite in the order of the forward pass, then among the
 * gradients; only after a step has failed, so it need not be quick. */
#include "train/nonfinite_search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool are_finite(const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* Places of tensors in the order in which they are looked at: input, weights and running
 * statistics one by one, embeddings, logits, the two losses, gradients and what the step makes
 * of running statistics one by one. */
typedef struct places {
    int input, weights, state, embeddings, logits, logit_loss, embed_loss, gradients, spoilt,
        nowhere;
} places;

static places places_of(const elm_net_parameters *view)
{
    places p = {.input = 0, .weights = 1};
    p.state = p.weights + view->count;
    p.embeddings = p.state + view->state_count;
    p.logits = p.embeddings + 1;
    p.logit_loss = p.logits + 1;
    p.embed_loss = p.logit_loss + 1;
    p.gradients = p.embed_loss + 1;
    p.spoilt = p.gradients + view->count;
    p.nowhere = p.spoilt + view->state_count;
    return p;
}

void elm_nonfinite_found_reset(elm_trainer *t)
{
    const elm_net_parameters view = elm_net_view(t->net);
    t->found = (elm_finding){.place = places_of(&view).nowhere};
}

static void add_image(int64_t *list, int64_t *count, int64_t member)
{
    if (*count < ELM_NONFINITE_SHOWN)
        list[*count] = member;
    (*count)++;
}

/* Place in the data set of this rank's i-th image. */
static int64_t member_of(const elm_batch *part, int i)
{
    const int64_t at = part->share.first + i;
    return part->members ? part->members[at] : part->position + at;
}

/* Rows of images, unless an earlier place is found already. Returns whether one of them is
 * broken. */
static bool look_at_rows(elm_finding *found, int place, const elm_batch *part, const float *rows,
                         int64_t width)
{
    bool broken = false;
    for (int i = 0; i < part->share.local; i++) {
        if (are_finite(rows + i * width, width))
            continue;
        broken = true;
        if (place < found->place) {
            found->place = place;
            found->count = 0;
        }
        if (place == found->place) /* it may have been found in an earlier part too */
            add_image(found->member, &found->count, member_of(part, i));
    }
    return broken;
}

/* Input is normalized: nothing comes near this. Squares of what is made of it overflow, or a
 * ReLU hides what did. */
static const float extreme = 1e6F;

static void remember_extremes(elm_trainer *t, const elm_batch *part)
{
    for (int i = 0; i < part->share.local; i++)
        for (int64_t k = 0; k < t->input_values; k++)
            if (fabsf(part->input[i * t->input_values + k]) > extreme) {
                add_image(t->found.extreme, &t->found.extreme_count, member_of(part, i));
                break;
            }
}

static void remember_largest(elm_trainer *t, const elm_batch *part)
{
    const int classes = elm_net_classes(t->net);
    for (int i = 0; i < part->share.local; i++)
        for (int c = 0; c < classes; c++) {
            const float size = fabsf(t->logits[(size_t)i * (size_t)classes + (size_t)c]);
            if (t->found.has_largest && size <= t->found.largest)
                continue;
            t->found.largest = size;
            t->found.has_largest = true;
            t->found.largest_member = member_of(part, i);
        }
}

void elm_nonfinite_found_note(elm_trainer *t, const elm_batch *part)
{
    const elm_net_parameters view = elm_net_view(t->net);
    const places at = places_of(&view);
    if (look_at_rows(&t->found, at.input, part, part->input, t->input_values))
        return;
    remember_extremes(t, part);
    if (look_at_rows(&t->found, at.embeddings, part, t->embeddings, elm_net_width(t->net)) ||
        look_at_rows(&t->found, at.logits, part, t->logits, elm_net_classes(t->net)))
        return;
    remember_largest(t, part);
}

static void look_at(elm_finding *found, int place, const float *x, int64_t count)
{
    /* whatever the images say, they are not to blame */
    if (place < found->place && !are_finite(x, count))
        *found = (elm_finding){.place = place};
}

/* What is no image's alone. Gradients are the summed ones. */
static void look_at_tensors(elm_trainer *t)
{
    const elm_net_parameters view = elm_net_view(t->net);
    const places at = places_of(&view);
    elm_finding *found = &t->found;
    for (int p = 0; p < view.count; p++)
        look_at(found, at.weights + p, view.tensors[p].data, view.tensors[p].count);
    /* those before the step: its own pass has changed the others */
    for (int s = 0; s < view.state_count; s++)
        look_at(found, at.state + s, t->kept_state + view.state_tensors[s].offset,
                view.state_tensors[s].count);
    if (found->place <= at.logits)
        return;
    /* The images with the largest logits stay known. */
    if (!isfinite(t->sums.figures.logit_loss))
        found->place = at.logit_loss;
    else if (!isfinite(t->sums.figures.embed_loss))
        found->place = at.embed_loss;
    for (int p = view.trainable_first; p < view.learn_end && found->place == at.nowhere; p++)
        if (!are_finite(view.gradients + view.tensors[p].offset, view.tensors[p].count))
            found->place = at.gradients + p;
    if (found->place == at.nowhere && t->nonfinite_state >= 0)
        found->place = at.spoilt + t->nonfinite_state;
}

static void name_place(elm_nonfinite_found *broken, const elm_net_parameters *view, int place)
{
    const places at = places_of(view);
    const struct {
        int from;
        const char *what;
        const elm_tensor *tensors;
    } rows[] = {
        {at.nowhere, "a number that is finite now", NULL},
        {at.spoilt, "what the step makes of the running statistics ", view->state_tensors},
        {at.gradients, "the gradient of ", view->tensors},
        {at.embed_loss, "the embedding term", NULL},
        {at.logit_loss, "the loss on the logits", NULL},
        {at.logits, "logits", NULL},
        {at.embeddings, "embeddings", NULL},
        {at.state, "the running statistics ", view->state_tensors},
        {at.weights, "the weights ", view->tensors},
        {at.input, "input values", NULL},
    };
    int r = 0;
    while (place < rows[r].from)
        r++;
    snprintf(broken->what, sizeof broken->what, "%s%.100s", rows[r].what,
             rows[r].tensors ? rows[r].tensors[place - rows[r].from].name : "");
    broken->is_input = place == at.input;
}

void elm_trainer_find_nonfinite_all(elm_trainer *t, const elm_batch *part,
                                    elm_nonfinite_found *broken)
{
    const elm_net_parameters view = elm_net_view(t->net);
    elm_nonfinite_found_note(t, part);
    look_at_tensors(t);
    double ends[] = {-t->found.place, t->found.extreme_count > 0};
    elm_comm_max_all(t->comm, ends, 2);
    const int place = (int)-ends[0];
    *broken = (elm_nonfinite_found){0};
    name_place(broken, &view, place);
    const places at = places_of(&view);
    if (place == at.input || (ends[1] <= 0 && (place == at.embeddings || place == at.logits))) {
        broken->suspects = ELM_SUSPECT_NONFINITE;
        broken->count = t->found.place == place ? t->found.count : 0;
        memcpy(broken->member, t->found.member, sizeof broken->member);
    } else if (ends[1] > 0) {
        broken->suspects = ELM_SUSPECT_INPUT;
        broken->count = t->found.extreme_count;
        memcpy(broken->member, t->found.extreme, sizeof broken->member);
    } else {
        broken->suspects = ELM_SUSPECT_LOGITS;
        broken->count = t->found.has_largest;
        broken->member[0] = t->found.largest_member;
        broken->largest_logit = (double)t->found.largest;
    }
}
