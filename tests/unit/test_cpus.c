/* How the ranks of a node divide its CPUs, on masks alone. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpu/affinity.h"
#include "base/cpu/cpus.h"

enum { RANKS_MAX = 16 };

static elm_cpus set_of(const char *text)
{
    elm_cpus set;
    assert_true(elm_cpus_parse(&set, text));
    return set;
}

static void assert_set(const elm_cpus *set, const char *text)
{
    char found[ELM_CPUS_TEXT];
    elm_cpus_print(set, found, sizeof found);
    assert_string_equal(found, text);
}

/* One socket, one hyperthread a core. */
static elm_topology plain(void)
{
    elm_topology t = {{0}, {0}};
    for (int cpu = 0; cpu < ELM_CPUS_MAX; cpu++)
        t.core[cpu] = cpu;
    return t;
}

/* CPU i and i + cores are one core's hyperthreads, as on most machines. */
static elm_topology with_hyperthreads(int cores)
{
    elm_topology t = plain();
    for (int cpu = cores; cpu < 2 * cores; cpu++)
        t.core[cpu] = cpu - cores;
    return t;
}

static void text_goes_and_comes(void **state)
{
    (void)state;
    const char *const texts[] = {"0", "0-3", "0,2,4", "1-2,5,63-64,1023"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const elm_cpus set = set_of(texts[i]);
        assert_set(&set, texts[i]);
    }
    assert_set(&(elm_cpus){0}, "none");
    assert_int_equal(elm_cpus_count(&(elm_cpus){0}), 0);
    const elm_cpus line = set_of("0-1\n");
    assert_set(&line, "0-1");
    elm_cpus set;
    const char *const wrong[] = {"x", "1-", "3-1", "0-1024", "-1", "1;2", "1 2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(elm_cpus_parse(&set, wrong[i]));
    char text[16];
    set = set_of("0,2,4,6,8,10,12,14");
    elm_cpus_print(&set, text, sizeof text);
    assert_string_equal(text, "0,2,4,6,8,...");
}

static void assert_shares(const char *all, const elm_topology *t, int sharers,
                          const char *const *expected)
{
    const elm_cpus set = set_of(all);
    elm_cpus together = {0};
    int count = 0;
    for (int i = 0; i < sharers; i++) {
        const elm_cpus share = elm_cpus_share(&set, t, sharers, i);
        assert_set(&share, expected[i]);
        together = elm_cpus_union(&together, &share);
        count += elm_cpus_count(&share);
    }
    assert_true(elm_cpus_equal(&together, &set));
    assert_int_equal(count, elm_cpus_count(&set)); /* disjoint */
}

static void shares_are_fair(void **state)
{
    (void)state;
    const elm_topology t = plain();
    assert_shares("0-7", &t, 1, (const char *const[]){"0-7"});
    assert_shares("0-7", &t, 2, (const char *const[]){"0-3", "4-7"});
    assert_shares("0-6", &t, 2, (const char *const[]){"0-3", "4-6"});
    assert_shares("0-7", &t, 3, (const char *const[]){"0-2", "3-5", "6-7"});
    assert_shares("1,3,8-9", &t, 4, (const char *const[]){"1", "3", "8", "9"});
}

static void shares_are_whole_cores(void **state)
{
    (void)state;
    const elm_topology t = with_hyperthreads(4);
    assert_shares("0-7", &t, 2, (const char *const[]){"0-1,4-5", "2-3,6-7"});
    assert_shares("0-7", &t, 3, (const char *const[]){"0-1,4-5", "2,6", "3,7"});
    assert_shares("0-7", &t, 4, (const char *const[]){"0,4", "1,5", "2,6", "3,7"});
    /* fewer cores than ranks: hyperthreads one by one */
    assert_shares("0-7", &t, 5, (const char *const[]){"0,4", "1,5", "2,6", "3", "7"});
    assert_shares("0-3", &t, 2, (const char *const[]){"0-1", "2-3"});
}

static void shares_keep_to_sockets(void **state)
{
    (void)state;
    elm_topology t = plain();
    for (int cpu = 0; cpu < 8; cpu++)
        t.socket[cpu] = cpu % 2; /* numbered alternately */
    assert_shares("0-7", &t, 2, (const char *const[]){"0,2,4,6", "1,3,5,7"});
    assert_shares("0-7", &t, 4, (const char *const[]){"0,2", "4,6", "1,3", "5,7"});
}

static void more_sharers_than_cpus_share_all(void **state)
{
    (void)state;
    const elm_topology t = plain();
    const elm_cpus set = set_of("0-1");
    for (int i = 0; i < 3; i++) {
        const elm_cpus share = elm_cpus_share(&set, &t, 3, i);
        assert_set(&share, "0-1");
    }
}

/* A node: masks and ceilings as texts; what must come out. */
typedef struct node {
    const char *ceilings[RANKS_MAX], *own[RANKS_MAX];
    elm_cpus_plan plan;
    const char *shares[RANKS_MAX];
} node;

static void assert_node(const node *n, const elm_topology *t)
{
    elm_cpus own[RANKS_MAX] = {0}, ceilings[RANKS_MAX] = {0}, shares[RANKS_MAX];
    int ranks = 0;
    for (; n->own[ranks]; ranks++) {
        own[ranks] = set_of(n->own[ranks]);
        ceilings[ranks] = set_of(n->ceilings[ranks] ? n->ceilings[ranks] : n->ceilings[0]);
    }
    assert_int_equal(elm_cpus_divide(own, ceilings, ranks, t, shares), n->plan);
    for (int r = 0; r < ranks; r++)
        assert_set(&shares[r], n->shares[r]);
}

static void nodes_are_divided(void **state)
{
    (void)state;
    const elm_topology t = plain();
    const node nodes[] = {
        /* Open MPI's default for one rank, two, and, by socket, four. */
        {{"0-7"}, {"0"}, ELM_CPUS_DIVIDED, {"0-7"}},
        {{"0-7"}, {"0", "1"}, ELM_CPUS_DIVIDED, {"0-3", "4-7"}},
        {{"0-7"}, {"0-3", "0-3", "4-7", "4-7"}, ELM_CPUS_DIVIDED, {"0-1", "2-3", "4-5", "6-7"}},
        {{"0-7"}, {"0-3", "4-7", "0-3", "4-7"}, ELM_CPUS_DIVIDED, {"0-1", "4-5", "2-3", "6-7"}},
        /* Unbound. */
        {{"0-7"}, {"0-7"}, ELM_CPUS_KEPT, {"0-7"}},
        {{"0-7"}, {"0-7", "0-7"}, ELM_CPUS_DIVIDED, {"0-3", "4-7"}},
        {{"0-6"}, {"0-6", "0-6", "0-6"}, ELM_CPUS_DIVIDED, {"0-2", "3-4", "5-6"}},
        /* Fair already, in whatever order. */
        {{"0-7"}, {"4-7", "0-3"}, ELM_CPUS_KEPT, {"4-7", "0-3"}},
        {{"0-1"}, {"0", "1"}, ELM_CPUS_KEPT, {"0", "1"}},
        {{"0-6"}, {"0-2", "3-6"}, ELM_CPUS_KEPT, {"0-2", "3-6"}},
        /* Overlaps, and one rank that has too little. */
        {{"0-7"}, {"0-4", "4-7"}, ELM_CPUS_DIVIDED, {"0-3", "4-7"}},
        {{"0-7"}, {"0-6", "7"}, ELM_CPUS_DIVIDED, {"0-3", "4-7"}},
        /* taskset -c 2-3 mpirun: never beyond. */
        {{"2-3"}, {"2", "3"}, ELM_CPUS_KEPT, {"2", "3"}},
        {{"2-3"}, {"2"}, ELM_CPUS_DIVIDED, {"2-3"}},
        {{"2-3"}, {"0"}, ELM_CPUS_DIVIDED, {"2-3"}}, /* Open MPI 4.1 takes no notice of it */
        {{"1"}, {"0", "1"}, ELM_CPUS_CROWDED, {"0", "1"}},
        /* Slurm bound the tasks: their own masks are all there is. */
        {{"0", "1"}, {"0", "1"}, ELM_CPUS_KEPT, {"0", "1"}},
        {{"0-1", "4-7"}, {"0-1", "4-7"}, ELM_CPUS_KEPT, {"0-1", "4-7"}},
        /* More ranks than cores. */
        {{"0-1"}, {"0-1", "0-1", "0-1"}, ELM_CPUS_CROWDED, {"0-1", "0-1", "0-1"}},
        {{"0"}, {"0", "0"}, ELM_CPUS_CROWDED, {"0", "0"}},
    };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        assert_node(&nodes[i], &t);
    const elm_topology hyperthreads = with_hyperthreads(4);
    const node bound = {{"0-7"}, {"0,4", "1,5"}, ELM_CPUS_DIVIDED, {"0-1,4-5", "2-3,6-7"}};
    assert_node(&bound, &hyperthreads);
}

/* An answer stays the answer when it is asked again, so that a second start inside the first
 * changes nothing. */
static void dividing_again_changes_nothing(void **state)
{
    (void)state;
    const elm_topology t = with_hyperthreads(7);
    for (int cpus = 1; cpus <= 14; cpus++)
        for (int ranks = 1; ranks <= cpus; ranks++) {
            elm_cpus all = {0}, own[RANKS_MAX] = {0}, ceilings[RANKS_MAX] = {0}, shares[RANKS_MAX],
                     again[RANKS_MAX];
            for (int cpu = 0; cpu < cpus; cpu++)
                elm_cpus_add(&all, cpu);
            for (int r = 0; r < ranks; r++)
                own[r] = ceilings[r] = all;
            elm_cpus_divide(own, ceilings, ranks, &t, shares);
            elm_cpus_divide(shares, ceilings, ranks, &t, again);
            assert_memory_equal(again, shares, (size_t)ranks * sizeof *shares);
        }
}

static elm_cpus ceiling_of(elm_affinity_facts facts)
{
    facts.online = set_of("0-7");
    facts.online_cores = 8;
    return elm_affinity_ceiling(&facts);
}

static void ceilings_follow_the_launcher(void **state)
{
    (void)state;
    const elm_cpus all = set_of("0-7"), one = set_of("0"), half = set_of("0-3"),
                   two = set_of("2-3");
    elm_cpus c = ceiling_of(
        (elm_affinity_facts){.own = one, .cpuset = all, .launcher = all, .has_launcher = true});
    assert_set(&c, "0-7");
    c = ceiling_of((elm_affinity_facts){.own = one, .cpuset = all}); /* taskset -c 0 elmpi-train */
    assert_set(&c, "0");
    c = ceiling_of(
        /* taskset -c 2-3 mpirun */
        (elm_affinity_facts){
            .own = set_of("2"), .cpuset = all, .launcher = two, .has_launcher = true});
    assert_set(&c, "2-3");
    c = ceiling_of(
        /* in a cgroup of half the node */
        (elm_affinity_facts){.own = one, .cpuset = half, .launcher = all, .has_launcher = true});
    assert_set(&c, "0-3");
    /* which Open MPI ignores */
    c = ceiling_of(
        (elm_affinity_facts){.own = one, .cpuset = all, .launcher = two, .has_launcher = true});
    assert_set(&c, "2-3");
}

static void named_cpus_are_respected(void **state)
{
    (void)state;
    const elm_cpus all = set_of("0-7"), one = set_of("2");
    elm_affinity_facts facts = {
        .own = one, .cpuset = all, .launcher = all, .has_launcher = true, .has_chosen = true};
    facts.chosen = set_of("2-3"); /* mpirun --cpu-set 2-3 */
    elm_cpus c = ceiling_of(facts);
    assert_set(&c, "2-3");
    facts.chosen = set_of("1"); /* counted in another way */
    c = ceiling_of(facts);
    assert_set(&c, "2");
}

static void ceilings_respect_slurm(void **state)
{
    (void)state;
    const elm_cpus all = set_of("0-7"), one = set_of("0"), half = set_of("0-3");
    elm_affinity_facts srun = {.own = one,
                               .cpuset = all,
                               .launcher = all,
                               .has_launcher = true,
                               .launched_by_srun = true,
                               .slurm_cpus = 8};
    srun.cpu_bind = "mask_cpu:";
    elm_cpus c = ceiling_of(srun);
    assert_set(&c, "0");
    srun.cpu_bind = "none";
    c = ceiling_of(srun);
    assert_set(&c, "0-7");
    srun.slurm_cpus = 4; /* half a node, which nothing confines: whose half? */
    c = ceiling_of(srun);
    assert_set(&c, "0");
    srun.cpuset = half; /* confined by the cgroup */
    c = ceiling_of(srun);
    assert_set(&c, "0-3");
    srun.launcher = set_of("7"); /* slurmd's own core */
    c = ceiling_of(srun);
    assert_set(&c, "0");
    srun.launcher = all;
    /* mpirun in a job: what srun did to mpirun's daemons says nothing about ranks */
    srun.launched_by_srun = false;
    srun.cpu_bind = "mask_cpu:";
    c = ceiling_of(srun);
    assert_set(&c, "0-3");
}

/* The system's part: a process without a launcher stays where it is, and its threads move
 * together. */
static void this_process_moves(void **state)
{
    (void)state;
    elm_affinity mine;
    elm_affinity_read(&mine);
    cpu_set_t before, after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(elm_cpus_count(&mine.own), CPU_COUNT(&before));
    assert_true(elm_cpus_contains(&mine.ceiling, &mine.own));
    elm_topology topology;
    elm_affinity_topology(&topology);
    const elm_cpus first = elm_cpus_share(&mine.own, &topology, elm_cpus_count(&mine.own), 0);
    assert_int_equal(elm_affinity_set(&first), 0);
    elm_affinity_read(&mine);
    assert_true(elm_cpus_equal(&mine.own, &first));
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_int_equal(CPU_COUNT(&after), elm_cpus_count(&first));
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_and_comes),
        cmocka_unit_test(shares_are_fair),
        cmocka_unit_test(shares_are_whole_cores),
        cmocka_unit_test(shares_keep_to_sockets),
        cmocka_unit_test(more_sharers_than_cpus_share_all),
        cmocka_unit_test(nodes_are_divided),
        cmocka_unit_test(dividing_again_changes_nothing),
        cmocka_unit_test(ceilings_follow_the_launcher),
        cmocka_unit_test(named_cpus_are_respected),
        cmocka_unit_test(ceilings_respect_slurm),
        cmocka_unit_test(this_process_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
