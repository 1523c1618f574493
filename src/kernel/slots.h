/* SPDX-License-Identifier: MIT
 *
 * Scratch memory for the blocks of a run over the pool. Only as many blocks compute at a time as
 * there are threads, so a kernel whose blocks need scratch asks for that many slots and not for
 * one a block. A block takes any free slot and gives it back; which one it gets has no influence
 * on what it computes.
 */
#ifndef PERIGEE_KERNEL_SLOTS_H
#define PERIGEE_KERNEL_SLOTS_H

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

enum { PERI_MAX_SLOTS = 128 };

typedef struct {
    char *memory;
    size_t each, count; /* bytes of a slot, a multiple of 64; 1..PERI_MAX_SLOTS slots */
    atomic_uchar taken[PERI_MAX_SLOTS];
} peri_slots;

/* How many slots serve `nblocks` blocks when `threads` threads compute. */
static inline size_t peri_slots_count(size_t nblocks, size_t threads)
{
    size_t count = nblocks < threads ? nblocks : threads;
    if (count > PERI_MAX_SLOTS)
        count = PERI_MAX_SLOTS;
    return count < 1 ? 1 : count;
}

/* Waits only when more threads came than slots were asked for. */
static inline void *peri_slot_take(peri_slots *s)
{
    for (;;) {
        for (size_t i = 0; i < s->count; i++)
            if (atomic_exchange_explicit(&s->taken[i], 1, memory_order_acquire) == 0)
                return s->memory + i * s->each;
        sched_yield();
    }
}

static inline void peri_slot_give(peri_slots *s, const void *slot)
{
    const size_t i = (size_t)((const char *)slot - s->memory) / s->each;
    atomic_store_explicit(&s->taken[i], 0, memory_order_release);
}

/* Bytes rounded up to whole cache lines. */
static inline size_t peri_lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

#endif
