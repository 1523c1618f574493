/* SPDX-License-Identifier: MIT
 *
 * Blocks of memory that Lua gave back, kept for its next request of the same size, the latest
 * first. A loop of temporaries then writes into the same memory again and again: small arrays stay
 * in the cache, and large ones save the system taking pages away and clearing new ones, which costs
 * more than most arithmetic on them.
 */
#ifndef PERIGEE_BIND_BLOCKS_H
#define PERIGEE_BIND_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

enum { PERI_BLOCK_SLOTS = 256 };

struct peri_block;

/* All zero is the start; `inner` and `inner_ud` are where the blocks come from. */
typedef struct {
    lua_Alloc inner;
    void *inner_ud;
    size_t bytes; /* of all that is kept */
    size_t hand;  /* the slot that gives way next */
    struct {
        struct peri_block *first;
        size_t size; /* of each block in the list */
    } slot[PERI_BLOCK_SLOTS];
} peri_blocks;

/* Whether the block was kept; else it is still the caller's. */
bool peri_blocks_keep(peri_blocks *b, void *block, size_t size);

/* A kept block of just this size, or NULL. */
void *peri_blocks_take(peri_blocks *b, size_t size);

void peri_blocks_clear(peri_blocks *b);

#endif
