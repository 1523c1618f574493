/* SPDX-License-Identifier: MIT
 *
 * Handles: userdata of ours that scripts may hold and never look into.
 *
 * A kind is a static row, whose address is the registry's key of its metatable. getmetatable() of a
 * handle gives false, or where it has no finaliser the kind's name, so that its functions cannot be
 * had or exchanged; still each looks at what it is given, for hosts and methods reach them. */
#ifndef PERIGEE_BIND_HANDLE_H
#define PERIGEE_BIND_HANDLE_H

#include <stddef.h>

#include <lauxlib.h>

typedef struct {
    const char *name;    /* what a message says it got */
    lua_CFunction close; /* __gc and __close, called more than once; or NULL */
} peri_handle_kind;

/* Gives the kind its methods. For an opener, before the first handle. */
void peri_handle_methods(lua_State *L, const peri_handle_kind *kind, const luaL_Reg *methods);

/* Pushes a handle of `size` bytes, all zero, with `values` user values. What close finds must be
 * right from the start: fill it after this, and acquire last. */
void *peri_push_handle(lua_State *L, const peri_handle_kind *kind, size_t size, int values);

/* The handle at idx, NULL where it is none of this kind. */
void *peri_test_handle(lua_State *L, int idx, const peri_handle_kind *kind);

/* The handle at arg, else an error that names the argument. */
void *peri_arg_handle(lua_State *L, int arg, const char *name, const peri_handle_kind *kind);

#endif
