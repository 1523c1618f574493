/* SPDX-License-Identifier: MIT
 *
 * Functions as users know them. Each is a closure that knows its name in the manual and how its
 * arguments are counted, so that an error names it right, wherever it was kept and however it is
 * called. */
#ifndef PERIGEE_BIND_REGISTER_H
#define PERIGEE_BIND_REGISTER_H

#include <lauxlib.h>

#include "bind/rules.h"
#include "bind/state.h"

/* Heads the definition of a module's opener: PERI_OPENER(cpt) { ... }. Its row is in perigee.c. */
#define PERI_OPENER(name)                                                                          \
    int peri_open_##name(lua_State *L);                                                            \
    int peri_open_##name(lua_State *L)

/* How many arguments stand before the first that users count: none, or self. A primitive behind a
 * function of Lua may have more, or fewer. PERI_ONLY + n: whatever is wrong is argument n. */
enum { PERI_FUNCTION = 0, PERI_METHOD = 1, PERI_ONLY = 1 << 16 };

/* Functions of pg and of arrays are declared at the start, and made when their name is first asked
 * for: what is passed must last, and cost nothing. */

/* Array functions: each is both pg.name and a:name. */
void peri_array_functions(lua_State *L, const luaL_Reg *functions);

/* Array metamethods such as __add. */
void peri_array_metamethods(lua_State *L, const luaL_Reg *functions);

/* An array function of this name, and (metamethod not NULL or "") an operator, whose closure
 * carries `row` beside the usual upvalues: peri_row(L) gives it. `as_operator` runs for the
 * metamethod. */
void peri_array_operation(lua_State *L, const char *name, lua_CFunction function,
                          const char *metamethod, lua_CFunction as_operator, const void *row);

static inline const void *peri_row(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(PERI_UPVALUE_ROW));
}

/* Functions of pg alone, such as zeros. */
void peri_functions(lua_State *L, const luaL_Reg *functions);

/* Pushes the function of pg, or the method of arrays, that was declared by that name, and sets it
 * where it will be found; false, and nothing is pushed: there is none. */
bool peri_push_declared(lua_State *L, const char *name, bool method);

/* Adds their names to the `count` there are, up to `most`; returns how many there are then. */
int peri_declared_names(lua_State *L, const char *names[], int count, int most, bool method);

/* Sets all functions of pg, for who goes through its fields. */
void peri_open_declared(lua_State *L);

/* Pushes a table of functions that are called pg.MODULE.name. */
void peri_module(lua_State *L, const char *module, const luaL_Reg *functions);

/* A primitive behind a function written in Lua: its key in the table of primitives, and how errors
 * are to speak of it; `user` NULL is the key. */
typedef struct {
    const char *key;
    lua_CFunction function;
    const char *user;
    int shift;
} peri_primitive;

/* Pushes a table of primitives; the last row has a NULL for its key. */
void peri_primitives(lua_State *L, const peri_primitive *rows);

/* The same, of primitives that have a part in gradients by the rules "MODULE.key". */
void peri_primitives_of(lua_State *L, const char *module, const peri_primitive *rows);

/* Pushes the function of that name that lua/perigee/private/functions.lua has (`how` "find"), or
 * nil; how "method": only where it is one of arrays. Errors of Lua pass through. */
void peri_push_lua_function(lua_State *L, const char *how, const char *name);

/* Pushes the list of the names of those of pg. */
void peri_push_lua_names(lua_State *L);

/* Sets functions in the table on top of the stack: methods of a handle (PERI_METHOD), say. */
void peri_set_functions(lua_State *L, const luaL_Reg *functions, int shift);

/* named(f, name, shift [, place]) -> a closure of the registered function f that errors call by
 * that name, with place before the message. For lua/perigee, where one primitive is behind several
 * functions. */
int peri_named(lua_State *L);

/* Pushes the upvalues of such a closure up to what gradients know of it; the name is on top. */
void peri_push_upvalues(lua_State *L, int shift);

/* Then its last upvalues, what it is to a gradient (NULL: nothing); returns the function to make
 * the closure of: the one given, or one that records it. */
lua_CFunction peri_push_rule(lua_State *L, const peri_rule *rule, lua_CFunction function);

/* Its address is the registry's key of the module table pg. */
extern const char peri_pg_key;

/* Its address is the registry's key of the table of array methods. */
extern const char peri_methods_key;

#endif
