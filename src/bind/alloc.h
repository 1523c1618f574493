/* SPDX-License-Identifier: MIT
 *
 * New arrays and other memory, owned by the Lua value that is pushed. */
#ifndef PERIGEE_BIND_ALLOC_H
#define PERIGEE_BIND_ALLOC_H

#include "bind/array.h"

/* Pushes a new array, elements unset, row-major. Raises when the size overflows, passes the
 * state's limit or cannot be had; the message has shape and size. */
peri_array *peri_push_array(lua_State *L, int dtype, int ndim, const size_t *shape);
peri_array *peri_push_zeros(lua_State *L, int dtype, int ndim, const size_t *shape);

/* Pushes a view into the memory of the array at owner_idx (an owner or itself a view). */
peri_array *peri_push_view(lua_State *L, int owner_idx, void *data, int ndim, const size_t *shape,
                           const ptrdiff_t *stride);

/* Pushes a row-major copy as dtype (-1: the source's). */
peri_array *peri_push_copy(lua_State *L, const peri_array *a, int dtype);

/* Pushes an array over memory that the userdata at owner_idx keeps alive until *gone. */
peri_array *peri_push_foreign(lua_State *L, int owner_idx, void *data, int dtype, int ndim,
                              const size_t *shape, const ptrdiff_t *stride, const bool *gone);

/* Temporary memory for a kernel, 64-byte aligned, owned by a userdata that is pushed. */
void *peri_push_scratch(lua_State *L, size_t bytes);

/* The same for work of which each call needs as much again: pop gives it to the next call. */
void *peri_push_work(lua_State *L, size_t bytes);
void peri_pop_work(lua_State *L);

/* a * b, or an error that says the array would be too large. */
size_t peri_mul_size(lua_State *L, size_t a, size_t b);

#endif
