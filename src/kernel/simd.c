/* SPDX-License-Identifier: MIT */
#include "kernel/simd.h"

#include <stdatomic.h>

static atomic_int isa = -1;

static int detect(void)
{
#if PERI_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return PERI_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return PERI_ISA_AVX2;
#endif
    return PERI_ISA_BASE;
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
