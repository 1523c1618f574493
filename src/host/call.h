/* SPDX-License-Identifier: MIT
 *
 * A call that Ctrl-C stops and whose error has a traceback: what the prompt and the program make of
 * lua_pcall. */
#ifndef PERIGEE_HOST_CALL_H
#define PERIGEE_HOST_CALL_H

#include <lua.h>

/* lua_pcall with a traceback as message handler, and Ctrl-C turned into the error "interrupted!".
 * A second Ctrl-C before the first was heard ends the process. */
int peri_call(lua_State *L, int nargs, int nresults);

#endif
