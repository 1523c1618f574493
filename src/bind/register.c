/* SPDX-License-Identifier: MIT */
#include "bind/register.h"

#include <stdint.h>

#include "bind/array.h"
#include "bind/state.h"

const char peri_methods_key, peri_pg_key;

/* Sets each function in the tables at the registry's keys (the second may be NULL). */
static void set_in(lua_State *L, const void *key, const void *other, const luaL_Reg *functions)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, other != NULL ? other : key);
    for (; functions->name != NULL; functions++) {
        lua_pushstring(L, functions->name);
        lua_pushlightuserdata(L, (void *)(uintptr_t)&peri_upvalues);
        lua_pushlightuserdata(L, peri_getstate(L));
        peri_push_array_meta(L);
        lua_pushcclosure(L, functions->func, PERI_UPVALUES);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -6);
        lua_rawset(L, -3);
    }
    lua_pop(L, 2);
}

void peri_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, NULL, functions);
}

void peri_array_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, &peri_methods_key, functions);
}

void peri_array_metamethods(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_array_meta, NULL, functions);
}
