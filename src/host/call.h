/* SPDX-License-Identifier: MIT
 *
 * A call that Ctrl-C stops and whose error has a traceback: what the prompt and the program make of
 * lua_pcall. */
#ifndef PERIGEE_HOST_CALL_H
#define PERIGEE_HOST_CALL_H

#include <stdbool.h>

#include <lua.h>

/* lua_pcall with a traceback as message handler, and Ctrl-C turned into the error "interrupted!",
 * which is raised once; never after the call. A further Ctrl-C ends a script's process; at the
 * prompt, which keeps variables, it is raised until the call has ended. */
int peri_call(lua_State *L, int nargs, int nresults, bool prompt);

/* The prompt, which first runs a script (NULL: none) so that its locals stay. 0 where all went
 * well. */
int peri_repl_script(lua_State *L, const char *script);

/* Adds a hint to the message on top of the stack, of source text that does not compile, where a
 * habit of another language is the cause. */
void peri_explain_refused(lua_State *L, const char *text);

#endif
