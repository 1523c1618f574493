/* SPDX-License-Identifier: MIT */
#include "kernel/simd.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if PERI_X86
#include <cpuid.h>
#endif

static atomic_int isa = -1;

const char *peri_isa_name(int level)
{
    static const char *const names[] = {PERI_NEON ? "neon" : "base", "avx2", "avx512"};
    return names[level];
}

/* The level that PERIGEE_ISA names; the highest where it is not set, -1 where it names none. */
static int cap(void)
{
    const char *name = getenv("PERIGEE_ISA");
    if (name == NULL || *name == '\0')
        return PERI_ISA_AVX512;
    if (strcmp(name, "base") == 0)
        return PERI_ISA_BASE;
    int level = PERI_ISA_AVX512;
    while (level >= PERI_ISA_BASE && strcmp(name, peri_isa_name(level)) != 0)
        level--;
    return level;
}

bool peri_isa_is_valid(void)
{
    return cap() >= PERI_ISA_BASE;
}

static int detect(void)
{
    int best = PERI_ISA_BASE;
#if PERI_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        best = PERI_ISA_AVX2;
    if (best == PERI_ISA_AVX2 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        best = PERI_ISA_AVX512;
#endif
    const int most = cap();
    return most >= PERI_ISA_BASE && most < best ? most : best;
}

int peri_isa(void)
{
    int level = atomic_load_explicit(&isa, memory_order_relaxed);
    if (level < 0) {
        level = detect();
        atomic_store_explicit(&isa, level, memory_order_relaxed);
    }
    return level;
}

int peri_isa_limit(int level)
{
    const int best = detect();
    atomic_store(&isa, level < best ? level : best);
    return peri_isa();
}

static bool detect_sha(void)
{
#if PERI_X86
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 29 & 1) != 0;
#else
    return false;
#endif
}

bool peri_isa_has_sha(void)
{
    static atomic_int known = -1; /* asking takes a hundred nanoseconds or, in a guest, thousands */
    int sha = atomic_load_explicit(&known, memory_order_relaxed);
    if (sha < 0) {
        sha = detect_sha();
        atomic_store_explicit(&known, sha, memory_order_relaxed);
    }
    return sha != 0 && peri_isa() >= PERI_ISA_AVX2;
}
