/* SPDX-License-Identifier: MIT
 *
 * The array as a Lua value: one userdata, header and data, without finaliser. */
#ifndef PERIGEE_BIND_ARRAY_H
#define PERIGEE_BIND_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "kernel/view.h"

/* The userdata. An owner's data follow its header; a view keeps its owner in user value 1.
 * Read through the fields; never change them. */
typedef struct peri_array {
    uintptr_t mark;
    uint8_t dtype, ndim;
    const bool *gone;  /* set once the host took wrapped memory back; else NULL */
    size_t size;       /* product of the extents */
    void *data;        /* first element */
    size_t *shape;     /* ndim extents, inside this block */
    ptrdiff_t *stride; /* ndim strides in elements, inside this block */
} peri_array;

/* The array at idx, or NULL when the value is not one. Raises when it was detached. */
peri_array *peri_test_array(lua_State *L, int idx);

static inline peri_view peri_view_of(const peri_array *a)
{
    return (peri_view){a->data, a->dtype, a->ndim, a->shape, a->stride};
}

static inline bool peri_is_contiguous(const peri_array *a)
{
    const peri_view v = peri_view_of(a);
    return peri_view_is_contiguous(&v);
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

/* Its address is the registry's key of the array metatable. */
extern const char peri_array_meta;

/* Pushes the array metatable. */
void peri_push_array_meta(lua_State *L);

#endif
