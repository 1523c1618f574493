/* SPDX-License-Identifier: MIT
 *
 * Blocks of memory that Lua gave back, kept for its next request of the same size, the latest
 * first. A loop of temporaries then writes into the same memory again and again: small arrays stay
 * in the cache, large ones save the system taking pages away and clearing new ones, which costs
 * more than most arithmetic on them, and tables and views save the way through malloc.
 */
#ifndef PERIGEE_BIND_BLOCKS_H
#define PERIGEE_BIND_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

enum { PERI_BLOCK_SLOTS = 256, PERI_SMALL_BLOCK = 128, PERI_SMALL_BYTES = 1 << 20 };

#if defined(__SANITIZE_ADDRESS__)
enum { PERI_KEEPS_BLOCKS = 0 }; /* the sanitizer shall see every block come and go */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { PERI_KEEPS_BLOCKS = 0 };
#else
enum { PERI_KEEPS_BLOCKS = 1 };
#endif
#else
enum { PERI_KEEPS_BLOCKS = 1 };
#endif

struct peri_block {
    struct peri_block *next;
};

/* All zero is the start; `inner` and `inner_ud` are where the blocks come from. */
typedef struct {
    lua_Alloc inner;
    void *inner_ud;
    size_t bytes; /* of all that is kept in slots */
    size_t hand;  /* the slot that gives way next */
    struct {
        struct peri_block *first;
        size_t size; /* of each block in the list */
    } slot[PERI_BLOCK_SLOTS];
    size_t small_bytes;
    struct peri_block *small[PERI_SMALL_BLOCK]; /* by their size */
} peri_blocks;

bool peri_blocks_keep_large(peri_blocks *b, void *block, size_t size);
void *peri_blocks_take_large(peri_blocks *b, size_t size);

/* Whether the block was kept; else it is still the caller's. */
static inline bool peri_blocks_keep(peri_blocks *b, void *block, size_t size)
{
    if (!PERI_KEEPS_BLOCKS || size < sizeof(struct peri_block))
        return false;
    if (size >= PERI_SMALL_BLOCK)
        return peri_blocks_keep_large(b, block, size);
    if (b->small_bytes + size > PERI_SMALL_BYTES)
        return false;
    struct peri_block *kept = (struct peri_block *)block;
    kept->next = b->small[size];
    b->small[size] = kept;
    b->small_bytes += size;
    return true;
}

/* A kept block of just this size, or NULL. */
static inline void *peri_blocks_take(peri_blocks *b, size_t size)
{
    if (size >= PERI_SMALL_BLOCK)
        return peri_blocks_take_large(b, size);
    struct peri_block *kept = b->small[size];
    if (kept != NULL) {
        b->small[size] = kept->next;
        b->small_bytes -= size;
    }
    return kept;
}

void peri_blocks_clear(peri_blocks *b);

#endif
