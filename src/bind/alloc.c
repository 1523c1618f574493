/* SPDX-License-Identifier: MIT */
#include "bind/alloc.h"

#include <string.h>
#include <sys/mman.h>

#include <lauxlib.h>

#include "bind/errors.h"
#include "bind/pace.h"
#include "bind/say.h"
#include "kernel/copy.h"

enum { HUGE_BLOCK = 4 << 20, ALIGNMENT = 64 };

size_t peri_mul_size(lua_State *L, size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        peri_error(L, "array too large: %f times %f elements", (double)a, (double)b);
    return product;
}

/* The block starts with `header` bytes; returns where the 64-byte aligned data start. */
static void *align(void *block, size_t header)
{
    const uintptr_t start = (uintptr_t)block + header;
    return (void *)((start + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}

/* Asks the kernel for huge pages where they pay: a fresh block of many small pages costs more in
 * page faults than the arithmetic on it. A refusal changes nothing but the speed. */
static void advise(void *data, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_BLOCK) {
        const uintptr_t page = 4096;
        const uintptr_t from = ((uintptr_t)data + page - 1) & ~(page - 1);
        const uintptr_t to = ((uintptr_t)data + bytes) & ~(page - 1);
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
    }
#else
    (void)data, (void)bytes;
#endif
}

void *peri_push_scratch(lua_State *L, size_t bytes)
{
    if (bytes > PTRDIFF_MAX - 2 * ALIGNMENT)
        peri_error(L, "workspace too large: %f bytes", (double)bytes);
    peri_count_bytes(L, bytes);
    void *block = lua_newuserdatauv(L, bytes + ALIGNMENT, 0);
    advise(block, bytes);
    return align(block, 0);
}

static const char work_key;

void *peri_push_work(lua_State *L, size_t bytes)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &work_key);
    const size_t kept = lua_type(L, -1) == LUA_TUSERDATA ? (size_t)lua_rawlen(L, -1) : 0;
    if (kept >= ALIGNMENT && kept - ALIGNMENT >= bytes) {
        lua_pushboolean(L, false); /* it is taken until it is put back */
        lua_rawsetp(L, LUA_REGISTRYINDEX, &work_key);
        return align(lua_touserdata(L, -1), 0);
    }
    lua_pop(L, 1);
    return peri_push_scratch(L, bytes);
}

void peri_pop_work(lua_State *L)
{
    enum { MOST_KEPT = 16 << 20 };
    if (lua_rawlen(L, -1) <= MOST_KEPT)
        lua_rawsetp(L, LUA_REGISTRYINDEX, &work_key);
    else
        lua_pop(L, 1);
}

/* Lua's own "not enough memory" does not say what was asked for; so a large block is refused here
 * with shape and size, before Lua is asked, when it passes the limit or the address space. */
static void refuse(lua_State *L, int dtype, int ndim, const size_t *shape, const char *reason)
{
    double bytes = (double)peri_dtype_size(dtype);
    for (int axis = 0; axis < ndim; axis++)
        bytes *= (double)shape[axis];
    peri_error(L, "array %s %s needs %s bytes: %s", peri_push_shape(L, ndim, shape),
               peri_dtype_name(dtype), peri_push_number(L, bytes), reason);
}

static size_t header_bytes(int ndim)
{
    return sizeof(peri_array) + (size_t)ndim * (sizeof(size_t) + sizeof(ptrdiff_t));
}

/* A header at the start of the block, of an owner whose elements follow one another. With strides
 * it is one whose elements lie as they say. */
static peri_array *lay_out(void *block, int dtype, int ndim, const size_t *shape,
                           const ptrdiff_t *stride)
{
    peri_array *a = block;
    a->mark = peri_array_mark(a);
    a->dtype = (uint8_t)dtype;
    a->ndim = (uint8_t)ndim;
    a->gone = NULL;
    a->node = 0;
    a->frozen = 0;
    a->home = a;
    a->shape = (size_t *)(a + 1);
    a->stride = (ptrdiff_t *)(a->shape + ndim);
    size_t size = 1, step = 1; /* that of an extent of 0 counts as 1 */
    bool dense = true;
    for (int axis = ndim - 1; axis >= 0; axis--) {
        const size_t extent = shape[axis];
        a->shape[axis] = extent;
        a->stride[axis] = stride != NULL ? stride[axis] : (ptrdiff_t)step;
        dense = dense && (extent == 1 || a->stride[axis] == (ptrdiff_t)step);
        step *= extent != 0 ? extent : 1;
        size *= extent;
    }
    a->size = size;
    a->dense = dense || size == 0;
    return a;
}

/* Allocates through a protected call only when the block is so large that it may fail, so that
 * the message can have shape and size. */
static int allocate(lua_State *L)
{
    lua_newuserdatauv(L, (size_t)lua_tointeger(L, 1), 0);
    return 1;
}

peri_array *peri_push_array(lua_State *L, int dtype, int ndim, const size_t *shape)
{
    size_t product = 1;
    bool overflow = false, empty = false;
    for (int axis = 0; axis < ndim; axis++) {
        empty = empty || shape[axis] == 0;
        overflow |= __builtin_mul_overflow(product, shape[axis] + (shape[axis] == 0), &product);
    }
    /* Extents of an empty array still make strides, so their product must fit as well. */
    if (overflow || product > PTRDIFF_MAX / sizeof(double) - 4096)
        refuse(L, dtype, ndim, shape, "no memory holds that many");
    const size_t bytes = empty ? 0 : product * peri_dtype_size(dtype);
    const size_t header = header_bytes(ndim);
    const size_t block_bytes = header + bytes + ALIGNMENT;
    peri_checkstack(L, 6, "array");
    const bool known = peri_has_upvalues(L);
    peri_count_bytes_of(L, known ? peri_upvalue_state(L) : peri_getstate(L), block_bytes);
    void *block;
    if (bytes < HUGE_BLOCK) {
        block = lua_newuserdatauv(L, block_bytes, 0);
    } else {
        lua_pushcfunction(L, allocate);
        lua_pushinteger(L, (lua_Integer)block_bytes);
        const int status = lua_pcall(L, 1, 1, 0);
        if (status == LUA_ERRMEM)
            refuse(L, dtype, ndim, shape, "there is not enough memory");
        if (status != LUA_OK) /* a hook's: someone wants the script to stop */
            lua_error(L);
        block = lua_touserdata(L, -1);
    }
    peri_array *a = lay_out(block, dtype, ndim, shape, NULL);
    a->data = align(block, header);
    advise(a->data, bytes);
    if (known)
        lua_pushvalue(L, lua_upvalueindex(PERI_UPVALUE_META));
    else
        peri_push_array_meta(L);
    lua_setmetatable(L, -2);
    return a;
}

peri_array *peri_push_zeros(lua_State *L, int dtype, int ndim, const size_t *shape)
{
    peri_array *a = peri_push_array(L, dtype, ndim, shape);
    memset(a->data, 0, a->size * peri_dtype_size(dtype));
    return a;
}

peri_array *peri_push_copy(lua_State *L, const peri_array *a, int dtype)
{
    peri_array *out = peri_push_array(L, dtype < 0 ? a->dtype : dtype, a->ndim, a->shape);
    const peri_view to = peri_view_of(out), from = peri_view_of(a);
    peri_copy(&to, &from);
    return out;
}

/* A header of its own over memory that user value 1 keeps alive. */
static peri_array *push_header(lua_State *L, void *data, int dtype, int ndim, const size_t *shape,
                               const ptrdiff_t *stride)
{
    peri_array *a =
        lay_out(lua_newuserdatauv(L, header_bytes(ndim), 1), dtype, ndim, shape, stride);
    a->data = data;
    return a;
}

static void finish_view(lua_State *L)
{
    lua_setiuservalue(L, -2, 1);
    peri_push_array_meta(L);
    lua_setmetatable(L, -2);
}

peri_array *peri_push_view(lua_State *L, int owner_idx, void *data, int ndim, const size_t *shape,
                           const ptrdiff_t *stride)
{
    owner_idx = lua_absindex(L, owner_idx);
    const peri_array *owner = lua_touserdata(L, owner_idx);
    luaL_checkstack(L, 4, "array");
    peri_array *a = push_header(L, data, owner->dtype, ndim, shape, stride);
    a->gone = owner->gone;
    a->home = owner->home;
    /* A view of a view keeps the first owner, so that chains do not grow. */
    if (owner->home == owner)
        lua_pushvalue(L, owner_idx);
    else
        lua_getiuservalue(L, owner_idx, 1);
    finish_view(L);
    return a;
}

peri_array *peri_push_foreign(lua_State *L, int owner_idx, void *data, int dtype, int ndim,
                              const size_t *shape, const ptrdiff_t *stride, const bool *gone)
{
    owner_idx = lua_absindex(L, owner_idx);
    luaL_checkstack(L, 4, "array");
    peri_array *a = push_header(L, data, dtype, ndim, shape, stride);
    a->gone = gone;
    lua_pushvalue(L, owner_idx);
    finish_view(L);
    return a;
}
