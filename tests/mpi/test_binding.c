/* Binding: after it the ranks of a host have cores of their own where there are enough, together
 * all that they may use; twice is once. */
#include <omp.h>
#include <stdlib.h>

#include "base/cpu/affinity.h"
#include "comm/binding.h"
#include "ranks.h"

static elm_cpus masks[16];

static void gather_masks(elm_cpus *all)
{
    elm_affinity mine;
    elm_error err = {0};
    void *gathered = NULL;
    elm_affinity_read(&mine);
    check(!elm_comm_gather_bytes_all(comm, &mine.own, sizeof mine.own, &gathered, NULL, &err));
    if (gathered)
        memcpy(all, gathered, (size_t)elm_comm_size(comm) * sizeof *all);
    elm_free(gathered);
    elm_comm_broadcast_all(comm, all, (size_t)elm_comm_size(comm) * sizeof *all);
}

static void the_host_is_divided(void)
{
    const int size = elm_comm_size(comm);
    char text[ELM_BINDING_TEXT];
    elm_affinity before;
    elm_affinity_read(&before);
    elm_binding_apply_all(comm, ELM_BINDING_AUTO, 0, text);
    check(!strncmp(text, "cores ", 6));
    gather_masks(masks);
    if (size > elm_cpus_count(&before.ceiling)) {
        check(elm_cpus_equal(&masks[elm_comm_rank(comm)], &before.own));
        return;
    }
    elm_cpus together = {0};
    int count = 0;
    for (int r = 0; r < size; r++) {
        together = elm_cpus_union(&together, &masks[r]);
        count += elm_cpus_count(&masks[r]);
    }
    check(elm_cpus_equal(&together, &before.ceiling));
    check(count == elm_cpus_count(&together)); /* disjoint */
    check(elm_comm_core_sharers(comm) == 1);
    check(omp_get_max_threads() == elm_cpus_count(&masks[elm_comm_rank(comm)]));
}

static void twice_is_once(void)
{
    char text[ELM_BINDING_TEXT];
    elm_cpus again[16];
    elm_binding_apply_all(comm, ELM_BINDING_AUTO, 0, text);
    gather_masks(again);
    check(!memcmp(again, masks, (size_t)elm_comm_size(comm) * sizeof *masks));
}

static void the_launchers_masks_stay(void)
{
    char text[ELM_BINDING_TEXT];
    elm_cpus again[16];
    elm_binding_apply_all(comm, ELM_BINDING_LAUNCHER, 3, text);
    check(strstr(text, "launcher bound") != NULL);
    check(omp_get_max_threads() == 3);
    gather_masks(again);
    check(!memcmp(again, masks, (size_t)elm_comm_size(comm) * sizeof *masks));
}

static void all_tests(void)
{
    unsetenv("OMP_NUM_THREADS");
    the_host_is_divided();
    twice_is_once();
    the_launchers_masks_stay();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "binding", all_tests);
}
