/* The choice of an instruction set, and that all sets of kernels compute the same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpu/cpu.h"
#include "base/cpu/vectors.h"
#include "base/rng.h"
#include "optim/sgd_kernels.h"

/* In a process of its own, as the choice is made once: the exit code is 0 where ELMPI_ISA =
 * `asked` gives `wanted`, or, with -1, an error that says `text`. */
static int choose_in_child(const char *asked, int wanted, const char *text)
{
    const pid_t child = fork();
    if (child == 0) {
        elm_error err = {0};
        if (asked)
            setenv("ELMPI_ISA", asked, 1);
        else
            unsetenv("ELMPI_ISA");
        const int status = elm_cpu_choose(&err);
        if (wanted < 0)
            _exit(!(status == -1 && err.code == ELM_EXIT_USAGE && strstr(err.text, text)));
        _exit(!(status == 0 && (int)elm_cpu_isa() == wanted));
    }
    int code = -1;
    waitpid(child, &code, 0);
    return code;
}

static void environment_chooses(void **state)
{
    (void)state;
    const int best = (int)elm_cpu_best();
    assert_int_equal(choose_in_child(NULL, best, NULL), 0);
    assert_int_equal(choose_in_child("", best, NULL), 0);
    assert_int_equal(choose_in_child("avx1024", -1, "use baseline, avx2, avx512 or avx512-bf16"),
                     0);
    assert_int_equal(choose_in_child("AVX2", -1, "unknown instruction set \"AVX2\" (ELMPI_ISA)"),
                     0);
    for (int i = 0; i < ELM_ISAS; i++)
        assert_int_equal(choose_in_child(elm_isa_names[i], i <= best ? i : -1, elm_isa_names[best]),
                         0);
}

static void cpu_has_a_name(void **state)
{
    (void)state;
    char name[ELM_CPU_NAME_SIZE] = "";
    elm_cpu_name(name);
    assert_true(strlen(name) > 2 && strlen(name) < sizeof name);
    assert_true(name[0] != ' ' && name[strlen(name) - 1] != ' ');
}

#ifdef ELMPI_KERNEL_SETS
static const elm_vector_kernels *const vector_sets[] = {
    &elm_vectors_baseline, &elm_vectors_avx2, &elm_vectors_avx512, &elm_vectors_avx512_bf16};
static const elm_sgd_kernels *const sgd_sets[] = {
    &elm_sgd_kernels_of_baseline, &elm_sgd_kernels_of_avx2, &elm_sgd_kernels_of_avx512,
    &elm_sgd_kernels_of_avx512_bf16};
#else
static const elm_vector_kernels *const vector_sets[] = {&elm_vectors_baseline};
static const elm_sgd_kernels *const sgd_sets[] = {&elm_sgd_kernels_of_baseline};
#endif

enum { COUNT = 1003 }; /* no multiple of any vector */

static void fill(float *x, uint64_t stream)
{
    elm_rng rng = elm_rng_stream(7, ELM_RNG_DATA, 0, stream);
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)elm_rng_normal(&rng);
}

static void assert_near(double a, double b)
{
    /* the sums before cancellation are of this size */
    assert_true(fabs(a - b) <= 1e-6 * (fabs(b) + 1));
}

static void check_vectors(const elm_vector_kernels *set)
{
    float x[COUNT], y[COUNT], sum[COUNT], back[COUNT];
    elm_bf16 halves[COUNT];
    double dot = 0, distance = 0;
    fill(x, 1);
    fill(y, 2);
    for (int i = 0; i < COUNT; i++) {
        dot += (double)x[i] * (double)y[i];
        distance += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    }
    assert_near(set->dot(x, y, COUNT), dot);
    assert_near(set->square_distance(x, y, COUNT), distance);
    x[COUNT - 1] = NAN;
    set->to_bf16(halves, x, COUNT);
    set->from_bf16(back, halves, COUNT);
    memcpy(sum, y, sizeof sum);
    set->add_bf16(sum, halves, COUNT);
    for (int i = 0; i < COUNT - 1; i++) {
        assert_int_equal(halves[i], elm_bf16_from_float(x[i]));
        assert_true(back[i] == elm_bf16_to_float(halves[i]));
        assert_true(sum[i] == y[i] + back[i]);
    }
    assert_true(isnan(back[COUNT - 1]));
    assert_false(set->all_finite(x, COUNT));
    assert_true(set->all_finite(x, COUNT - 1));
    set->scale(y, 0.5F, COUNT);
    assert_true(set->all_finite(y, COUNT));
}

static void check_sgd(const elm_sgd_kernels *set, const elm_sgd_kernels *reference)
{
    float w[2][COUNT], v[2][COUNT], g[COUNT];
    const elm_sgd_coefficients k = {0.1F, 0.9F, 5e-4F};
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        for (int s = 0; s < 2; s++) {
            const elm_sgd_kernels *by = s ? set : reference;
            fill(w[s], 3);
            fill(v[s], 4);
            fill(g, 5);
            (nesterov ? by->nesterov : by->plain)(w[s], g, v[s], COUNT, k);
        }
        for (int i = 0; i < COUNT; i++) {
            assert_near((double)w[1][i], (double)w[0][i]);
            assert_near((double)v[1][i], (double)v[0][i]);
        }
    }
}

static void sets_compute_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < ELM_KERNEL_SET_COUNT && i <= (int)elm_cpu_best(); i++) {
        print_message("%s\n", elm_isa_names[i]);
        check_vectors(vector_sets[i]);
        check_sgd(sgd_sets[i], sgd_sets[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_chooses),
        cmocka_unit_test(cpu_has_a_name),
        cmocka_unit_test(sets_compute_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
