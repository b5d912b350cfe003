/* Looks for values that are NaN or infinite in the order of the forward pass, then among the gradients; only after a step has failed, so it
 * need not be quick. */
#include "train/broken.h"

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

/* Places of tensors in the order in which they are looked at: input, weights and running statistics one by one, embeddings, logits, the two
 * losses, gradients one by one. */
typedef struct places {
    int input, weights, state, embeddings, logits, logit_loss, embed_loss, gradients, nowhere;
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
    p.nowhere = p.gradients + view->count;
    return p;
}

void elm_broken_reset(elm_trainer *t)
{
    const elm_net_parameters view = elm_net_view(t->net);
    t->found = (elm_finding){.place = places_of(&view).nowhere};
}

static void add_image(elm_finding *found, int64_t member)
{
    if (found->count < ELM_BROKEN_SHOWN)
        found->member[found->count] = member;
    found->count++;
}

/* Rows of images, unless an earlier place is found already. Returns whether one of them is broken. */
static bool look_at_rows(elm_finding *found, int place, const elm_batch *part, const float *rows, int64_t width)
{
    elm_finding here = {.place = place};
    for (int i = 0; i < part->share.local; i++)
        if (!are_finite(rows + i * width, width))
            add_image(&here, part->members ? part->members[part->share.first + i] : part->position + part->share.first + i);
    if (!here.count)
        return false;
    if (place < found->place)
        *found = here;
    else if (place == found->place) /* in another part of the same batch too */
        for (int64_t k = 0; k < here.count; k++)
            add_image(found, k < ELM_BROKEN_SHOWN ? here.member[k] : 0); /* the places are full by then */
    return true;
}

/* No image is broken: the one with the largest logits is the likeliest cause. */
static void remember_largest(elm_trainer *t, const elm_batch *part)
{
    const int classes = elm_net_classes(t->net);
    for (int i = 0; i < part->share.local; i++)
        for (int c = 0; c < classes; c++) {
            const float size = fabsf(t->logits[(size_t)i * (size_t)classes + (size_t)c]);
            if (size > t->found.largest || !t->found.has_largest) {
                t->found.largest = size;
                t->found.has_largest = true;
                t->found.largest_member = part->members ? part->members[part->share.first + i] : part->position + part->share.first + i;
            }
        }
}

void elm_broken_note(elm_trainer *t, const elm_batch *part)
{
    const elm_net_parameters view = elm_net_view(t->net);
    const places at = places_of(&view);
    if (look_at_rows(&t->found, at.input, part, part->input, t->input_values) ||
        look_at_rows(&t->found, at.embeddings, part, t->embeddings, elm_net_width(t->net)) ||
        look_at_rows(&t->found, at.logits, part, t->logits, elm_net_classes(t->net)))
        return;
    remember_largest(t, part);
}

static void look_at(elm_finding *found, int place, const float *x, int64_t count)
{
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
    for (int s = 0; s < view.state_count; s++) /* those before the step: its own pass has changed the others */
        look_at(found, at.state + s, t->kept_state + view.state_tensors[s].offset, view.state_tensors[s].count);
    if (found->place <= at.logits)
        return;
    /* The images with the largest logits stay known. */
    if (!isfinite(t->sums[ELM_SUM_LOGIT]))
        found->place = at.logit_loss;
    else if (!isfinite(t->sums[ELM_SUM_EMBED]))
        found->place = at.embed_loss;
    for (int p = view.learn_first; p < view.learn_end && found->place == at.nowhere; p++)
        if (!are_finite(view.gradients + view.tensors[p].offset, view.tensors[p].count))
            found->place = at.gradients + p;
}

static void name_place(elm_broken *broken, const elm_net_parameters *view, int place)
{
    const places at = places_of(view);
    const struct {
        int from;
        const char *what;
        const elm_tensor *tensors;
    } rows[] = {
        {at.nowhere, "a number that is finite now", NULL},
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
    broken->by_image = place == at.input || place == at.embeddings || place == at.logits;
}

void elm_trainer_find_broken_all(elm_trainer *t, const elm_batch *part, elm_broken *broken)
{
    const elm_net_parameters view = elm_net_view(t->net);
    elm_broken_note(t, part);
    look_at_tensors(t);
    double first = -t->found.place;
    elm_comm_max_all(t->comm, &first, 1);
    const int place = (int)-first;
    *broken = (elm_broken){0};
    name_place(broken, &view, place);
    if (broken->by_image && t->found.place == place) {
        broken->count = t->found.count;
        memcpy(broken->member, t->found.member, sizeof broken->member);
    } else if (!broken->by_image && t->found.has_largest) {
        broken->count = 1;
        broken->member[0] = t->found.largest_member;
        broken->largest_logit = (double)t->found.largest;
    }
}
