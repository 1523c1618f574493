/* SPDX-License-Identifier: MIT
 *
 * Whether the work of one Lua state should stop. A signal handler or another thread asks for it, or
 * a deadline passes; long kernels take a `const peri_stop *` (NULL: never interrupted), look at it
 * about every 10 ms of work and return PERI_ERR_INTERRUPTED.
 */
#ifndef PERIGEE_KERNEL_STOP_H
#define PERIGEE_KERNEL_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Who asked, as bits of `requested`. */
enum {
    PERI_STOP_HELD = 1, /* a host: until it takes the request back */
    PERI_STOP_ONCE = 2, /* a person: until one error was raised for it */
    PERI_STOP_CALL = 4  /* a person, again: until the call from the prompt has ended */
};

typedef struct {
    atomic_int requested;
    atomic_llong deadline; /* nanoseconds of CLOCK_MONOTONIC; 0: none */
} peri_stop;

/* Whether the deadline, which there is, has passed. */
bool peri_stop_late(const peri_stop *stop);

static inline bool peri_stop_requested(const peri_stop *stop)
{
    if (stop == NULL)
        return false;
    return atomic_load_explicit(&((peri_stop *)stop)->requested, memory_order_relaxed) != 0 ||
           (atomic_load_explicit(&((peri_stop *)stop)->deadline, memory_order_relaxed) != 0 &&
            peri_stop_late(stop));
}

#endif
