/* SPDX-License-Identifier: MIT
 *
 * What bindings that read or write files share. */
#ifndef PERIGEE_BIND_IO_H
#define PERIGEE_BIND_IO_H

#include "bind/bind.h"
#include "format/fault.h"
#include "format/memory.h"

/* The state's own allocator, so that its limit counts what readers and writers take. */
peri_memory peri_state_memory(lua_State *L);

/* Raises "PATH: reason detail (byte N)". Returns when status is PERI_IO_OK. */
void peri_check_io(lua_State *L, const char *path, peri_io status, const peri_fault *fault);

/* Gives the table on top of the stack a __pairs that goes through its keys in order. */
void peri_order_keys(lua_State *L);

/* Pushes pg.none. */
void peri_push_none(lua_State *L);

#endif
