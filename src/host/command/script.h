/* SPDX-License-Identifier: MIT
 *
 * Running chunks as the program does: what goes wrong is written to standard error. */
#ifndef PERIGEE_HOST_COMMAND_SCRIPT_H
#define PERIGEE_HOST_COMMAND_SCRIPT_H

#include <lua.h>

/* Where status is not LUA_OK, writes the message on top of the stack to standard error as
 * "perigee: message" and pops it. Returns status. */
int peri_report(lua_State *L, int status);

/* luaL_loadfilex with a hint where a habit of another language is the cause of its error. */
int peri_load_file(lua_State *L, const char *path);

/* Loads and runs a string or a file (NULL: standard input) and reports its error. */
int peri_do_string(lua_State *L, const char *text, const char *name);
int peri_do_file(lua_State *L, const char *path);

#endif
