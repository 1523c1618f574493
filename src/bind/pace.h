/* SPDX-License-Identifier: MIT
 *
 * When to collect: how the memory of arrays weighs with Lua's collector. */
#ifndef PERIGEE_BIND_PACE_H
#define PERIGEE_BIND_PACE_H

#include <stddef.h>

#include <lua.h>

struct peri_state;

/* Adds bytes of array memory to the account, and collects when it is due. */
void peri_count_bytes(lua_State *L, size_t bytes);

/* The same, by who knows the state. */
void peri_count_bytes_of(lua_State *L, struct peri_state *state, size_t bytes);

/* Bytes the Lua state holds, arrays included; remembers the peak. */
size_t peri_bytes_held(lua_State *L);

#endif
