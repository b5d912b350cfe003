/* The loops are written in assembler: how many registers there are, and that nothing is stored
 * in between, is what they are about, and no compiler's option may change it. A unit takes a new
 * multiply-add each cycle and gives the result 4 to 6 cycles later, and there are two units
 * (four on large Arm cores), so twelve chains that do not wait for each other keep them busy;
 * two more registers hold the operands. Factors near 1 and small terms keep the numbers finite
 * and away from denormals. */
#include "base/cpu/peak_loops.h"

#include <stddef.h>
#include <stdint.h>

#include "base/cpu/cpu.h"

#define FIRST_HALF(STEP) STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5)
#define SECOND_HALF(STEP) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11)
#define CHAINS(STEP) FIRST_HALF(STEP) SECOND_HALF(STEP)
enum { CHAIN_COUNT = 12 };

#if defined __x86_64__
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Prepares registers from two words in memory, then repeats the body. */
#define LOOP(rounds, factor, term, prepare, body, end)                                             \
    __asm__ volatile(prepare "1:\n" body "dec %[count]\n jnz 1b\n" end                             \
                     : [count] "+r"(rounds)                                                        \
                     : [f] "m"(factor), [t] "m"(term)                                              \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",       \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

static const float factor = 0.999999F, term = 1e-6F;
static const uint32_t two_ones = 0x3f803f80, two_small = 0x34003400; /* pairs of bf16: 1, 2^-23 */

/* Units that do not fuse: products in some chains and sums in others. */
#define SSE_START(c) "movaps %%xmm14, %%xmm" #c "\n"
#define SSE_PRODUCT(c) "mulps %%xmm14, %%xmm" #c "\n"
#define SSE_SUM(c) "addps %%xmm15, %%xmm" #c "\n"

static void run_sse(long rounds)
{
    LOOP(rounds, factor, term,
         "movss %[f], %%xmm14\n shufps $0, %%xmm14, %%xmm14\n movss %[t], %%xmm15\n shufps $0, "
         "%%xmm15, %%xmm15\n" CHAINS(SSE_START),
         FIRST_HALF(SSE_PRODUCT) SECOND_HALF(SSE_SUM), "");
}

#define YMM_START(c) "vmovaps %%ymm14, %%ymm" #c "\n"
#define YMM_STEP(c) "vfmadd213ps %%ymm15, %%ymm14, %%ymm" #c "\n"

static void run_avx2(long rounds)
{
    LOOP(rounds, factor, term,
         "vbroadcastss %[f], %%ymm14\n vbroadcastss %[t], %%ymm15\n" CHAINS(YMM_START),
         CHAINS(YMM_STEP), "vzeroupper\n");
}

#define ZMM_START(c) "vmovaps %%zmm14, %%zmm" #c "\n"
#define ZMM_STEP(c) "vfmadd213ps %%zmm15, %%zmm14, %%zmm" #c "\n"
#define ZMM_PAIR_STEP(c) "vdpbf16ps %%zmm15, %%zmm14, %%zmm" #c "\n"

static void run_avx512(long rounds)
{
    LOOP(rounds, factor, term,
         "vbroadcastss %[f], %%zmm14\n vbroadcastss %[t], %%zmm15\n" CHAINS(ZMM_START),
         CHAINS(ZMM_STEP), "vzeroupper\n");
}

static void run_avx512_bf16(long rounds)
{
    LOOP(rounds, two_ones, two_small,
         "vbroadcastss %[f], %%zmm14\n vbroadcastss %[t], %%zmm15\n" CHAINS(ZMM_START),
         CHAINS(ZMM_PAIR_STEP), "vzeroupper\n");
}

static bool has_sse(void)
{
    return true;
}

static bool has_avx2(void)
{
    return elm_cpu_best() >= ELM_ISA_AVX2;
}

static bool has_avx512(void)
{
    return elm_cpu_best() >= ELM_ISA_AVX512;
}

static bool has_avx512_bf16(void)
{
    return elm_cpu_best() >= ELM_ISA_AVX512_BF16;
}

#if defined __has_include
#if __has_include(<amxbf16intrin.h>)
#define HAVE_AMX
#endif
#endif

#ifdef HAVE_AMX
enum { TILE_ROWS = 16, TILE_ROW_BYTES = 64, TILE_PAIRS = TILE_ROW_BYTES / 4 };

/* Linux gives the tiles' 8 KiB of state to processes that ask for it. */
static bool has_amx(void)
{
    /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA: asm/prctl.h of Linux 5.16 */
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return elm_cpu_has_amx_bf16() && !syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA);
}

/* Six tiles of sums, one instruction each 16 cycles with a latency of 52. */
__attribute__((target("amx-tile,amx-bf16"))) static void run_amx(long rounds)
{
    struct {
        unsigned char palette, start_row, reserved[14];
        unsigned short row_bytes[16];
        unsigned char rows[16];
    } tiles = {.palette = 1};
    _Static_assert(sizeof tiles == 64, "LDTILECFG reads 64 bytes");
    unsigned short numbers[TILE_ROWS][TILE_ROW_BYTES / 2];
    for (int t = 0; t < 8; t++) {
        tiles.row_bytes[t] = TILE_ROW_BYTES;
        tiles.rows[t] = TILE_ROWS;
    }
    for (int r = 0; r < TILE_ROWS; r++)
        for (int k = 0; k < TILE_ROW_BYTES / 2; k++)
            numbers[r][k] = 0x3400; /* 2^-23 */
    _tile_loadconfig(&tiles);
    _tile_loadd(6, numbers, TILE_ROW_BYTES);
    _tile_loadd(7, numbers, TILE_ROW_BYTES);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    for (; rounds > 0; rounds--) {
        _tile_dpbf16ps(0, 6, 7);
        _tile_dpbf16ps(1, 6, 7);
        _tile_dpbf16ps(2, 6, 7);
        _tile_dpbf16ps(3, 6, 7);
        _tile_dpbf16ps(4, 6, 7);
        _tile_dpbf16ps(5, 6, 7);
    }
    _tile_release();
}
#endif

const elm_peak_loop elm_peak_loops[] = {
    {"SSE", false, has_sse, run_sse, CHAIN_COUNT * 4},
    {"AVX2", false, has_avx2, run_avx2, 2.0 * CHAIN_COUNT * 8},
    {"AVX-512", false, has_avx512, run_avx512, 2.0 * CHAIN_COUNT * 16},
    {"AVX512-BF16", true, has_avx512_bf16, run_avx512_bf16, 2.0 * CHAIN_COUNT * 16 * 2},
#ifdef HAVE_AMX
    {"AMX-BF16", true, has_amx, run_amx, 2.0 * 6 * TILE_ROWS *TILE_PAIRS * 32},
#endif
    {0},
};
#elif defined __aarch64__
#define MORE(STEP) STEP(12) STEP(13) STEP(14) STEP(15)
#define NEON_START(c) "dup v" #c ".4s, v30.s[0]\n"
#define NEON_STEP(c) "fmla v" #c ".4s, v30.4s, v31.4s\n"
enum { NEON_CHAINS = CHAIN_COUNT + 4 }; /* large cores have four units */

static void run_neon(long rounds)
{
    const float factor = 0.999999F, term = 1e-6F;
    __asm__ volatile("ld1r {v30.4s}, [%[f]]\n ld1r {v31.4s}, [%[t]]\n" CHAINS(NEON_START)
                         MORE(NEON_START) "1:\n" CHAINS(NEON_STEP)
                             MORE(NEON_STEP) "subs %[count], %[count], #1\n b.ne 1b\n"
                     : [count] "+r"(rounds)
                     : [f] "r"(&factor), [t] "r"(&term)
                     : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9",
                       "v10", "v11", "v12", "v13", "v14", "v15", "v30", "v31");
}

static bool has_neon(void)
{
    return true;
}

const elm_peak_loop elm_peak_loops[] = {
    {"NEON", false, has_neon, run_neon, 2.0 * NEON_CHAINS * 4},
    {0},
};
#else
typedef float simd_float __attribute__((vector_size(16)));

static void run_compiled(long rounds)
{
    const simd_float factor = {0.999999F, 0.999999F, 0.999999F, 0.999999F},
                     term = {1e-6F, 1e-6F, 1e-6F, 1e-6F};
    simd_float chain[CHAIN_COUNT];
    for (int c = 0; c < CHAIN_COUNT; c++)
        chain[c] = term;
    for (; rounds > 0; rounds--)
        for (int c = 0; c < CHAIN_COUNT; c++)
            chain[c] = chain[c] * factor + term;
    for (int c = 0; c < CHAIN_COUNT; c++) {
        volatile float sink = chain[c][0];
        (void)sink;
    }
}

static bool always(void)
{
    return true;
}

const elm_peak_loop elm_peak_loops[] = {
    {"the compiler's vectors", false, always, run_compiled, 2.0 * CHAIN_COUNT * 4},
    {0},
};
#endif
