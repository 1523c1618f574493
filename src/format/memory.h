/* SPDX-License-Identifier: MIT
 *
 * Where readers and writers get memory that is theirs alone (windows, stacks, row buffers): one
 * function with the signature of lua_Alloc, so that the binding passes the state's own and the
 * state's limit counts it. Arrays are never allocated here.
 */
#ifndef PERIGEE_FORMAT_MEMORY_H
#define PERIGEE_FORMAT_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

typedef struct {
    void *(*call)(void *ud, void *block, size_t old, size_t new); /* new 0 frees */
    void *ud;
} peri_memory;

static inline void *peri_memory_malloc(void *ud, void *block, size_t old, size_t new)
{
    (void)ud;
    (void)old;
    if (new == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new);
}

/* The C library's malloc, for hosts without a state. */
static inline peri_memory peri_memory_default(void)
{
    return (peri_memory){peri_memory_malloc, NULL};
}

static inline void *peri_take(const peri_memory *m, size_t bytes)
{
    return m->call(m->ud, NULL, 0, bytes);
}

static inline void peri_give(const peri_memory *m, void *block, size_t bytes)
{
    if (block != NULL)
        m->call(m->ud, block, bytes, 0);
}

#endif
