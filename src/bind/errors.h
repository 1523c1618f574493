/* SPDX-License-Identifier: MIT
 *
 * Errors: the one place that turns facts into sentences.
 *
 * None of these returns, but peri_check where all is well. */
#ifndef PERIGEE_BIND_ERRORS_H
#define PERIGEE_BIND_ERRORS_H

#include <lua.h>

#include "kernel/status.h"

/* None of these returns; the int is for `return peri_error(...)`, as with luaL_error. */
#define PERI_NORETURN __attribute__((noreturn))

/* Raises "bad argument #N to 'sum' (...)". The formats are those of lua_pushfstring. */
PERI_NORETURN int peri_argerror(lua_State *L, int arg, const char *format, ...);

/* Raises "position: sum: ...", for what is not one argument's fault. */
PERI_NORETURN int peri_error(lua_State *L, const char *format, ...);

/* Raises "position: ...", for operators and indexing, which have no name. */
PERI_NORETURN int peri_raise(lua_State *L, const char *format, ...);

/* Raises "interrupted!" for a request to stop that was made. */
PERI_NORETURN void peri_raise_stop(lua_State *L);

/* Raises the sentence for a kernel's status, naming the argument at arg (0: none). Returns when
 * status is PERI_OK. */
void peri_check(lua_State *L, int arg, peri_status status, const peri_facts *facts);

/* What to write instead of a name that another library has, in the place "pg", "array", "rng" or a
 * module's name; NULL where the table of habits has none. Leaves values on the stack. */
const char *peri_push_cure(lua_State *L, const char *place, const char *name);

/* Pushes the name of the running C function as users know it. */
const char *peri_push_name(lua_State *L);

/* The first level from `level` on that is a script's, neither C nor of lua/perigee; 0: none. */
int peri_user_level(lua_State *L, int level);

#endif
