/* What the ranks agree on before there is a network: backend, layout and precision. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/run.h"

/* The slowest rank's figures; a candidate that any rank cannot compute is dropped. */
static void agree_all(elm_comm *comm, elm_candidate *list, int count)
{
    double figures[2 * ELM_CANDIDATES_MAX];
    for (int c = 0; c < count; c++) {
        figures[2 * c] = list[c].seconds;
        figures[2 * c + 1] = list[c].cut;
    }
    elm_comm_max_all(comm, figures, 2 * (int64_t)count);
    for (int c = 0; c < count; c++) {
        list[c].seconds = figures[2 * c];
        list[c].cut = figures[2 * c + 1] > 0;
    }
}

static int possible(const elm_candidate *list, int count)
{
    int can = 0;
    for (int c = 0; c < count; c++)
        can += isfinite(list[c].seconds) != 0;
    return can;
}

/* Rank 0's cache, or a measurement on all ranks: never some of each. */
static int find_figures_all(elm_comm *comm, const elm_net_spec *spec, const elm_log *log,
                            elm_candidate *list, int count, bool *cached, elm_error *err)
{
    char key[4096] = "", note[ELM_TEXT_SIZE + 600] = "";
    const bool first = elm_comm_rank(comm) == 0;
    elm_choice_key(spec, key, sizeof key);
    *cached = first && elm_choice_cache_read(key, list, count, note, sizeof note);
    if (*note)
        elm_log_info(log, "The cache of speed measurements is not used: %s.", note);
    elm_comm_broadcast_all(comm, cached, sizeof *cached);
    if (*cached) {
        double seconds[ELM_CANDIDATES_MAX];
        bool cut[ELM_CANDIDATES_MAX];
        for (int c = 0; c < count; c++) {
            seconds[c] = list[c].seconds;
            cut[c] = list[c].cut;
        }
        elm_comm_broadcast_all(comm, seconds, sizeof seconds);
        elm_comm_broadcast_all(comm, cut, sizeof cut);
        for (int c = 0; c < count; c++) {
            list[c].seconds = seconds[c];
            list[c].cut = cut[c];
        }
        return 0;
    }
    elm_comm_barrier_all(comm);
    if (elm_comm_agree_all(comm, elm_choice_measure(list, count, spec, err), err))
        return -1;
    agree_all(comm, list, count);
    bool whole = list[0].seconds > 0;
    for (int c = 0; c < count; c++)
        whole &= !list[c].cut || isfinite(list[c].seconds);
    if (first && whole)
        elm_choice_cache_write(key, list, count, note, sizeof note);
    if (*note)
        elm_log_info(log, "The cache of speed measurements is not used: %s.", note);
    return 0;
}

/* ELMPI_MEASURE=off on rank 0: the first in the order of preference, whatever the speed. */
static bool measures_all(elm_comm *comm)
{
    const char *said = getenv("ELMPI_MEASURE");
    bool measures = !said || strcmp(said, "off") != 0;
    elm_comm_broadcast_all(comm, &measures, sizeof measures);
    return measures;
}

/* One line: what computes, and images/s of all ranks together for everything that was measured. */
static void say(const elm_log *log, const elm_candidate *list, int count, int chosen, int ranks,
                bool cached)
{
    char text[ELM_CANDIDATES_MAX * (ELM_CANDIDATE_TEXT_SIZE + 32)] = "",
                                                              name[ELM_CANDIDATE_TEXT_SIZE];
    size_t used = 0;
    for (int c = 0; c < count; c++)
        if (isfinite(list[c].seconds) && list[c].seconds > 0) {
            const double rate = ranks / list[c].seconds;
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s%.*f",
                                     used ? ", " : "", elm_choice_text(&list[c], name),
                                     list[c].cut ? "under " : "", rate < 100 ? 1 : 0, rate);
        }
    elm_choice_text(&list[chosen], name);
    if (used)
        elm_log_info(log, "Computing with %s; layers alone, %s, in images/s: %s.", name,
                     cached ? "as measured before" : "measured now", text);
    else
        elm_log_info(log, "Computing with %s.", name);
}

/* Only where all ranks have it: a step takes as long as the slowest rank's. */
bool elm_run_has_bf16_all(elm_comm *comm)
{
    elm_precision mine = ELM_PRECISION_FP32;
    elm_net_resolve_precision(ELM_PRECISION_AUTO, "auto", &mine, NULL);
    double lacks = mine != ELM_PRECISION_BF16;
    elm_comm_max_all(comm, &lacks, 1);
    return !(lacks > 0);
}

int elm_run_choose_all(elm_comm *comm, const elm_choice_request *request, const elm_net_spec *spec,
                       const elm_log *log, elm_candidate *chosen, elm_error *err)
{
    elm_candidate list[ELM_CANDIDATES_MAX];
    int count = 0;
    bool cached = false;
    if (elm_comm_agree_all(comm, elm_choice_list(request, list, &count, err), err))
        return -1;
    agree_all(comm, list, count);
    const int can = possible(list, count);
    if (!can)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the CPUs of some ranks do not multiply bf16 in hardware "
                             "(run.precision = bf16 needs AVX512-BF16 or AMX): use "
                             "run.precision = fp32 or auto, or other nodes");
    const bool measures = can > 1 && measures_all(comm);
    if (measures && find_figures_all(comm, spec, log, list, count, &cached, err))
        return -1;
    const int place = elm_choice_pick(list, count);
    *chosen = list[place];
    if (measures)
        say(log, list, count, place, elm_comm_size(comm), cached);
    return 0;
}
