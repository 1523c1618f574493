/* SPDX-License-Identifier: MIT
 *
 * Instruction sets. A hot loop is compiled once for each of three levels and chosen when the
 * program runs, so that one binary serves every x86-64 (and, at the base level, any CPU):
 *
 *     base     what the compiler targets by default
 *     avx2     AVX2 and FMA
 *     avx512   AVX-512 F, DQ, BW, VL
 *
 * On arm64 the base has NEON and its fused products; there is no other level.
 *
 * Loops whose C text is the same for all levels stand in an included file ("*_loops.h") that
 * names its functions with SIMD(name); it is included once between each BEGIN and END.
 */
#ifndef PERIGEE_KERNEL_SIMD_H
#define PERIGEE_KERNEL_SIMD_H

#include <stdbool.h>

enum { PERI_ISA_BASE = 0, PERI_ISA_AVX2 = 1, PERI_ISA_AVX512 = 2 };

/* The level in use: the best this CPU has, no more than the environment variable PERIGEE_ISA says
 * (base, avx2 or avx512; read at the first use) and no more than peri_isa_limit(). */
int peri_isa(void);

/* Uses at most this level from now on; for tests. Returns the level in use. */
int peri_isa_limit(int level);

/* "base", "avx2" or "avx512"; on arm64 the base is "neon". */
const char *peri_isa_name(int level);

/* Whether PERIGEE_ISA is unset or names a level; where it does not, it caps nothing. */
bool peri_isa_is_valid(void);

/* Whether the instructions for SHA-256 may be used: not below avx2. */
bool peri_isa_has_sha(void);

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define PERI_X86           1
#define PERI_TARGET_AVX2   "avx2,fma"
#define PERI_TARGET_AVX512 "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl"
#define PERI_AVX2          __attribute__((target(PERI_TARGET_AVX2)))
#define PERI_AVX512        __attribute__((target(PERI_TARGET_AVX512)))
#else
#define PERI_X86 0
#define PERI_AVX2
#define PERI_AVX512
#endif

#if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define PERI_NEON 1
#else
#define PERI_NEON 0
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error                                                                                             \
    "perigee: the least byte of a number must come first in memory; big-endian machines are not supported"
#endif

/* Everything defined between BEGIN and END is compiled for that level. */
#define PERI_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define PERI_BEGIN_AVX2                                                                            \
    PERI_PRAGMA(                                                                                   \
        clang attribute push(__attribute__((target(PERI_TARGET_AVX2))), apply_to = function))
#define PERI_BEGIN_AVX512                                                                          \
    PERI_PRAGMA(                                                                                   \
        clang attribute push(__attribute__((target(PERI_TARGET_AVX512))), apply_to = function))
#define PERI_END PERI_PRAGMA(clang attribute pop)
#else
#define PERI_BEGIN_AVX2 PERI_PRAGMA(GCC push_options) PERI_PRAGMA(GCC target("avx2,fma"))
#define PERI_BEGIN_AVX512                                                                          \
    PERI_PRAGMA(GCC push_options)                                                                  \
    PERI_PRAGMA(GCC target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl"))
#define PERI_END PERI_PRAGMA(GCC pop_options)
#endif

/* Before a loop: no iteration reads what another writes (an output may be one of the inputs,
 * element by element). */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* it says so where it does not pay */
#define PERI_IVDEP PERI_PRAGMA(clang loop vectorize(assume_safety))
#else
#define PERI_IVDEP PERI_PRAGMA(GCC ivdep)
#endif

#endif
