/* SPDX-License-Identifier: MIT
 *
 * What the files that make up the array type share among themselves and with perigee.c. */
#ifndef PERIGEE_BIND_INTERNAL_H
#define PERIGEE_BIND_INTERNAL_H

#include "bind.h"

/* The mark of an array: its own address, made odd, so that no other userdata has it by chance or by
 * a metatable set on it. */
static inline uintptr_t peri_array_mark(const peri_array *a)
{
    return (uintptr_t)a ^ (uintptr_t)0x61526551;
}

/* Its address is the registry's key of the array metatable. */
extern const char peri_array_meta;

/* Its address is the registry's key of the module table pg. */
extern const char peri_pg_key;

/* Functions registered by peri_functions and its like carry these as upvalues, so that a call on
 * small arrays need not look them up in the registry: the light userdata &peri_upvalues, by which
 * they are known, the state, and the array metatable. */
enum { PERI_UPVALUE_KEY = 1, PERI_UPVALUE_STATE, PERI_UPVALUE_META, PERI_UPVALUES = 3 };
extern const char peri_upvalues;

static inline bool peri_has_upvalues(lua_State *L)
{
    /* Before 5.4.4 Lua must not be asked outside a C function, where hosts call as well. */
    return LUA_VERSION_RELEASE_NUM >= 50404 &&
           lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_KEY)) == (const void *)&peri_upvalues;
}

/* Pushes the array metatable. */
void peri_push_array_meta(lua_State *L);

/* Pushes the nested table at arg as an array. */
peri_array *peri_push_table(lua_State *L, int arg, const char *name, int dtype);

/* Its address is the registry's key of the table of array methods. */
extern const char peri_methods_key;

/* Makes the state and the array metatable; safe to call twice. */
void peri_state_open(lua_State *L);

/* The name of the running C function as users know it. */
const char *peri_push_name(lua_State *L);

/* The state without touching Lua's stack, so from a signal handler too; NULL when neither
 * peri_listen nor peri_watch was called. */
peri_state *peri_state_of(lua_State *L);

size_t peri_memory_limit(lua_State *L);

/* Makes kernels see peri_interrupt; peri_watch does so for Lua code as well. */
void peri_listen(lua_State *L);

/* Pushes an array over memory that the userdata at owner_idx keeps alive until *gone. */
peri_array *peri_push_foreign(lua_State *L, int owner_idx, void *data, int dtype, int ndim,
                              const size_t *shape, const ptrdiff_t *stride, const bool *gone);

/* Adds bytes of array memory to the account, and collects when it is due. */
void peri_count_bytes(lua_State *L, size_t bytes);

/* Bytes the Lua state holds, arrays included; remembers the peak. */
size_t peri_bytes_held(lua_State *L);

#endif
