/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "kernel/lanes.h"

static atomic_int most = 64;

int peri_lanes_bytes(void)
{
#if LANES_X86
    const int limit = atomic_load_explicit(&most, memory_order_relaxed);
    if (limit >= 64 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return 64;
    if (limit >= 32 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 32;
#endif
    return 16;
}

void peri_lanes_limit(int bytes)
{
    atomic_store(&most, bytes);
}
