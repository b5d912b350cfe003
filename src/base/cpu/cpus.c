#include "base/cpu/cpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = ELM_CPUS_MAX / 64 };

void elm_cpus_add(elm_cpus *set, int cpu)
{
    if (cpu >= 0 && cpu < ELM_CPUS_MAX)
        set->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

bool elm_cpus_has(const elm_cpus *set, int cpu)
{
    return cpu >= 0 && cpu < ELM_CPUS_MAX && (set->bits[cpu / 64] >> cpu % 64 & 1);
}

int elm_cpus_count(const elm_cpus *set)
{
    int count = 0;
    for (int i = 0; i < WORDS; i++)
        count += __builtin_popcountll(set->bits[i]);
    return count;
}

bool elm_cpus_equal(const elm_cpus *a, const elm_cpus *b)
{
    return !memcmp(a->bits, b->bits, sizeof a->bits);
}

bool elm_cpus_contains(const elm_cpus *set, const elm_cpus *part)
{
    const elm_cpus both = elm_cpus_intersection(set, part);
    return elm_cpus_equal(&both, part);
}

elm_cpus elm_cpus_intersection(const elm_cpus *a, const elm_cpus *b)
{
    elm_cpus both;
    for (int i = 0; i < WORDS; i++)
        both.bits[i] = a->bits[i] & b->bits[i];
    return both;
}

elm_cpus elm_cpus_union(const elm_cpus *a, const elm_cpus *b)
{
    elm_cpus all;
    for (int i = 0; i < WORDS; i++)
        all.bits[i] = a->bits[i] | b->bits[i];
    return all;
}

bool elm_cpus_parse(elm_cpus *set, const char *text)
{
    *set = (elm_cpus){0};
    for (const char *at = text; *at && *at != '\n'; at += *at == ',') {
        char *end;
        const long first = strtol(at, &end, 10);
        long last = first;
        if (end == at || first < 0)
            return false;
        if (*end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
            if (end == at || last < first)
                return false;
        }
        if (last >= ELM_CPUS_MAX || (*end && *end != ',' && *end != '\n'))
            return false;
        for (long cpu = first; cpu <= last; cpu++)
            elm_cpus_add(set, (int)cpu);
        at = end;
    }
    return true;
}

void elm_cpus_print(const elm_cpus *set, char *text, size_t size_bytes)
{
    size_t used = 0;
    snprintf(text, size_bytes, "none");
    for (int cpu = 0; cpu < ELM_CPUS_MAX; cpu++) {
        char range[32];
        if (!elm_cpus_has(set, cpu))
            continue;
        const int first = cpu;
        while (elm_cpus_has(set, cpu + 1))
            cpu++;
        if (first == cpu)
            snprintf(range, sizeof range, "%s%d", used ? "," : "", first);
        else
            snprintf(range, sizeof range, "%s%d-%d", used ? "," : "", first, cpu);
        if (used + strlen(range) + sizeof ",..." > size_bytes) {
            snprintf(text + used, size_bytes - used, ",...");
            return;
        }
        used += (size_t)snprintf(text + used, size_bytes - used, "%s", range);
    }
}

/* The CPUs of a set in the order in which they are dealt out: sockets, in them cores, in them
 * hyperthreads. */
typedef struct ordered {
    int cpu[ELM_CPUS_MAX], count, cores;
} ordered;

static bool comes_before(const elm_topology *t, int a, int b)
{
    if (t->socket[a] != t->socket[b])
        return t->socket[a] < t->socket[b];
    return t->core[a] != t->core[b] ? t->core[a] < t->core[b] : a < b;
}

static void put_in_order(const elm_cpus *set, const elm_topology *t, ordered *o)
{
    *o = (ordered){.count = 0};
    for (int cpu = 0; cpu < ELM_CPUS_MAX; cpu++) {
        if (!elm_cpus_has(set, cpu))
            continue;
        int at = o->count++;
        for (; at > 0 && comes_before(t, cpu, o->cpu[at - 1]); at--)
            o->cpu[at] = o->cpu[at - 1];
        o->cpu[at] = cpu;
    }
    for (int i = 0; i < o->count; i++)
        o->cores += i == 0 || t->core[o->cpu[i]] != t->core[o->cpu[i - 1]] ||
                    t->socket[o->cpu[i]] != t->socket[o->cpu[i - 1]];
}

elm_cpus elm_cpus_share(const elm_cpus *set, const elm_topology *topology, int sharers, int place)
{
    elm_cpus share = {0};
    ordered o;
    put_in_order(set, topology, &o);
    if (sharers > o.count)
        return *set;
    const bool by_core = o.cores >= sharers;
    const int units = by_core ? o.cores : o.count, more = units % sharers;
    const int first = place * (units / sharers) + (place < more ? place : more),
              end = first + units / sharers + (place < more);
    int unit = -1;
    for (int i = 0; i < o.count; i++) {
        const bool begins = i == 0 || !by_core ||
                            topology->core[o.cpu[i]] != topology->core[o.cpu[i - 1]] ||
                            topology->socket[o.cpu[i]] != topology->socket[o.cpu[i - 1]];
        unit += begins;
        if (unit >= first && unit < end)
            elm_cpus_add(&share, o.cpu[i]);
    }
    return share;
}

/* How a rank's mask stands to those of the others. */
typedef struct relation {
    int equals, place; /* ranks with the same mask, this one among them; those before it */
    bool overlaps;     /* with another mask */
} relation;

static relation relation_of(const elm_cpus *own, int ranks, int rank)
{
    relation found = {0};
    for (int r = 0; r < ranks; r++) {
        const elm_cpus both = elm_cpus_intersection(&own[r], &own[rank]);
        if (elm_cpus_equal(&own[r], &own[rank])) {
            found.equals++;
            found.place += r < rank;
        } else if (elm_cpus_count(&both) > 0) {
            found.overlaps = true;
        }
    }
    return found;
}

/* Whether every rank has a fair share already, alone or as one of those that have the same mask. */
static bool is_fair(const elm_cpus *own, const elm_cpus *ceilings, int ranks, int fair)
{
    for (int r = 0; r < ranks; r++) {
        const relation to = relation_of(own, ranks, r);
        if (to.overlaps || !elm_cpus_contains(&ceilings[r], &own[r]) ||
            elm_cpus_count(&own[r]) < fair * to.equals)
            return false;
    }
    return true;
}

elm_cpus_plan elm_cpus_divide(const elm_cpus *own, const elm_cpus *ceilings, int ranks,
                              const elm_topology *topology, elm_cpus *shares)
{
    elm_cpus pool = {0};
    bool kept = true, inside = true;
    for (int r = 0; r < ranks; r++)
        pool = elm_cpus_union(&pool, &ceilings[r]);
    memcpy(shares, own, (size_t)ranks * sizeof *shares);
    if (ranks > elm_cpus_count(&pool))
        return ELM_CPUS_CROWDED;
    const bool fair = is_fair(own, ceilings, ranks, elm_cpus_count(&pool) / ranks);
    for (int r = 0; r < ranks; r++) {
        const relation to = relation_of(own, ranks, r);
        shares[r] = fair ? elm_cpus_share(&own[r], topology, to.equals, to.place)
                         : elm_cpus_share(&pool, topology, ranks, r);
        inside &= elm_cpus_contains(&ceilings[r], &shares[r]);
        kept &= elm_cpus_equal(&own[r], &shares[r]);
    }
    if (!inside) /* ranks that may use different CPUs: none must get another's */
        memcpy(shares, own, (size_t)ranks * sizeof *shares);
    return kept || !inside ? ELM_CPUS_KEPT : ELM_CPUS_DIVIDED;
}
