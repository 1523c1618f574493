/* SPDX-License-Identifier: MIT
 *
 * The part of perigee.h that the program needs beside it. */
#ifndef PERIGEE_BIND_EMBED_H
#define PERIGEE_BIND_EMBED_H

#include "bind/state.h"

/* Takes bytes that are allocated outside of Lua into the account of the memory limit, or gives them
 * back. False where they would pass the limit; always true where there is none. */
bool peri_charge(lua_State *L, size_t bytes);
void peri_refund(lua_State *L, size_t bytes);

/* The state without touching Lua's stack, so from a signal handler too; NULL when neither
 * peri_listen nor peri_watch was called. */
peri_state *peri_state_of(lua_State *L);

size_t peri_memory_limit(lua_State *L);

/* Makes kernels see peri_interrupt; peri_watch does so for Lua code as well. */
void peri_listen(lua_State *L);

#endif
