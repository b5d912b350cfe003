#include "data/sampling/holdout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "elmpi/memory.h"

/* The second of the streams of a class (elm_rng_stream's b). */
enum { HOLDOUT_STREAM = 1 };

/** What data.holdout asks for. */
typedef struct holdout {
    int64_t per_class;
    double share; /* where per_class is 0 */
} holdout;

static int parse(const char *value, holdout *asked, elm_error *err)
{
    char *end = NULL;
    const bool plain = value[strspn(value, "0123456789.")] == '\0' && strlen(value) < 16;
    const double number = plain ? strtod(value, &end) : -1;
    const bool share = strchr(value, '.') != NULL;
    *asked = (holdout){0};
    if (!plain || *end != '\0' || (share && !(number < 1)))
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "give images a class, such as 5, or a share of each class below 1, such as 0.1, or 0");
    if (share)
        asked->share = number;
    else
        asked->per_class = (int64_t)number;
    return 0;
}

int elm_holdout_check(const char *value, elm_error *err)
{
    holdout asked;
    return parse(value, &asked, err);
}

bool elm_holdout_asked(const char *value)
{
    holdout asked;
    return parse(value, &asked, NULL) == 0 && (asked.per_class > 0 || asked.share > 0);
}

/* How many of a class: one always stays for training. */
static int64_t share_of(const holdout *asked, int64_t images)
{
    const int64_t wanted =
        asked->per_class > 0 ? asked->per_class : llround(asked->share * (double)images);
    return wanted < images ? wanted : images > 0 ? images - 1 : 0;
}

/** A class while its members pass by: of `left` still to come, `wanted` are to be held out. */
typedef struct class_state {
    int64_t left, wanted;
    elm_rng rng;
} class_state;

/* Selection sampling (Knuth, TAOCP 2, algorithm 3.4.2 S): every subset of the wanted size is
 * equally likely, in one pass and in order. */
static bool chosen(class_state *state)
{
    const bool taken = state->wanted > 0 &&
                       elm_rng_below(&state->rng, (uint32_t)state->left) < (uint32_t)state->wanted;
    state->left--;
    state->wanted -= taken;
    return taken;
}

int elm_holdout_keep(const char *value, bool held_out, const int32_t *labels, int classes,
                     int64_t *members, int64_t *count, elm_error *err)
{
    holdout asked;
    if (parse(value, &asked, err) != 0)
        return -1;
    class_state *states = elm_alloc((size_t)classes, sizeof *states, err);
    if (states == NULL)
        return -1;
    for (int64_t i = 0; i < *count; i++)
        states[labels[members[i]]].left++;
    for (int c = 0; c < classes; c++) {
        states[c].wanted = share_of(&asked, states[c].left);
        states[c].rng = elm_rng_stream(0, ELM_RNG_DATA, (uint64_t)c, HOLDOUT_STREAM);
    }
    int64_t kept = 0;
    for (int64_t i = 0; i < *count; i++)
        if (chosen(&states[labels[members[i]]]) == held_out)
            members[kept++] = members[i];
    elm_free(states);
    *count = kept;
    if (held_out && kept == 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "no image is held out (data.holdout = %s): train with more held out, "
                             "or choose another split; one image of "
                             "each class is always kept",
                             value[0] != '\0' ? value : "0");
    return 0;
}
