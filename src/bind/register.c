/* SPDX-License-Identifier: MIT */
#include "bind/register.h"

#include <stdint.h>

#include "bind/array.h"
#include "bind/state.h"

const char peri_methods_key, peri_pg_key;

/* Makes a closure of the function, its name being on top, which it takes. */
static void push_closure_of(lua_State *L, lua_CFunction function, int shift, const void *row)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&peri_upvalues);
    lua_pushlightuserdata(L, peri_getstate(L));
    peri_push_array_meta(L);
    lua_rotate(L, -4, -1);
    lua_pushinteger(L, shift);
    lua_pushnil(L);
    if (row != NULL)
        lua_pushlightuserdata(L, (void *)(uintptr_t)row);
    lua_pushcclosure(L, function, PERI_UPVALUES + (row != NULL));
}

static void push_closure(lua_State *L, lua_CFunction function, int shift)
{
    push_closure_of(L, function, shift, NULL);
}

/* Sets the function in the table at index `table`, by its key. */
static void set(lua_State *L, int table, const luaL_Reg *row, int shift)
{
    lua_pushstring(L, row->name);
    lua_pushvalue(L, -1);
    push_closure(L, row->func, shift);
    lua_rawset(L, table);
}

void peri_set_functions(lua_State *L, const luaL_Reg *functions, int shift)
{
    const int table = lua_gettop(L);
    luaL_checkstack(L, 8, "functions");
    for (; functions->name != NULL; functions++)
        set(L, table, functions, shift);
}

static void set_in(lua_State *L, const void *key, const luaL_Reg *functions, int shift)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    peri_set_functions(L, functions, shift);
    lua_pop(L, 1);
}

void peri_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, functions, PERI_FUNCTION);
}

void peri_array_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, functions, PERI_FUNCTION);
    set_in(L, &peri_methods_key, functions, PERI_METHOD);
}

void peri_array_metamethods(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_array_meta, functions, PERI_FUNCTION);
}

void peri_module(lua_State *L, const char *module, const luaL_Reg *functions)
{
    luaL_checkstack(L, 8, "functions");
    lua_newtable(L);
    for (; functions->name != NULL; functions++) {
        lua_pushfstring(L, "%s.%s", module, functions->name);
        push_closure(L, functions->func, PERI_FUNCTION);
        lua_setfield(L, -2, functions->name);
    }
}

void peri_primitives(lua_State *L, const peri_primitive *rows)
{
    luaL_checkstack(L, 8, "functions");
    lua_newtable(L);
    for (; rows->key != NULL; rows++) {
        lua_pushstring(L, rows->user != NULL ? rows->user : rows->key);
        push_closure(L, rows->function, rows->shift);
        lua_setfield(L, -2, rows->key);
    }
}

int peri_named(lua_State *L)
{
    lua_settop(L, 4);
    const char *first = lua_getupvalue(L, 1, PERI_UPVALUE_KEY);
    if (!lua_iscfunction(L, 1) || first == NULL ||
        lua_touserdata(L, -1) != (const void *)&peri_upvalues)
        return luaL_argerror(L, 1, "expected a function of Perigee's own");
    luaL_checktype(L, 2, LUA_TSTRING);
    const lua_Integer shift = luaL_optinteger(L, 3, PERI_FUNCTION);
    luaL_argcheck(L, shift >= -16 && shift <= 2 * PERI_ONLY, 3, "out of range");
    const void *row = lua_getupvalue(L, 1, PERI_UPVALUE_ROW) != NULL ? lua_touserdata(L, -1) : NULL;
    lua_pushvalue(L, 2);
    push_closure_of(L, lua_tocfunction(L, 1), (int)shift, row);
    if (lua_type(L, 4) == LUA_TSTRING) {
        lua_pushvalue(L, 4);
        lua_setupvalue(L, -2, PERI_UPVALUE_PLACE);
    }
    return 1;
}

static void set_operation(lua_State *L, const void *key, const char *field, const char *name,
                          lua_CFunction function, int shift, const void *row)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_pushstring(L, name);
    push_closure_of(L, function, shift, row);
    lua_setfield(L, -2, field);
    lua_pop(L, 1);
}

void peri_array_operation(lua_State *L, const char *name, lua_CFunction function,
                          const char *metamethod, lua_CFunction as_operator, const void *row)
{
    luaL_checkstack(L, 12, "functions");
    set_operation(L, &peri_pg_key, name, name, function, PERI_FUNCTION, row);
    set_operation(L, &peri_methods_key, name, name, function, PERI_METHOD, row);
    if (metamethod != NULL && *metamethod != 0)
        set_operation(L, &peri_array_meta, metamethod, name, as_operator, PERI_FUNCTION, row);
}
