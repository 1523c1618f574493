/* SPDX-License-Identifier: MIT
 *
 * The sandbox: what a script that one did not write may reach.
 *
 * It may compute, print, load text chunks, read files in its own folder and read and write files in
 * its output folder. Not reachable are bytecode, the debug library, programs, C modules and every
 * other file. The functions that would give them are taken away or replaced; those of ours that
 * touch files or processes ask here first, so that it does not matter who holds them.
 */
#ifndef PERIGEE_BIND_SANDBOX_H
#define PERIGEE_BIND_SANDBOX_H

#include <lua.h>

/* Closes the state, whose standard libraries are open. The folders need not exist yet; NULL is
 * none. Cannot be undone. */
void peri_sandbox(lua_State *L, const char *read_folder, const char *write_folder);

/* Raise where the state is closed and the file at path may not be read, or written. */
void peri_may_read(lua_State *L, const char *path);
void peri_may_write(lua_State *L, const char *path);

/* Raises where the state is closed: `what` is the subject of "... are not for a sandboxed script".
 */
void peri_outside_sandbox(lua_State *L, const char *what);

/* "t" where the state is closed, else NULL: the mode of luaL_loadbufferx. */
const char *peri_chunk_mode(lua_State *L);

#endif
