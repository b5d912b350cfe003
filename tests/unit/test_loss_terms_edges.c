/* Embedding terms at their edges, all rows of the table and their variants: lone, identical and
 * far-off images, parts of a batch, widths beyond the batch, any number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "elmpi/memory.h"
#include "golden/pseudo.h"
#include "unit/slopes.h"
#include "unit/term_options.h"
#include "unit/whole_batch.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

enum { CLASSES = 6, ROWS_MAX = 200, WIDTH_MAX = 67, TENSORS_MAX = 4 };

static const int64_t counts[CLASSES] = {500, 120, 60, 19, 5, 2};
static const elm_class_counts class_counts = {CLASSES, counts, 706};

/* A whole batch with room for its numbers. */
typedef struct world {
    int rows, width;
    int32_t labels[ROWS_MAX];
    float embeddings[ROWS_MAX * WIDTH_MAX], logits[ROWS_MAX * CLASSES];
} world;

static void fill(world *w, int rows, int width, float scale)
{
    w->rows = rows;
    w->width = width;
    for (int i = 0; i < rows; i++)
        w->labels[i] =
            (int32_t)(fabsf(pseudo(5, (uint32_t)i)) * fabsf(pseudo(6, (uint32_t)i)) * CLASSES);
    pseudo_fill(w->embeddings, (size_t)rows * (size_t)width, 3, scale, scale / 4);
    pseudo_fill(w->logits, (size_t)rows * CLASSES, 4, 3 * scale, 0);
}

static elm_loss *create(const elm_loss_options *options, int width)
{
    elm_loss *loss;
    elm_error err = {0};
    if (elm_loss_create(&loss, options, class_counts, width, ROWS_MAX, ROWS_MAX, &err))
        fail_msg("%s", err.text);
    return loss;
}

static seen_batch see_share(const world *w, elm_partition share)
{
    return see(&(whole_batch){w->rows,
                              w->width,
                              CLASSES,
                              w->labels,
                              w->embeddings,
                              w->logits,
                              {.passed = 1, .length = 4}},
               share);
}

static seen_batch see_all(const world *w)
{
    return see_share(w, elm_partition_of(w->rows, 1, 0));
}

static double largest_of(const seen_batch *s)
{
    double most = 0;
    for (int i = 0; i < s->batch.local * s->batch.width; i++)
        most = fmax(most, fabs((double)s->embeddings_gradient[i]));
    for (int i = 0; i < s->batch.local * s->batch.classes; i++)
        most = fmax(most, fabs((double)s->logits_gradient[i]));
    return most;
}

static bool all_finite(const seen_batch *s)
{
    for (int i = 0; i < s->batch.local * s->batch.width; i++)
        if (!isfinite(s->embeddings_gradient[i]))
            return false;
    for (int i = 0; i < s->batch.local * s->batch.classes; i++)
        if (!isfinite(s->logits_gradient[i]))
            return false;
    return true;
}

/* One evaluation on a new loss; the largest gradient in *most. */
static double evaluate(const elm_loss_options *options, const world *w, double *most, bool *finite)
{
    elm_loss *loss = create(options, w->width);
    seen_batch s = see_all(w);
    const double value = elm_loss_embeddings(loss, &s.batch).loss;
    *most = largest_of(&s);
    *finite = isfinite(value) && all_finite(&s);
    forget_seen(&s);
    elm_loss_destroy(loss);
    return value;
}

static world w; /* larger than a stack should bear */

/* With one image, or all of one class, or all of different classes, or all the same: finite,
 * whatever the term. */
static void few_and_equal_images(void **state)
{
    (void)state;
    const char *name;
    elm_loss_options options;
    for (int t = 0; term_setting(t, &name, &options); t++)
        for (int kind = 0; kind < 6; kind++) {
            fill(&w, kind == 0 ? 1 : kind == 3 ? CLASSES : 12, 5, 1);
            for (int i = 0; i < w.rows; i++)
                w.labels[i] = kind == 1 ? 2 : kind == 3 ? i : kind == 2 ? i / 6 : w.labels[i];
            for (int i = 0; i < w.rows * w.width && kind >= 4; i++)
                w.embeddings[i] = kind == 4 ? 1.5F : 0; /* vectors of length 0 have no direction */
            double most;
            bool finite;
            const double value = evaluate(&options, &w, &most, &finite);
            if (!finite)
                fail_msg("%s, kind %d: loss %g, gradient up to %g", name, kind, value, most);
        }
}

/* What has no partner to compare with gives nothing. */
static void no_partner_no_loss(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        /* 0 with one image, all of one class, all of different classes */
        bool lone, one_class, different;
    } zero[] = {{"supcon", true, false, true},     {"hybrid-sc", true, false, true},
                {"triplet", true, true, true},     {"lda", true, true, true},
                {"spreadout", true, false, false}, {"contrastive-logit", true, true, false},
                {"dro", true, false, false}};
    const char *name;
    elm_loss_options options;
    for (int t = 0; term_setting(t, &name, &options); t++)
        for (int z = 0; z < LENGTH(zero); z++)
            for (int kind = 0; kind < 3 && strcmp(name, zero[z].name) == 0; kind++) {
                fill(&w, kind == 0 ? 1 : 4, 5, 1);
                for (int i = 0; i < w.rows; i++)
                    w.labels[i] = kind == 2 ? i : 3;
                double most;
                bool finite;
                const double value = evaluate(&options, &w, &most, &finite);
                if ((kind == 0   ? zero[z].lone
                     : kind == 1 ? zero[z].one_class
                                 : zero[z].different) != (value == 0 && most == 0))
                    fail_msg("%s, kind %d: loss %g, gradient up to %g", name, kind, value, most);
            }
}

/* Far beyond what exp can take, also in double. lda says that it cannot go there. */
static void distances_beyond_any_exponential(void **state)
{
    (void)state;
    static const float scales[] = {1e3F, 1e8F, 1e15F};
    const char *name;
    elm_loss_options options;
    for (int t = 0; term_setting(t, &name, &options); t++)
        for (int s = 0; s < LENGTH(scales); s++) {
            fill(&w, 40, 9, scales[s]);
            double most;
            bool finite;
            const double value = evaluate(&options, &w, &most, &finite);
            if (!(finite && most > 0) &&
                !(strcmp(name, "lda") == 0 && scales[s] > 1e4F && isnan(value)) &&
                !(strcmp(name, "range") == 0 && finite))
                fail_msg("%s, scale %g: loss %g, gradient up to %g", name, (double)scales[s], value,
                         most);
        }
}

static void not_a_number_stays_one(void **state)
{
    (void)state;
    const char *name;
    elm_loss_options options;
    for (int t = 0; term_setting(t, &name, &options); t++)
        for (int at = 0; at < 40; at++) {
            fill(&w, 40, 9, 1);
            if (w.labels[at] != 0)
                continue;
            w.embeddings[at * 9 + 4] = NAN;
            w.logits[at * CLASSES] = NAN;
            double most;
            bool finite;
            if (!isnan(evaluate(&options, &w, &most, &finite)))
                fail_msg("%s does not see that image %d is no number", name, at);
        }
}

static void weight_zero_wants_nothing(void **state)
{
    (void)state;
    const char *name;
    elm_loss_options options;
    fill(&w, 20, 9, 1);
    for (int t = 0; term_setting(t, &name, &options); t++) {
        options.lambda = 0;
        elm_loss *loss = create(&options, w.width);
        seen_batch s = see_all(&w);
        assert_int_equal(elm_loss_needs_of(loss).reach, ELM_LOSS_LOCAL);
        assert_false(elm_loss_needs_of(loss).logits);
        assert_true(elm_loss_embeddings(loss, &s.batch).loss == 0 && largest_of(&s) == 0);
        assert_int_equal(elm_loss_tensors(loss, NULL, 0), 0);
        forget_seen(&s);
        elm_loss_destroy(loss);
    }
}

static void a_rank_without_images(void **state)
{
    (void)state;
    const char *name;
    elm_loss_options options;
    fill(&w, 20, 9, 1);
    for (int t = 0; term_setting(t, &name, &options); t++) {
        elm_loss *loss = create(&options, w.width);
        seen_batch s =
            see_share(&w, (elm_partition){.global = w.rows, .first = w.rows, .local = 0});
        const elm_loss_value none = {0}, value = elm_loss_embeddings(loss, &s.batch);
        assert_memory_equal(&value, &none, sizeof none);
        forget_seen(&s);
        elm_loss_destroy(loss);
    }
}

/* A rank that works on its images in two parts: each counts by its share of the global batch,
 * and what is learned comes from both. */
static void parts_of_a_batch(void **state)
{
    (void)state;
    const char *name;
    elm_loss_options options;
    for (int t = 0; term_setting(t, &name, &options); t++) {
        fill(&w, 20, 9, 1);
        elm_loss *half = create(&options, w.width), *whole = create(&options, w.width);
        seen_batch a = see_all(&w), b = see_all(&w);
        a.batch.global = 2 * w.rows;
        const double of_half = elm_loss_embeddings(half, &a.batch).loss,
                     of_whole = elm_loss_embeddings(whole, &b.batch).loss;
        if (!(fabs(2 * of_half - of_whole) <= 1e-12 * fabs(of_whole)))
            fail_msg("%s: a part counts %g of %g", name, of_half, of_whole);
        for (int i = 0; i < w.rows * w.width; i++)
            assert_float_equal(2 * a.embeddings_gradient[i], b.embeddings_gradient[i],
                               1e-6 * largest_of(&b));
        elm_tensor one[TENSORS_MAX], two[TENSORS_MAX];
        /* the second part is the first once more: means stay, so does the descent */
        elm_loss_embeddings(half, &a.batch);
        elm_loss_update(half, 0.1);
        elm_loss_update(whole, 0.1);
        const int count = elm_loss_tensors(half, one, TENSORS_MAX);
        elm_loss_tensors(whole, two, TENSORS_MAX);
        for (int i = 0; i < count && strcmp(name, "center") != 0; i++)
            for (int64_t k = 0; k < one[i].count; k++)
                assert_float_equal(one[i].data[k], two[i].data[k], 1e-6);
        forget_seen(&a);
        forget_seen(&b);
        elm_loss_destroy(half);
        elm_loss_destroy(whole);
    }
}

/* Widths beyond the number of images (lda then works in the span of the batch) and beside it;
 * centers have learned before. */
static void gradients_are_slopes_at_any_width(void **state)
{
    (void)state;
    static const int widths[] = {1, 12, 13, 40};
    const char *name;
    elm_loss_options options;
    for (int t = 0; term_setting(t, &name, &options); t++)
        for (int i = 0; i < LENGTH(widths); i++) {
            fill(&w, 13, widths[i], 1);
            const bool of_direction = options.pull_normalize || strcmp(name, "supcon") == 0 ||
                                      strcmp(name, "hybrid-sc") == 0 ||
                                      strcmp(name, "spreadout") == 0;
            if (widths[i] == 1 && of_direction)
                continue; /* on a line there are but two directions, and no slope */
            /* no triplet near the corner, where differences show the mean of two slopes */
            options.triplet_margin = 100;
            fill_coarse(w.embeddings, w.rows * w.width, 1, 1);
            fill_coarse(w.logits, w.rows * CLASSES, 2, 3);
            elm_loss *loss = create(&options, w.width);
            seen_batch s = see_all(&w);
            elm_loss_embeddings(loss, &s.batch);
            elm_loss_update(loss, 0.1);
            memset(s.embeddings_gradient, 0, (size_t)(w.rows * w.width) * sizeof(float));
            memset(s.logits_gradient, 0, (size_t)(w.rows * CLASSES) * sizeof(float));
            if (elm_loss_needs_of(loss).logits)
                check_slopes(name, loss, &s.batch, elm_loss_embeddings, w.logits, s.logits_gradient,
                             w.rows * CLASSES);
            else
                check_slopes(name, loss, &s.batch, elm_loss_embeddings, w.embeddings,
                             s.embeddings_gradient, w.rows * w.width);
            forget_seen(&s);
            elm_loss_destroy(loss);
        }
}

/* Classes pulled together far from the origin: terms of differences are what they are at the
 * origin, to the digits of the gradient. */
static void far_from_the_origin(void **state)
{
    (void)state;
    static const char *const of_differences[] = {"pull", "dro", "range", "lda"};
    const char *name;
    elm_loss_options options;
    for (int t = 0; term_setting(t, &name, &options); t++)
        for (int n = 0; n < LENGTH(of_differences) && !options.pull_normalize; n++) {
            if (strcmp(name, of_differences[n]) != 0)
                continue;
            double value[2];
            seen_batch s[2];
            for (int far = 0; far < 2; far++) {
                fill(&w, 40, 9, 1);
                fill_coarse(w.embeddings, w.rows * w.width, 1, 4.0F / 1024);
                for (int i = 0; i < w.rows * w.width; i++)
                    w.embeddings[i] += far ? 4096 : 0; /* exact in float32 */
                elm_loss *loss = create(&options, w.width);
                s[far] = see_all(&w);
                value[far] = elm_loss_embeddings(loss, &s[far].batch).loss;
                elm_loss_destroy(loss);
            }
            if (!(fabs(value[1] - value[0]) <= 1e-6 * fabs(value[0])))
                fail_msg("%s is %.9g, far away %.9g", name, value[0], value[1]);
            for (int i = 0; i < w.rows * w.width; i++)
                if (!(fabs((double)s[1].embeddings_gradient[i] -
                           (double)s[0].embeddings_gradient[i]) <= 1e-5 * largest_of(&s[0])))
                    fail_msg("%s, gradient %d is %g, far away %g, largest %g", name, i,
                             (double)s[0].embeddings_gradient[i],
                             (double)s[1].embeddings_gradient[i], largest_of(&s[0]));
            forget_seen(&s[0]);
            forget_seen(&s[1]);
        }
}

/* Everything that a step leaves behind, at one number of threads. */
static double leave_traces(const elm_loss_options *options, float *traces, size_t *count)
{
    elm_loss *loss = create(options, w.width);
    seen_batch s = see_share(&w, elm_partition_of(w.rows, 3, 1));
    elm_tensor tensors[TENSORS_MAX];
    const double value = elm_loss_embeddings(loss, &s.batch).loss;
    const size_t values = (size_t)s.batch.local * (size_t)w.width,
                 of_logits = (size_t)s.batch.local * CLASSES;
    elm_loss_update(loss, 0.1);
    memcpy(traces, s.embeddings_gradient, values * sizeof *traces);
    memcpy(traces + values, s.logits_gradient, of_logits * sizeof *traces);
    *count = values + of_logits;
    const int learned = elm_loss_tensors(loss, tensors, TENSORS_MAX);
    for (int i = 0; i < learned; i++) {
        memcpy(traces + *count, tensors[i].data, (size_t)tensors[i].count * sizeof *traces);
        *count += (size_t)tensors[i].count;
    }
    forget_seen(&s);
    elm_loss_destroy(loss);
    return value;
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    /* more and fewer than the width; odd sizes: every vector loop has a remainder */
    static const int rows[] = {ROWS_MAX, 40};
    static float traces[2][ROWS_MAX * (WIDTH_MAX + CLASSES) + CLASSES * (WIDTH_MAX + 2)];
    const char *name;
    elm_loss_options options;
    const int before = omp_get_max_threads();
    for (int t = 0; term_setting(t, &name, &options); t++)
        for (int r = 0; r < LENGTH(rows); r++) {
            double value[2] = {0};
            size_t count;
            fill(&w, rows[r], WIDTH_MAX, 0.4F);
            for (int threads = 1; threads <= 5; threads += 2) {
                omp_set_num_threads(threads);
                value[threads > 1] = leave_traces(&options, traces[threads > 1], &count);
                assert_int_equal(omp_get_max_threads(), threads);
                if (threads > 1 && (value[0] != value[1] ||
                                    memcmp(traces[0], traces[1], count * sizeof(float)) != 0))
                    fail_msg("%s is another with %d threads: %.17g, %.17g", name, threads, value[0],
                             value[1]);
            }
        }
    omp_set_num_threads(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_and_equal_images),
        cmocka_unit_test(no_partner_no_loss),
        cmocka_unit_test(distances_beyond_any_exponential),
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(weight_zero_wants_nothing),
        cmocka_unit_test(a_rank_without_images),
        cmocka_unit_test(parts_of_a_batch),
        cmocka_unit_test(gradients_are_slopes_at_any_width),
        cmocka_unit_test(far_from_the_origin),
        cmocka_unit_test(threads_do_not_change_a_bit),
    };
    omp_set_num_threads(1); /* such small batches: threads would only wait for each other */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
