#define _GNU_SOURCE /* gethostname */
#include "train/same_cpu.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu/cpu.h"
#include "base/hash.h"
#include "elmpi/memory.h"
#include "elmpi/net.h"

/* What a rank computes with. */
typedef struct kind {
    int32_t isa;
    uint64_t mathematics;
    /* what the libraries compute for; empty: the build has no oneDNN */
    char onednn[48], openblas[48];
    char host[64], cpu[ELM_CPU_NAME_SIZE]; /* for messages only */
} kind;

/* glibc has versions of its own for CPUs with FMA, and no variable that is easily set: their
 * bits tell. */
static uint64_t mathematics_bits(void)
{
    uint64_t hash = ELM_HASH_64;
    for (int i = 1; i <= 2000; i++) {
        const double x = i * 0.0137, values[] = {exp(-x), log(x), pow(x, 0.7), expm1(-x), log1p(x)};
        hash = elm_hash_64(hash, values, sizeof values);
    }
    return hash;
}

static kind kind_here(void)
{
    kind k = {.isa = (int32_t)elm_cpu_isa(), .mathematics = mathematics_bits()};
    elm_net_cpu_names(k.onednn, sizeof k.onednn, k.openblas, sizeof k.openblas);
    gethostname(k.host, sizeof k.host - 1);
    elm_cpu_name(k.cpu);
    return k;
}

static bool equal(const kind *a, const kind *b)
{
    return a->isa == b->isa && a->mathematics == b->mathematics &&
           strcmp(a->onednn, b->onednn) == 0 && strcmp(a->openblas, b->openblas) == 0;
}

static void append_kind(char *text, size_t size, const kind *kinds, int first, int count)
{
    const kind *k = &kinds[first];
    const size_t used = strlen(text);
    char more[32] = "";
    if (count > 1)
        snprintf(more, sizeof more, " and %d more", count - 1);
    snprintf(text + used, size - used,
             "%srank %d%s on %s (%s): kernels for %s%s%s, OpenBLAS for %s%s", used ? "; " : "",
             first, more, k->host, k->cpu, elm_isa_names[k->isa], *k->onednn ? ", oneDNN for " : "",
             k->onednn, k->openblas,
             k->mathematics != kinds[0].mathematics ? ", other results of exp and log" : "");
}

/* A library's names of CPUs, the higher ones first for each instruction set of ours, and the
 * name that asks it for that set. */
typedef struct level {
    const char *name;
    elm_isa isa;
} level;

static const level onednn_levels[] = {
    {"AVX512_CORE_AMX_FP16", ELM_ISA_AVX512_BF16},
    {"AVX512_CORE_AMX", ELM_ISA_AVX512_BF16},
    {"AVX512_CORE_FP16", ELM_ISA_AVX512_BF16},
    {"AVX512_CORE_BF16", ELM_ISA_AVX512_BF16},
    {"AVX512_CORE_VNNI", ELM_ISA_AVX512},
    {"AVX512_CORE", ELM_ISA_AVX512},
    {"AVX2_VNNI_2", ELM_ISA_AVX2},
    {"AVX2_VNNI", ELM_ISA_AVX2},
    {"AVX2", ELM_ISA_AVX2},
    {"SSE41", ELM_ISA_BASELINE}, /* and every name that is not here */
};
static const level openblas_levels[] = {
    {"SapphireRapids", ELM_ISA_AVX512_BF16},
    {"Cooperlake", ELM_ISA_AVX512_BF16},
    {"SkylakeX", ELM_ISA_AVX512},
    {"Zen", ELM_ISA_AVX2},
    {"Haswell", ELM_ISA_AVX2},
#ifdef __aarch64__
    {"ARMV8", ELM_ISA_BASELINE},
#else
    {"Nehalem", ELM_ISA_BASELINE},
#endif
};
enum {
    ONEDNN_LEVELS = sizeof onednn_levels / sizeof *onednn_levels,
    OPENBLAS_LEVELS = sizeof openblas_levels / sizeof *openblas_levels
};

static const char *onednn_of(const kind *k)
{
    return k->onednn;
}

static const char *openblas_of(const kind *k)
{
    return k->openblas;
}

static elm_isa isa_of(const level *levels, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(levels[i].name, name) == 0)
            return levels[i].isa;
    return ELM_ISA_BASELINE;
}

/* What all ranks' library can compute for: the name that they share, else the lowest for the
 * lowest instruction set among them. */
static const char *common_name(const level *levels, int count, const kind *kinds, int size,
                               const char *(*name_of)(const kind *))
{
    elm_isa lowest = isa_of(levels, count, name_of(&kinds[0]));
    bool same = true;
    for (int r = 1; r < size; r++) {
        const elm_isa isa = isa_of(levels, count, name_of(&kinds[r]));
        same = same && strcmp(name_of(&kinds[r]), name_of(&kinds[0])) == 0;
        lowest = isa < lowest ? isa : lowest;
    }
    const char *name = same ? name_of(&kinds[0]) : NULL;
    for (int i = 0; i < count && !same; i++)
        if (levels[i].isa == lowest)
            name = levels[i].name;
    return name;
}

/* Each of the three for itself: a library may have been set lower on some ranks than elmpi's
 * kernels. */
static void write_remedy(char *text, size_t size_bytes, const kind *kinds, int size)
{
    int lowest = kinds[0].isa;
    bool mathematics = true, onednn = true;
    for (int r = 0; r < size; r++) {
        lowest = kinds[r].isa < lowest ? kinds[r].isa : lowest;
        mathematics = mathematics && kinds[r].mathematics == kinds[0].mathematics;
        onednn = onednn && *kinds[r].onednn;
    }
    if (!mathematics) {
        snprintf(text, size_bytes,
                 "start on nodes of one kind (no setting of elmpi makes the C library's exp and "
                 "log equal)");
        return;
    }
    snprintf(text, size_bytes,
             "start on nodes of one kind, or set ELMPI_ISA=%s%s%s and OPENBLAS_CORETYPE=%s for all "
             "ranks",
             elm_isa_names[lowest], onednn ? ", ONEDNN_MAX_CPU_ISA=" : "",
             onednn ? common_name(onednn_levels, ONEDNN_LEVELS, kinds, size, onednn_of) : "",
             common_name(openblas_levels, OPENBLAS_LEVELS, kinds, size, openblas_of));
}

static int compare(const kind *kinds, int size, elm_error *err)
{
    enum { SHOWN = 3 };
    char text[700] = "", remedy[256];
    int shown = 0;
    for (int r = 0; r < size; r++) {
        int same = 0, first = r;
        for (int s = size - 1; s >= 0; s--)
            if (equal(&kinds[r], &kinds[s]))
                same++, first = s;
        if (first == r && ++shown <= SHOWN)
            append_kind(text, sizeof text, kinds, r, same);
    }
    if (shown < 2)
        return 0;
    write_remedy(remedy, sizeof remedy, kinds, size);
    return elm_error_set(err, ELM_EXIT_USAGE, "ranks compute for %d kinds of CPU (%s%s): %s", shown,
                         text, shown > SHOWN ? "; ..." : "", remedy);
}

int elm_cpu_same_all(elm_comm *comm, elm_error *err)
{
    if (elm_comm_agree_all(comm, elm_cpu_choose(err), err))
        return -1;
    const kind mine = kind_here();
    void *kinds = NULL;
    if (elm_comm_gather_bytes_all(comm, &mine, sizeof mine, &kinds, NULL, err))
        return -1;
    const int status =
        elm_comm_agree_all(comm, kinds ? compare(kinds, elm_comm_size(comm), err) : 0, err);
    elm_free(kinds);
    return status;
}
