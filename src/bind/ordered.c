/* SPDX-License-Identifier: MIT
 *
 * Tables with names, whose pairs come in order, and pg.none. */
#include "bind/ordered.h"

#include <lualib.h>

static const char none_key, names_key;

void peri_push_none(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &none_key);
}

static bool key_less(lua_State *L, int a, int b)
{
    const int ta = lua_type(L, a), tb = lua_type(L, b);
    if (ta != tb)
        return ta == LUA_TNUMBER || (tb != LUA_TNUMBER && ta < tb);
    if (ta == LUA_TNUMBER || ta == LUA_TSTRING)
        return lua_compare(L, a, b, LUA_OPLT) != 0;
    if (ta == LUA_TBOOLEAN)
        return lua_toboolean(L, a) < lua_toboolean(L, b);
    return false;
}

static int compare_keys(lua_State *L)
{
    lua_pushboolean(L, key_less(L, 1, 2));
    return 1;
}

/* An iterator: its upvalues are the table, its keys in order, and which of them was given last. */
static int next_key(lua_State *L)
{
    enum { TABLE = 1, KEYS, PLACE };
    lua_settop(L, 0);
    for (lua_Integer at = lua_tointeger(L, lua_upvalueindex(PLACE)) + 1;; at++) {
        lua_pushinteger(L, at);
        lua_replace(L, lua_upvalueindex(PLACE));
        if (lua_rawgeti(L, lua_upvalueindex(KEYS), at) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(TABLE)) != LUA_TNIL) /* it may be gone by now */
            return 2;
        lua_settop(L, 0);
    }
}

void peri_sort_keys(lua_State *L, int list)
{
    const int top = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, LUA_TABLIBNAME);
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "sort");
        lua_pushvalue(L, list);
        lua_pushcfunction(L, compare_keys);
        lua_call(L, 2, 0);
    }
    lua_settop(L, top);
}

static int ordered_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_Integer n = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++n);
    }
    peri_sort_keys(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_key, 3);
    return 1;
}

void peri_order_keys(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key);
    lua_setmetatable(L, -2);
}

static int none_text(lua_State *L)
{
    lua_pushliteral(L, "none");
    return 1;
}

/*** pg.none
 * Python's None and JSON's null where a table holds one, so that the place is kept.
 * @example tostring(pg.none) --> none
 */
static void make_none(lua_State *L)
{
    lua_newuserdatauv(L, 1, 0);
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, none_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "none");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "none");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &none_key);
}

void peri_ordered_open(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    make_none(L);
    lua_setfield(L, -2, "none");
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, ordered_pairs);
    lua_setfield(L, -2, "__pairs");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
}
