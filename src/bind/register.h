/* SPDX-License-Identifier: MIT
 *
 * Functions as users know them: what opens a module, and what pg and arrays get from it. */
#ifndef PERIGEE_BIND_REGISTER_H
#define PERIGEE_BIND_REGISTER_H

#include <lauxlib.h>

/* Heads the definition of a module's opener: PERI_OPENER(cpt) { ... }. Its row is in perigee.c. */
#define PERI_OPENER(name)                                                                          \
    int peri_open_##name(lua_State *L);                                                            \
    int peri_open_##name(lua_State *L)

/* Array functions: each is both pg.name and a:name. */
void peri_array_functions(lua_State *L, const luaL_Reg *functions);

/* Array metamethods such as __add. */
void peri_array_metamethods(lua_State *L, const luaL_Reg *functions);

/* Functions of pg alone, such as zeros. */
void peri_functions(lua_State *L, const luaL_Reg *functions);

/* Its address is the registry's key of the module table pg. */
extern const char peri_pg_key;

/* Its address is the registry's key of the table of array methods. */
extern const char peri_methods_key;

#endif
