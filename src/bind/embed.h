/* SPDX-License-Identifier: MIT
 *
 * The part of perigee.h that the program needs beside it. */
#ifndef PERIGEE_BIND_EMBED_H
#define PERIGEE_BIND_EMBED_H

#include "bind/state.h"

/* Whether the memory limit leaves room for so many bytes; collects first where it does not seem so,
 * since Lua's own last resort calls no finalisers. True where there is no limit. */
bool peri_has_room(lua_State *L, size_t bytes);

/* The state without touching Lua's stack, so from a signal handler too; NULL when neither
 * peri_listen nor peri_watch was called. */
peri_state *peri_state_of(lua_State *L);

size_t peri_memory_limit(lua_State *L);

/* Makes kernels see peri_interrupt; peri_watch does so for Lua code as well. */
void peri_listen(lua_State *L);

#endif
