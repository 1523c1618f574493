/* SPDX-License-Identifier: MIT
 *
 * The array as a Lua value: one userdata, header and data, without finaliser. */
#ifndef PERIGEE_BIND_ARRAY_H
#define PERIGEE_BIND_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "bind/state.h"
#include "kernel/view.h"

/* The userdata. An owner's data follow its header; a view keeps its owner in user value 1.
 * Read through the fields; never change them. */
typedef struct peri_array {
    uintptr_t mark;
    uint8_t dtype, ndim;
    bool dense;              /* the elements follow one another in row-major order */
    const bool *gone;        /* set once the host took wrapped memory back; else NULL */
    size_t size;             /* product of the extents */
    void *data;              /* first element */
    size_t *shape;           /* ndim extents, inside this block */
    ptrdiff_t *stride;       /* ndim strides in elements, inside this block */
    uint64_t node;           /* the node of a gradient that it belongs to, see tape.h; 0: none */
    uint64_t frozen;         /* of an owner: the gradient that needs its values, see tape.h */
    struct peri_array *home; /* the owner: itself, or for a view the array in user value 1 */
} peri_array;

/* The array at idx, or NULL when the value is not one. Raises when the host took its memory back,
 * and when a gradient tracks it and the running function has no derivative. */
peri_array *peri_test_array(lua_State *L, int idx);

/* The same where no value is computed from it: never raises. */
peri_array *peri_peek_array(lua_State *L, int idx);

/* Whether a gradient is being taken of it. */
static inline bool peri_tracked(const peri_state *state, const peri_array *a)
{
    return a->node > state->base;
}

/* Raises where a gradient needs the memory of a as it is: before each write. */
static inline void peri_check_write(lua_State *L, const peri_array *a)
{
    if (__builtin_expect(a->home->frozen != 0, 0))
        peri_getstate(L)->guard->written(L, a);
}

static inline peri_view peri_view_of(const peri_array *a)
{
    return (peri_view){a->data, a->dtype, a->ndim, a->shape, a->stride};
}

static inline bool peri_is_contiguous(const peri_array *a)
{
    return a->dense;
}

/* Whether any byte belongs to both. Compares address ranges, so it may say true for interleaved
 * views; then a copy too many is made and nothing else happens. */
bool peri_overlaps(const peri_array *a, const peri_array *b);

/* The mark of an array: its own address, made odd, so that no other userdata has it by chance or by
 * a metatable set on it. */
static inline uintptr_t peri_array_mark(const peri_array *a)
{
    return (uintptr_t)a ^ (uintptr_t)0x61526551;
}

/* The array at idx where nothing else is to be asked: its memory is there and no gradient has seen
 * it. NULL: another array or none; peri_test_array tells. */
static inline peri_array *peri_plain_array(lua_State *L, int idx)
{
    peri_array *a = (peri_array *)lua_touserdata(L, idx);
    /* The length of what is no full userdata is 0. */
    return a != NULL && lua_rawlen(L, idx) >= sizeof *a && a->mark == peri_array_mark(a) &&
                   a->gone == NULL && a->node == 0
               ? a
               : NULL;
}

/* Its address is the registry's key of the array metatable. */
extern const char peri_array_meta;

/* Pushes the array metatable. */
void peri_push_array_meta(lua_State *L);

#endif
