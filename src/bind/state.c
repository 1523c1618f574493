/* SPDX-License-Identifier: MIT
 *
 * The state of Perigee inside a Lua state, and the memory of its arrays.
 *
 * An array is one userdata without finaliser, so the collector frees it in the cycle that finds it
 * dead. The collector's own pace follows bytes: it would run a cycle for every few arrays, each of
 * which visits all that lives. So array bytes are taken out of Lua's account and added up here, and
 * the state's collector is asked in two steps.
 *
 * After half a megabyte of new arrays comes a young collection, in generational mode. It visits
 * what is new and not what lives, takes less than a microsecond where no large table was written
 * to, and lets a loop of temporaries write into memory that is still in the cache. What lived
 * through two of them waits for a full collection, which is run when the state has grown, since the
 * last, by 1 MB. Either step doubles where its collections take more than their share of the time,
 * up to 64 MB plus a quarter of what lives, and halves again where they take little.
 */
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bind.h"
#include "internal.h"
#include "out.h"

static const char state_key;

enum { YOUNG_BUDGET = 512 << 10, FULL_BUDGET = 1 << 20, MOST_BUDGET = 64 << 20 };

/* One part in so many of the time may go into collections. */
enum { YOUNG_SHARE = 4, FULL_SHARE = 8 };

enum { HUGE_BLOCK = 4 << 20, ALIGNMENT = 64 };

const char peri_upvalues;

peri_state *peri_getstate(lua_State *L)
{
    if (peri_has_upvalues(L))
        return lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_STATE));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    peri_state *state = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return state;
}

void peri_push_array_meta(lua_State *L)
{
    if (peri_has_upvalues(L))
        lua_pushvalue(L, lua_upvalueindex(PERI_UPVALUE_META));
    else
        lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
}

void peri_state_open(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key) == LUA_TNIL) {
        peri_state *state = lua_newuserdatauv(L, sizeof *state, 0);
        memset(state, 0, sizeof *state);
        atomic_init(&state->stop.requested, 0);
        state->young.budget = YOUNG_BUDGET;
        state->full.budget = FULL_BUDGET;
        lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
    }
    lua_pop(L, 1);
}

static size_t held(lua_State *L)
{
    return (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Sets the budget by the time that collecting took since `start`, of that since the last time: more
 * than one part in `share` of it is too much. */
static void set_pace(peri_pace *pace, double start, int share, size_t least, size_t live)
{
    const double end = now(), cost = end - start, span = start - pace->since;
    const size_t most = MOST_BUDGET + live / 4;
    if (share * cost > span)
        pace->budget *= 2;
    else if (2.5 * share * cost < span)
        pace->budget /= 2;
    if (pace->budget < least)
        pace->budget = least;
    if (pace->budget > most)
        pace->budget = most;
    pace->since = end;
}

/* A young collection where that is worth the trust: Lua 5.4.4 mended the last faults of its
 * generational mode. The mode is set each time, for a script may have changed it. */
static void collect_young(lua_State *L)
{
#if LUA_VERSION_RELEASE_NUM >= 50404
    enum { MINOR_MULTIPLIER = 100 }; /* else Lua's own steps came with every second small array */
    lua_gc(L, LUA_GCGEN, MINOR_MULTIPLIER, 0);
    lua_gc(L, LUA_GCSTEP, 0);
#else
    (void)L;
#endif
}

static void collect(lua_State *L, peri_state *state)
{
    const size_t before = held(L);
    if (before > state->peak)
        state->peak = before;
    state->fresh = 0;
    const double start = now();
    collect_young(L);
    set_pace(&state->young, start, YOUNG_SHARE, YOUNG_BUDGET, state->live);
    if (held(L) <= state->live + state->full.budget)
        return;
    const double again = now();
    lua_gc(L, LUA_GCCOLLECT);
    state->live = held(L);
    set_pace(&state->full, again, FULL_SHARE, FULL_BUDGET, state->live);
}

void peri_count_bytes(lua_State *L, size_t bytes)
{
    enum { STEP = 64 << 10 };
    peri_state *state = peri_getstate(L);
    if (state->fresh + bytes > state->young.budget && lua_gc(L, LUA_GCISRUNNING))
        collect(L, state);
    state->fresh += bytes;
    state->hidden += bytes;
    if (state->hidden >= STEP) {
        const size_t kilobytes = state->hidden >> 10 < INT_MAX ? state->hidden >> 10 : INT_MAX;
        lua_gc(L, LUA_GCSTEP, -(int)kilobytes);
        state->hidden -= kilobytes << 10;
    }
}

size_t peri_bytes_held(lua_State *L)
{
    const size_t bytes = held(L);
    peri_state *state = peri_getstate(L);
    if (bytes > state->peak)
        state->peak = bytes;
    return bytes;
}

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

/* Lua's own "not enough memory" does not say what was asked for; so a large block is refused here
 * with shape and size, before Lua is asked, when it passes the limit or the address space. */
static void refuse(lua_State *L, int dtype, int ndim, const size_t *shape, double bytes,
                   const char *reason)
{
    peri_error(L, "array %s %s needs %s bytes: %s", peri_push_shape(L, ndim, shape),
               peri_dtype_name(dtype), peri_push_number(L, bytes), reason);
}

static size_t header_bytes(int ndim)
{
    return sizeof(peri_array) + (size_t)ndim * (sizeof(size_t) + sizeof(ptrdiff_t));
}

static peri_array *lay_out(void *block, int dtype, int ndim, const size_t *shape, size_t size)
{
    peri_array *a = block;
    a->mark = peri_array_mark(a);
    a->dtype = (uint8_t)dtype;
    a->ndim = (uint8_t)ndim;
    a->gone = NULL;
    a->size = size;
    a->shape = (size_t *)(a + 1);
    a->stride = (ptrdiff_t *)(a->shape + ndim);
    ptrdiff_t step = 1;
    for (int axis = ndim - 1; axis >= 0; axis--) {
        a->shape[axis] = shape[axis];
        a->stride[axis] = step;
        step *= (ptrdiff_t)(shape[axis] != 0 ? shape[axis] : 1);
    }
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
    size_t size = 1, extent_product = 1;
    bool overflow = false;
    double wanted = (double)peri_dtype_size(dtype);
    for (int axis = 0; axis < ndim; axis++) {
        const size_t extent = shape[axis] != 0 ? shape[axis] : 1;
        overflow |= __builtin_mul_overflow(extent_product, extent, &extent_product);
        size = shape[axis] != 0 ? size * shape[axis] : 0;
        wanted *= (double)shape[axis];
    }
    /* Extents of an empty array still make strides, so their product must fit as well. */
    if (overflow || extent_product > PTRDIFF_MAX / sizeof(double) - 4096)
        refuse(L, dtype, ndim, shape, wanted, "no memory holds that many");
    const size_t bytes = size * peri_dtype_size(dtype);
    const size_t header = header_bytes(ndim);
    const size_t block_bytes = header + bytes + ALIGNMENT;
    luaL_checkstack(L, 6, "array");
    peri_count_bytes(L, block_bytes);
    void *block;
    if (bytes < HUGE_BLOCK) {
        block = lua_newuserdatauv(L, block_bytes, 0);
    } else {
        lua_pushcfunction(L, allocate);
        lua_pushinteger(L, (lua_Integer)block_bytes);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK)
            refuse(L, dtype, ndim, shape, wanted, "there is not enough memory");
        block = lua_touserdata(L, -1);
    }
    peri_array *a = lay_out(block, dtype, ndim, shape, size);
    a->data = align(block, header);
    advise(a->data, bytes);
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

/* A header of its own over memory that user value 1 keeps alive. */
static peri_array *push_header(lua_State *L, void *data, int dtype, int ndim, const size_t *shape,
                               const ptrdiff_t *stride)
{
    size_t size = 1;
    for (int axis = 0; axis < ndim; axis++)
        size *= shape[axis];
    peri_array *a = lay_out(lua_newuserdatauv(L, header_bytes(ndim), 1), dtype, ndim, shape, size);
    a->data = data;
    if (stride != NULL)
        for (int axis = 0; axis < ndim; axis++)
            a->stride[axis] = stride[axis];
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
    /* A view of a view keeps the first owner, so that chains do not grow. */
    if (lua_getiuservalue(L, owner_idx, 1) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        lua_pushvalue(L, owner_idx);
    }
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
