/* SPDX-License-Identifier: MIT
 *
 * The chunks of lua/perigee, and the globals that they see: those of the state, but for the ones
 * that a chunk has to rely on, which are as they were when Perigee was opened. A script that puts
 * something else into pcall or table.concat changes its own life and not what the library does. */
#ifndef PERIGEE_BIND_CHUNK_H
#define PERIGEE_BIND_CHUNK_H

#include <stddef.h>

#include <lua.h>

/* Keeps the globals as they are now. */
void peri_chunk_open(lua_State *L);

/* Pushes the chunk as a function; raises where it does not compile. */
void peri_push_chunk(lua_State *L, const char *name, const char *text, size_t length);

#endif
