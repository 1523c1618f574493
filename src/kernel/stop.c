/* SPDX-License-Identifier: MIT */
#include "kernel/stop.h"

#include <time.h>

bool peri_stop_late(const peri_stop *stop)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const long long deadline =
        atomic_load_explicit(&((peri_stop *)stop)->deadline, memory_order_relaxed);
    return t.tv_sec > deadline / 1000000000 ||
           (t.tv_sec == deadline / 1000000000 && t.tv_nsec >= deadline % 1000000000);
}
