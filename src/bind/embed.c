/* SPDX-License-Identifier: MIT
 *
 * The part of perigee.h that makes states and moves arrays between C and Lua. */
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/blocks.h"
#include "bind/embed.h"
#include "bind/sandbox.h"
#include "perigee.h"

/* ---- memory limit ------------------------------------------------------------------------ */

/* Stands between Lua and the allocator that was there. Lives until the state has given back its
 * last byte, which is the state itself. */
struct account {
    peri_blocks blocks; /* and the allocator that was there */
    size_t used, limit;
    peri_state *state;
};

static void *inner(struct account *a, void *block, size_t old_size, size_t new_size)
{
    return a->blocks.inner(a->blocks.inner_ud, block, old_size, new_size);
}

static bool has_room(const struct account *a, size_t more)
{
    return a->limit == 0 || (more <= a->limit && a->used <= a->limit - more);
}

static void give_back(struct account *a, void *block, size_t size)
{
    a->used -= size;
    if (!peri_blocks_keep(&a->blocks, block, size))
        inner(a, block, size, 0);
    if (a->used == 0) {
        peri_blocks_clear(&a->blocks);
        free(a);
    }
}

static void *allocate(void *ud, void *block, size_t old_size, size_t new_size)
{
    struct account *a = ud;
    const size_t old = block != NULL ? old_size : 0; /* else it is a type tag */
    if (new_size == 0) {
        if (block != NULL)
            give_back(a, block, old);
        return NULL;
    }
    if (new_size > old && !has_room(a, new_size - old))
        return NULL;
    void *moved = block == NULL ? peri_blocks_take(&a->blocks, new_size) : NULL;
    if (moved == NULL)
        moved = inner(a, block, old_size, new_size);
    if (moved == NULL) {
        peri_blocks_clear(&a->blocks);
        moved = inner(a, block, old_size, new_size);
    }
    if (moved != NULL)
        a->used = a->used - old + new_size;
    return moved;
}

static void *plain(void *ud, void *block, size_t old_size, size_t new_size)
{
    (void)ud, (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static struct account *find_account(lua_State *L)
{
    void *ud;
    return lua_getallocf(L, &ud) == allocate ? ud : NULL;
}

peri_state *peri_state_of(lua_State *L)
{
    const struct account *a = find_account(L);
    return a != NULL ? a->state : NULL;
}

size_t peri_memory_limit(lua_State *L)
{
    const struct account *a = find_account(L);
    return a != NULL ? a->limit : 0;
}

static struct account *make_account(lua_State *L)
{
    struct account *a = find_account(L);
    if (a == NULL && (a = calloc(1, sizeof *a)) != NULL) {
        a->blocks.inner = lua_getallocf(L, &a->blocks.inner_ud);
        a->used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
        lua_setallocf(L, allocate, a);
    }
    return a;
}

bool peri_has_room(lua_State *L, size_t bytes)
{
    const struct account *a = find_account(L);
    if (a == NULL || a->limit == 0)
        return true;
    if (bytes > a->limit)
        return false;
    /* What a finaliser has let go is freed by the next collection. */
    for (int k = 0; k < 2 && a->used > a->limit - bytes; k++)
        lua_gc(L, LUA_GCCOLLECT);
    return a->used <= a->limit - bytes;
}

int peri_limit_memory(lua_State *L, size_t bytes)
{
    struct account *a = make_account(L);
    if (a == NULL)
        return -1;
    a->limit = bytes;
    return 0;
}

/* ---- states ------------------------------------------------------------------------------ */

void peri_listen(lua_State *L)
{
    peri_state_open(L);
    struct account *a = make_account(L);
    if (a != NULL)
        a->state = peri_getstate(L);
}

static void warn(void *ud, const char *message, int to_continue)
{
    static const char *const controls[] = {"@on", "@off"};
    (void)ud;
    for (size_t k = 0; k < 2; k++)
        if (strcmp(message, controls[k]) == 0)
            return;
    fputs(message, stderr);
    if (!to_continue)
        fputc('\n', stderr);
}

/* print through config->write: upvalue 1 is the function, upvalue 2 its ud. */
static int print_through(lua_State *L)
{
    void (*write)(void *, const char *, size_t);
    *(void **)(&write) = lua_touserdata(L, lua_upvalueindex(1));
    void *ud = lua_touserdata(L, lua_upvalueindex(2));
    const int n = lua_gettop(L);
    for (int i = 1; i <= n; i++) {
        size_t length;
        const char *text = luaL_tolstring(L, i, &length);
        if (i > 1)
            write(ud, "\t", 1);
        write(ud, text, length);
        lua_pop(L, 1);
    }
    write(ud, "\n", 1);
    return 0;
}

static int prepare(lua_State *L)
{
    const peri_config *config = lua_touserdata(L, 1);
    luaL_checkversion(L);
    luaL_openlibs(L);
    luaL_requiref(L, "perigee", luaopen_perigee, 0);
    lua_pop(L, 1);
    if (config != NULL && config->write != NULL) {
        void *function;
        memcpy(&function, &config->write, sizeof function);
        lua_pushlightuserdata(L, function);
        lua_pushlightuserdata(L, config->ud);
        lua_pushcclosure(L, print_through, 2);
        lua_setglobal(L, "print");
    }
    if (config != NULL && config->sandbox)
        peri_sandbox(L, config->read_from, config->write_to);
    return 0;
}

lua_State *peri_newstate(const peri_config *config)
{
    lua_State *L = lua_newstate(plain, NULL);
    if (L == NULL)
        return NULL;
    lua_setwarnf(L, config != NULL && config->warn != NULL ? config->warn : warn,
                 config != NULL ? config->ud : NULL);
    lua_pushcfunction(L, prepare);
    lua_pushlightuserdata(L, (void *)config);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK || (config != NULL && config->memory_limit != 0 &&
                                            peri_limit_memory(L, config->memory_limit) != 0)) {
        lua_close(L);
        return NULL;
    }
    peri_watch(L);
    return L;
}

void peri_register(lua_State *L, const char *name, lua_CFunction open)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

/* ---- arrays ------------------------------------------------------------------------------ */

bool peri_to_array(lua_State *L, int idx, peri_view *out)
{
    const peri_array *a = peri_test_array(L, idx);
    if (a == NULL)
        return false;
    *out = peri_view_of(a);
    return true;
}

peri_view peri_check_array(lua_State *L, int arg, int dtype, int ndim)
{
    const peri_array *a = peri_arg_array(L, arg, "a");
    if (dtype >= 0 && a->dtype != dtype)
        peri_argerror(L, arg, "expected %s, got %s", peri_dtype_name(dtype), peri_push_got(L, arg));
    if (ndim >= 0 && a->ndim != ndim)
        peri_argerror(L, arg, "expected %d axes, got shape %s", ndim,
                      peri_push_shape(L, a->ndim, a->shape));
    return peri_view_of(a);
}

peri_view peri_new_array(lua_State *L, int dtype, int ndim, const size_t *shape)
{
    return peri_view_of(peri_push_array(L, dtype, ndim, shape));
}

/* The owner of wrapped memory: the user value of the array that peri_wrap made. */
struct wrapped {
    bool gone;
    void (*release)(void *);
    void *ud;
};

static int collect_wrapped(lua_State *L);

static const peri_handle_kind wrapped_kind = {.name = "memory of the host",
                                              .close = collect_wrapped};

static void release(struct wrapped *w)
{
    if (!w->gone) {
        w->gone = true;
        if (w->release != NULL)
            w->release(w->ud);
    }
}

static int collect_wrapped(lua_State *L)
{
    struct wrapped *w = peri_test_handle(L, 1, &wrapped_kind);
    if (w != NULL)
        release(w);
    return 0;
}

int peri_wrap(lua_State *L, void *data, int dtype, int ndim, const size_t *shape,
              const ptrdiff_t *stride, void (*release_fn)(void *), void *ud)
{
    luaL_checkstack(L, 6, "array");
    struct wrapped *w = peri_push_handle(L, &wrapped_kind, sizeof *w, 0);
    *w = (struct wrapped){true, release_fn, ud};
    peri_push_foreign(L, -1, data, dtype, ndim, shape, stride, &w->gone);
    lua_remove(L, -2);
    w->gone = false; /* from here on release() is due */
    return 1;
}

void peri_detach(lua_State *L, int idx)
{
    if (lua_type(L, idx) != LUA_TUSERDATA || lua_getiuservalue(L, idx, 1) == LUA_TNONE) {
        lua_pop(L, lua_type(L, idx) == LUA_TUSERDATA ? 1 : 0);
        return;
    }
    /* Of a view the user value is the array, whose own is the memory. */
    if (peri_peek_array(L, -1) != NULL) {
        lua_getiuservalue(L, -1, 1);
        lua_remove(L, -2);
    }
    struct wrapped *w = peri_test_handle(L, -1, &wrapped_kind);
    if (w != NULL)
        release(w);
    lua_pop(L, 1);
}
