/* SPDX-License-Identifier: MIT
 *
 * The interrupt flag of one Lua state. A signal handler or another thread sets it; long kernels
 * take a `const peri_stop *` (NULL: never interrupted), look at it about every 10 ms of work and
 * return PERI_ERR_INTERRUPTED.
 */
#ifndef PERIGEE_KERNEL_STOP_H
#define PERIGEE_KERNEL_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    atomic_int requested;
} peri_stop;

static inline bool peri_stop_requested(const peri_stop *stop)
{
    return stop != NULL &&
           atomic_load_explicit(&((peri_stop *)stop)->requested, memory_order_relaxed) != 0;
}

#endif
