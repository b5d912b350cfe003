/* Comm: agreement with a failure on each rank in turn, equal texts, broadcasts, sums, gathered
 * bytes, merged moments. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "golden/pseudo.h"
#include "mpi/ranks.h"

static void agreement(void)
{
    const int rank = elm_comm_rank(comm), size = elm_comm_size(comm);
    elm_error err = {0};
    check(elm_comm_agree_all(comm, 0, &err) == 0);
    check(err.code == 0);
    for (int failing = 0; failing < size; failing++) {
        char expected[64];
        err = (elm_error){0};
        const int status =
            rank == failing ? elm_error_set(&err, ELM_EXIT_FAILURE, "disk %d is full", failing) : 0;
        check(elm_comm_agree_all(comm, status, &err) == -1);
        if (size > 1)
            snprintf(expected, sizeof expected, "rank %d: disk %d is full", failing, failing);
        else
            snprintf(expected, sizeof expected, "disk 0 is full");
        check(err.code == ELM_EXIT_FAILURE);
        check(strcmp(err.text, expected) == 0);
        check(elm_comm_agree_all(comm, 0, &err) == 0); /* nothing is left of it */
    }
}

static void several_failures(void)
{
    const int rank = elm_comm_rank(comm), size = elm_comm_size(comm);
    elm_error err = {0};
    /* All but rank 0, where there is another: the lowest speaks. */
    const int status =
        rank > 0 || size == 1 ? elm_error_set(&err, ELM_EXIT_FAILURE, "of %d", rank) : 0;
    check(elm_comm_agree_all(comm, status, &err) == -1);
    check(strstr(err.text, size > 1 ? "of 1" : "of 0") != NULL);
    /* A mistake of the user keeps its code, and its text has no rank: it is the same everywhere. */
    elm_error_set(&err, ELM_EXIT_USAGE, "unknown key");
    check(elm_comm_agree_all(comm, -1, &err) == -1);
    check(err.code == ELM_EXIT_USAGE && strcmp(err.text, "unknown key") == 0);
    check(elm_comm_agree_all(comm, rank == size - 1 ? -1 : 0, NULL) == -1);
}

static void equal_texts(void)
{
    const int rank = elm_comm_rank(comm), size = elm_comm_size(comm);
    char text[256];
    elm_error err = {0};
    check(elm_comm_same_all(comm, "the job", "", &err) == 0);
    check(elm_comm_same_all(comm, "the job", "[run]\nseed = 1\n", &err) == 0);
    for (int other = 1; other < size; other++) {
        const bool odd = rank == other;
        err = (elm_error){0};
        snprintf(text, sizeof text, "[run]\nseed = %d\nname = x\n", odd ? 21 : 2);
        check(elm_comm_same_all(comm, "the job", text, &err) == -1);
        snprintf(
            text, sizeof text,
            "the job of rank %d is not that of rank 0: \"seed = 21\" there, \"seed = 2\" on rank 0",
            other);
        check(err.code == ELM_EXIT_USAGE && strstr(err.text, text) != NULL);
        /* One line, one line's end and one character more or less. */
        check(elm_comm_same_all(comm, "the job", odd ? "a\nb" : "a", &err) == -1);
        check(elm_comm_same_all(comm, "the job", odd ? "a\n" : "a\nb", &err) == -1);
        check(elm_comm_same_all(comm, "the job", odd ? "a\n" : "a", &err) == -1);
        check(elm_comm_same_all(comm, "the job", odd ? "ab" : "a", &err) == -1);
        check(elm_comm_same_all(comm, "the job", odd ? "" : "a", &err) == -1);
        check(elm_comm_same_all(comm, "the job", "a\nb", &err) == 0);
    }
}

static void sums_and_broadcasts(void)
{
    const int rank = elm_comm_rank(comm), size = elm_comm_size(comm);
    double values[3] = {rank, 1, -rank}, most[2] = {rank, -rank};
    int64_t counts[2] = {(int64_t)1 << 40, rank};
    float floats[2] = {0.5F, (float)rank};
    char text[100] = "";
    elm_comm_sum_all(comm, values, 3);
    check(values[0] == size * (size - 1) / 2 && values[1] == size && values[2] == -values[0]);
    elm_comm_max_all(comm, most, 2);
    check(most[0] == size - 1 && most[1] == 0);
    elm_comm_sum_counts_all(comm, counts, 2);
    check(counts[0] == (int64_t)size << 40 && counts[1] == (int64_t)values[0]);
    elm_comm_sum_floats_all(comm, floats, 2);
    check(floats[0] == 0.5F * (float)size && floats[1] == (float)values[0]);
    elm_comm_sum_all(comm, values, 0);
    if (rank == 0)
        snprintf(text, sizeof text, "from rank 0");
    elm_comm_broadcast_all(comm, text, sizeof text);
    check(strcmp(text, "from rank 0") == 0);
    elm_comm_broadcast_all(comm, NULL, 0);
    elm_comm_barrier_all(comm);
}

/* Every rank gives another number of bytes, rank 0 none. */
static void gathered_bytes(void)
{
    const int rank = elm_comm_rank(comm), size = elm_comm_size(comm);
    char mine[64];
    void *gathered = NULL;
    size_t sizes[64] = {0};
    elm_error err = {0};
    memset(mine, 'a' + rank, sizeof mine);
    check(size <= 64);
    check(elm_comm_gather_bytes_all(comm, mine, (size_t)rank * 3, &gathered,
                                    rank == 0 ? sizes : NULL, &err) == 0);
    check((gathered != NULL) == (rank == 0));
    const char *place = gathered;
    for (int r = 0; rank == 0 && r < size; r++) {
        check(sizes[r] == (size_t)r * 3);
        for (int i = 0; i < r * 3; i++)
            check(*place++ == 'a' + r);
    }
    elm_free(gathered);
}

enum { VALUES = 1000, SETS = 37 };

/* What rank r holds of set s: r + s values, none for some. */
static int set_size(int r, int s)
{
    return (r * 7 + s) % 5 == 0 ? 0 : 3 + r + s;
}

static double set_value(int r, int s, int i)
{
    return 100 + s + 5 * (double)pseudo((uint32_t)(100 * r + s), (uint32_t)i);
}

static elm_moments moments_of(int r, int s)
{
    elm_moments m = {0, 0, 0};
    for (int i = 0; i < set_size(r, s); i++)
        m = elm_moments_merge(m, (elm_moments){1, set_value(r, s, i), 0});
    return m;
}

/* In one go over all ranks' values. */
static elm_moments direct_moments(int s)
{
    elm_moments m = {0, 0, 0};
    for (int r = 0; r < elm_comm_size(comm); r++)
        for (int i = 0; i < set_size(r, s); i++) {
            m.count++;
            m.mean += set_value(r, s, i);
        }
    if (m.count > 0)
        m.mean /= m.count;
    for (int r = 0; r < elm_comm_size(comm); r++)
        for (int i = 0; i < set_size(r, s); i++)
            m.m2 += (set_value(r, s, i) - m.mean) * (set_value(r, s, i) - m.mean);
    return m;
}

static void merged_moments(void)
{
    const elm_reducer reducer = elm_comm_reducer(comm);
    elm_moments values[SETS];
    for (int s = 0; s < SETS; s++)
        values[s] = moments_of(elm_comm_rank(comm), s);
    reducer.merge_moments_all(reducer.context, values, SETS);
    check_same(values, sizeof values); /* to the bit */
    for (int s = 0; s < SETS; s++) {
        const elm_moments direct = direct_moments(s);
        check(values[s].count == direct.count);
        check(fabs(values[s].mean - direct.mean) <= 1e-13 * fabs(direct.mean));
        check(fabs(values[s].m2 - direct.m2) <= 1e-12 * (direct.m2 + 1e-12));
    }
}

/* Apart from its caller, or the compiler sees that both orders are one sum. */
__attribute__((noinline)) static elm_moments merge_apart(elm_moments a, elm_moments b)
{
    return elm_moments_merge(a, b);
}

/* merge(a, b) and merge(b, a) for means that fill every bit of a double: whatever tree MPI
 * chooses, all ranks end with the same bits. */
static void merging_is_symmetric(void)
{
    for (uint32_t i = 0; i < 20000; i++) {
        const elm_moments a = {floor(50 * (1 + (double)pseudo(1, i))),
                               (double)pseudo(2, i) / 3 * pow(10, i % 7), 1 + (double)pseudo(3, i)};
        elm_moments b = {floor(50 * (1 + (double)pseudo(4, i))), (double)pseudo(5, i) / 3,
                         1 + (double)pseudo(6, i)};
        if (i % 3 == 0)
            b.mean = a.mean;
        const elm_moments ab = merge_apart(a, b), ba = merge_apart(b, a);
        check(memcmp(&ab, &ba, sizeof ab) == 0);
    }
}

static void reducer_sums(void)
{
    const elm_reducer reducer = elm_comm_reducer(comm);
    static double values[VALUES];
    for (int i = 0; i < VALUES; i++)
        values[i] = (double)pseudo((uint32_t)elm_comm_rank(comm), (uint32_t)i);
    reducer.sum_all(reducer.context, values, VALUES);
    check_same(values, sizeof values);
    for (int i = 0; i < VALUES; i++) {
        double sum = 0;
        for (int r = 0; r < elm_comm_size(comm); r++)
            sum += (double)pseudo((uint32_t)r, (uint32_t)i);
        check(fabs(values[i] - sum) <= 1e-14 * elm_comm_size(comm));
    }
}

static void places(void)
{
    char text[256];
    check(elm_comm_rank(comm) >= 0 && elm_comm_rank(comm) < elm_comm_size(comm));
    check(elm_comm_local_rank(comm) >= 0 && elm_comm_local_rank(comm) < elm_comm_local_size(comm));
    check(elm_comm_local_size(comm) <= elm_comm_size(comm));
    elm_comm_describe(comm, text, sizeof text);
    check(*text != '\0');
}

static void tests(void)
{
    places();
    agreement();
    several_failures();
    equal_texts();
    sums_and_broadcasts();
    gathered_bytes();
    merging_is_symmetric();
    merged_moments();
    reducer_sums();
    agreement();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "agreement, sums and moments", tests);
}
