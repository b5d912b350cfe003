/* This file is compiled for plain x86-64, whatever the build is compiled for: it finds out what
 * may run. */
#define _GNU_SOURCE /* program_invocation_short_name */
#include "base/cpu/cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu/cpu_features.h"

const char *const elm_isa_names[ELM_ISAS] = {"baseline", "avx2", "avx512", "avx512-bf16"};

#ifdef __x86_64__
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };

/* Registers that the operating system must save, as bits of XCR0. */
enum { NOTHING = 0, YMM = 0x6, ZMM = 0xe6, TILES = 0x60000 };

typedef struct feature {
    const char *name;
    unsigned leaf, sub;
    int reg, bit;
    unsigned state;
} feature;

static const feature features[] = {
#define FEATURE(identifier, name, leaf, sub, reg, bit, state, macro)                               \
    {name, leaf, sub, reg, bit, state},
    ELM_CPU_FEATURES(FEATURE)
#undef FEATURE
};

/* What each set of kernels was compiled for. */
static const uint64_t isa_needs[ELM_ISAS] = {
    [ELM_ISA_AVX2] = ELM_CPU_BIT(AVX) | ELM_CPU_BIT(AVX2) | ELM_CPU_BIT(FMA) | ELM_CPU_BIT(F16C) |
                     ELM_CPU_BIT(MOVBE) | ELM_CPU_BIT(LZCNT) | ELM_CPU_BIT(BMI1) |
                     ELM_CPU_BIT(BMI2),
    [ELM_ISA_AVX512] = ELM_CPU_BIT(AVX512F) | ELM_CPU_BIT(AVX512BW) | ELM_CPU_BIT(AVX512CD) |
                       ELM_CPU_BIT(AVX512DQ) | ELM_CPU_BIT(AVX512VL),
    [ELM_ISA_AVX512_BF16] = ELM_CPU_BIT(AVX512_BF16),
};

static unsigned saved_state(void)
{
    unsigned reg[4], low, high;
    if (!__get_cpuid(1, &reg[EAX], &reg[EBX], &reg[ECX], &reg[EDX]) || !(reg[ECX] & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static uint64_t find_features(void)
{
    const unsigned saved = saved_state();
    uint64_t found = 0;
    for (int i = 0; i < ELM_CPU_FEATURE_COUNT; i++) {
        const feature *f = &features[i];
        unsigned reg[4];
        if (__get_cpuid_count(f->leaf, f->sub, &reg[EAX], &reg[EBX], &reg[ECX], &reg[EDX]) &&
            reg[f->reg] >> f->bit & 1 && (saved & f->state) == f->state)
            found |= UINT64_C(1) << i;
    }
    return found;
}

elm_isa elm_cpu_best(void)
{
    const uint64_t found = find_features();
    int best = ELM_ISA_BASELINE;
    while (best + 1 < ELM_ISAS && !(isa_needs[best + 1] & ~found))
        best++;
    return (elm_isa)best;
}

bool elm_cpu_has_amx_bf16(void)
{
    const uint64_t wanted = ELM_CPU_BIT(AMX_TILE) | ELM_CPU_BIT(AMX_BF16);
    return (find_features() & wanted) == wanted;
}

const char *elm_cpu_name(char text[ELM_CPU_NAME_SIZE])
{
    unsigned brand[13] = {0}; /* 48 bytes and an end */
    for (unsigned part = 0; part < 3; part++)
        __get_cpuid(0x80000002 + part, &brand[4 * part], &brand[4 * part + 1], &brand[4 * part + 2],
                    &brand[4 * part + 3]);
    const char *name = (const char *)brand;
    name += strspn(name, " ");
    snprintf(text, ELM_CPU_NAME_SIZE, "%s", *name ? name : "unknown x86-64 CPU");
    for (size_t end = strlen(text); end > 0 && text[end - 1] == ' '; end--)
        text[end - 1] = 0;
    return text;
}

/* Before main and whatever else was compiled for more than this CPU has: a message where SIGILL
 * would follow. */
__attribute__((constructor(101))) static void refuse_old_cpu(void)
{
    const uint64_t missing = elm_cpu_needs & ~find_features();
    char name[ELM_CPU_NAME_SIZE], list[512] = "";
    if (!missing)
        return;
    for (int i = 0; i < ELM_CPU_FEATURE_COUNT; i++)
        if (missing >> i & 1)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "",
                     features[i].name);
    fprintf(stderr,
            "%s: error: this CPU lacks %s, which this build of elmpi uses (%s): start it on a "
            "newer CPU, or build elmpi on this one with "
            "-DELMPI_MARCH=native\n",
            program_invocation_short_name, list, elm_cpu_name(name));
    _exit(ELM_EXIT_FAILURE);
}
#else
elm_isa elm_cpu_best(void)
{
    return ELM_ISA_BASELINE;
}

bool elm_cpu_has_amx_bf16(void)
{
    return false;
}

/* Arm's processors have numbers, which the kernel shows, and no names. */
const char *elm_cpu_name(char text[ELM_CPU_NAME_SIZE])
{
    char line[256], implementer[16] = "?", part[16] = "?";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "CPU implementer : %15s", implementer);
        sscanf(line, "CPU part : %15s", part);
    }
    if (file)
        fclose(file);
    snprintf(text, ELM_CPU_NAME_SIZE, "CPU of implementer %s, part %s", implementer, part);
    return text;
}
#endif

/* What ELMPI_ISA asks for; without it the best. */
static int asked_isa(elm_isa *isa, elm_error *err)
{
    const char *asked = getenv("ELMPI_ISA");
    const elm_isa best = elm_cpu_best();
    char name[ELM_CPU_NAME_SIZE];
    *isa = best;
    if (!asked || !*asked)
        return 0;
    int i = 0;
    while (i < ELM_ISAS && strcmp(asked, elm_isa_names[i]) != 0)
        i++;
    if (i == ELM_ISAS)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "unknown instruction set \"%.32s\" (ELMPI_ISA): use baseline, avx2, "
                             "avx512 or avx512-bf16",
                             asked);
    if (i > (int)best)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "this CPU has no %s, its best is %s (ELMPI_ISA; %s): use %s or a "
                             "lower one, or unset it",
                             asked, elm_isa_names[best], elm_cpu_name(name), elm_isa_names[best]);
    *isa = (elm_isa)i;
    return 0;
}

/* The same in every call: the environment is read once, so that kernels of one process never
 * mix. */
static int chosen = -1;

int elm_cpu_choose(elm_error *err)
{
    elm_isa isa;
    if (chosen >= 0)
        return 0;
    if (asked_isa(&isa, err))
        return -1;
    chosen = isa;
    return 0;
}

elm_isa elm_cpu_isa(void)
{
    elm_error err = {0};
    if (chosen < 0 && elm_cpu_choose(&err)) {
        fprintf(stderr, "elmpi: error: %s\n", err.text);
        exit(err.code);
    }
    return (elm_isa)chosen;
}
