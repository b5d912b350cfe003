#define _GNU_SOURCE /* gethostname */
#include "elmpi/same_cpu.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/cpu.h"
#include "elmpi/memory.h"
#include "elmpi/net.h"

/* What a rank computes with. */
typedef struct kind {
    int32_t isa;
    uint64_t mathematics;
    char libraries[96];
    char host[64], cpu[ELM_CPU_NAME_SIZE]; /* for messages only */
} kind;

/* glibc has versions of its own for CPUs with FMA, and no variable that is easily set: their bits tell. */
static uint64_t mathematics_bits(void)
{
    uint64_t hash = 0;
    for (int i = 1; i <= 2000; i++) {
        const double x = i * 0.0137, values[] = {exp(-x), log(x), pow(x, 0.7), expm1(-x), log1p(x)};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            uint64_t bits;
            memcpy(&bits, &values[k], sizeof bits);
            hash = (hash ^ bits) * UINT64_C(0x100000001b3);
        }
    }
    return hash;
}

static kind kind_here(void)
{
    kind k = {.isa = (int32_t)elm_cpu_isa(), .mathematics = mathematics_bits()};
    elm_net_cpu(k.libraries, sizeof k.libraries);
    gethostname(k.host, sizeof k.host - 1);
    elm_cpu_name(k.cpu);
    return k;
}

static bool equal(const kind *a, const kind *b)
{
    return a->isa == b->isa && a->mathematics == b->mathematics && strcmp(a->libraries, b->libraries) == 0;
}

static void append_kind(char *text, size_t size, const kind *kinds, int first, int count)
{
    const kind *k = &kinds[first];
    const size_t used = strlen(text);
    char more[32] = "";
    if (count > 1)
        snprintf(more, sizeof more, " and %d more", count - 1);
    snprintf(text + used, size - used, "%srank %d%s on %s (%s): kernels for %s, %s%s", used ? "; " : "", first, more, k->host, k->cpu,
             elm_isa_names[k->isa], k->libraries, k->mathematics != kinds[0].mathematics ? ", other results of exp and log" : "");
}

/* What asks oneDNN and OpenBLAS for an instruction set of ours. */
static const struct {
    const char *onednn, *openblas;
} names_for[ELM_ISAS] = {
    [ELM_ISA_BASELINE] = {"SSE41", "Nehalem"},
    [ELM_ISA_AVX2] = {"AVX2", "Haswell"},
    [ELM_ISA_AVX512] = {"AVX512_CORE", "SkylakeX"},
    [ELM_ISA_AVX512_BF16] = {"AVX512_CORE_BF16", "Cooperlake"},
};

static int compare(const kind *kinds, int size, elm_error *err)
{
    enum { SHOWN = 3 };
    char text[700] = "";
    int shown = 0, lowest = kinds[0].isa;
    for (int r = 0; r < size; r++) {
        int same = 0, first = r;
        for (int s = size - 1; s >= 0; s--)
            if (equal(&kinds[r], &kinds[s]))
                same++, first = s;
        lowest = kinds[r].isa < lowest ? kinds[r].isa : lowest;
        if (first == r && ++shown <= SHOWN)
            append_kind(text, sizeof text, kinds, r, same);
    }
    if (shown < 2)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "ranks compute for %d kinds of CPU (%s%s): start on nodes of one kind, or set ELMPI_ISA=%s, "
                         "ONEDNN_MAX_CPU_ISA=%s and OPENBLAS_CORETYPE=%s for all ranks",
                         shown, text, shown > SHOWN ? "; ..." : "", elm_isa_names[lowest], names_for[lowest].onednn,
                         names_for[lowest].openblas);
}

int elm_cpu_same_all(elm_comm *comm, elm_error *err)
{
    if (elm_comm_agree_all(comm, elm_cpu_choose(err), err))
        return -1;
    const kind mine = kind_here();
    void *kinds = NULL;
    if (elm_comm_gather_bytes_all(comm, &mine, sizeof mine, &kinds, NULL, err))
        return -1;
    const int status = elm_comm_agree_all(comm, kinds ? compare(kinds, elm_comm_size(comm), err) : 0, err);
    elm_free(kinds);
    return status;
}
