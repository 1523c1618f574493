/* SPDX-License-Identifier: MIT
 *
 * Running chunks as the program does: with a traceback, an interrupt and a message. */
#ifndef PERIGEE_HOST_SCRIPT_H
#define PERIGEE_HOST_SCRIPT_H

#include <lua.h>

/* lua_pcall with a traceback as message handler, and Ctrl-C turned into the error "interrupted!".
 * A second Ctrl-C before the first was heard ends the process. */
int peri_call(lua_State *L, int nargs, int nresults);

/* Where status is not LUA_OK, writes the message on top of the stack to standard error as
 * "perigee: message" and pops it. Returns status. */
int peri_report(lua_State *L, int status);

/* Loads and runs a string or a file (NULL: standard input) and reports its error. */
int peri_do_string(lua_State *L, const char *text, const char *name);
int peri_do_file(lua_State *L, const char *path);

#endif
