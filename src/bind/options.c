/* SPDX-License-Identifier: MIT */
#include "bind/options.h"

#include <string.h>

#include <lauxlib.h>

#include "bind/args.h"
#include "bind/errors.h"
#include "bind/say.h"

void peri_options(lua_State *L, int arg, const char *const names[])
{
    if (lua_isnoneornil(L, arg)) {
        if (lua_isnone(L, arg))
            lua_settop(L, arg);
        return;
    }
    if (lua_type(L, arg) != LUA_TTABLE)
        peri_argerror(L, arg, "options: expected a table, got %s", peri_push_got(L, arg));
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            peri_argerror(L, arg, "options: expected names such as %s=, got [%s]",
                          names[0] != NULL ? names[0] : "name", luaL_tolstring(L, -1, NULL));
        const char *key = lua_tostring(L, -1);
        int k = 0;
        while (names[k] != NULL && strcmp(names[k], key) != 0)
            k++;
        if (names[k] == NULL) {
            const char *near = peri_nearest(key, names);
            if (near != NULL)
                peri_argerror(L, arg, "unknown option '%s'; did you mean '%s'?", key, near);
            luaL_Buffer b;
            luaL_buffinit(L, &b);
            for (int i = 0; names[i] != NULL; i++) {
                luaL_addstring(&b, i > 0 ? ", " : "");
                luaL_addstring(&b, names[i]);
            }
            luaL_pushresult(&b);
            peri_argerror(L, arg, "unknown option '%s'; there are: %s", key, lua_tostring(L, -1));
        }
    }
}

int peri_option_push(lua_State *L, int arg, const char *name)
{
    if (lua_type(L, arg) != LUA_TTABLE) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    lua_pushstring(L, name);
    return lua_rawget(L, arg);
}

bool peri_option_given(lua_State *L, int arg, const char *name)
{
    const bool given = peri_option_push(L, arg, name) != LUA_TNIL;
    lua_pop(L, 1);
    return given;
}

double peri_option_number(lua_State *L, int arg, const char *name, double def)
{
    const int type = peri_option_push(L, arg, name);
    if (type != LUA_TNIL && type != LUA_TNUMBER)
        peri_argerror(L, arg, "%s: expected a number, got %s", name, peri_push_got(L, -1));
    const double value = type == LUA_TNIL ? def : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

lua_Integer peri_option_integer(lua_State *L, int arg, const char *name, lua_Integer def,
                                lua_Integer lo, lua_Integer hi)
{
    const int type = peri_option_push(L, arg, name);
    int exact = type == LUA_TNIL;
    lua_Integer value = def;
    if (type == LUA_TNUMBER)
        value = lua_tointegerx(L, -1, &exact);
    if (!exact)
        peri_argerror(L, arg, "%s: expected an integer, got %s", name, peri_push_got(L, -1));
    if (type != LUA_TNIL && (value < lo || value > hi))
        peri_argerror(L, arg, "%s: expected an integer in %I..%I, got %I", name, (LUAI_UACINT)lo,
                      (LUAI_UACINT)hi, (LUAI_UACINT)value);
    lua_pop(L, 1);
    return value;
}

bool peri_option_boolean(lua_State *L, int arg, const char *name, bool def)
{
    const int type = peri_option_push(L, arg, name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        peri_argerror(L, arg, "%s: expected true or false, got %s", name, peri_push_got(L, -1));
    const bool value = type == LUA_TNIL ? def : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

int peri_option_choice(lua_State *L, int arg, const char *name, const char *const choices[],
                       int def)
{
    const int type = peri_option_push(L, arg, name);
    int chosen = def;
    if (type != LUA_TNIL) {
        const char *value = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
        for (chosen = 0; choices[chosen] != NULL; chosen++)
            if (strcmp(choices[chosen], value) == 0)
                break;
        if (choices[chosen] == NULL) {
            luaL_Buffer b;
            const char *got = peri_push_got(L, -1);
            luaL_buffinit(L, &b);
            for (int i = 0; choices[i] != NULL; i++) {
                luaL_addstring(&b, i > 0 ? ", \"" : "\"");
                luaL_addstring(&b, choices[i]);
                luaL_addchar(&b, '"');
            }
            luaL_pushresult(&b);
            peri_argerror(L, arg, "%s: expected one of %s, got %s", name, lua_tostring(L, -1), got);
        }
    }
    lua_pop(L, 1);
    return chosen;
}

int peri_option_dtype(lua_State *L, int arg, int def, bool stored)
{
    if (peri_option_push(L, arg, "dtype") != LUA_TNIL)
        def = peri_value_dtype(L, -1, arg, stored ? PERI_DTYPES : PERI_REAL_DTYPES);
    lua_pop(L, 1);
    return def;
}
