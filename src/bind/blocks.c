/* SPDX-License-Identifier: MIT
 *
 * Small blocks stand in a list for each size, up to PERI_SMALL_BYTES in all. Of the others a slot
 * holds a list of blocks of one size, and a size has one slot, so that another size that falls on
 * it empties it. All lists together hold MOST_BYTES, or a single block of up to twice that; beyond,
 * lists give way in turn.
 */
#include "bind/blocks.h"

#include <stdint.h>

enum { LARGE = 64 << 10, MOST_BYTES = 128 << 20 };

/* Multiplied by an odd number near 2^64 / golden ratio, sizes that lie close fall far apart. */
static size_t slot_of(size_t size)
{
    return (size_t)((uint64_t)size * UINT64_C(0x9E3779B97F4A7C15) >> 56) % PERI_BLOCK_SLOTS;
}

static void *pop(peri_blocks *b, size_t slot)
{
    struct peri_block *block = b->slot[slot].first;
    b->slot[slot].first = block->next;
    b->bytes -= b->slot[slot].size;
    return block;
}

static void empty(peri_blocks *b, size_t slot)
{
    while (b->slot[slot].first != NULL) {
        void *block = pop(b, slot);
        b->inner(b->inner_ud, block, b->slot[slot].size, 0);
    }
}

/* Gives blocks back until at most `most` bytes are kept. */
static void shrink(peri_blocks *b, size_t most)
{
    while (b->bytes > most) {
        const size_t slot = b->hand % PERI_BLOCK_SLOTS;
        if (b->slot[slot].first == NULL) {
            b->hand++;
            continue;
        }
        void *block = pop(b, slot);
        b->inner(b->inner_ud, block, b->slot[slot].size, 0);
    }
}

void peri_blocks_clear(peri_blocks *b)
{
    shrink(b, 0);
    for (size_t size = 0; size < PERI_SMALL_BLOCK; size++)
        while (b->small[size] != NULL)
            b->inner(b->inner_ud, peri_blocks_take(b, size), size, 0);
}

bool peri_blocks_keep_large(peri_blocks *b, void *block, size_t size)
{
    if (size > 2 * (size_t)MOST_BYTES)
        return false;
    if (b->bytes + size > MOST_BYTES)
        shrink(b, size < MOST_BYTES ? MOST_BYTES - size : 0);
    const size_t slot = slot_of(size);
    if (b->slot[slot].size != size)
        empty(b, slot);
    struct peri_block *kept = block;
    kept->next = b->slot[slot].first;
    b->slot[slot].first = kept;
    b->slot[slot].size = size;
    b->bytes += size;
    return true;
}

void *peri_blocks_take_large(peri_blocks *b, size_t size)
{
    const size_t slot = slot_of(size);
    if (b->slot[slot].first != NULL && b->slot[slot].size == size)
        return pop(b, slot);
    /* A program that grows shall not need much more for what is kept. */
    if (size >= LARGE)
        shrink(b, size < MOST_BYTES / 4 ? MOST_BYTES / 4 - size : 0);
    return NULL;
}
