/* SPDX-License-Identifier: MIT */
#include "bind/chunk.h"

#include <lauxlib.h>
#include <lualib.h>

static const char environment_key;

/* Copies the table on top of the stack. */
static void push_copy(lua_State *L)
{
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, -3)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
}

/* Not among them: what the sandbox exchanges (load, io, os, ...), and print, which hosts and
 * scripts exchange so that ours goes there too. */
void peri_chunk_open(lua_State *L)
{
    static const char *const functions[] = {
        "assert",   "error",    "getmetatable", "ipairs", "next",   "pairs",
        "pcall",    "rawequal", "rawget",       "rawlen", "rawset", "select",
        "tonumber", "tostring", "setmetatable", "type",   "xpcall",
    };
    static const char *const libraries[] = {LUA_COLIBNAME, LUA_MATHLIBNAME, LUA_TABLIBNAME,
                                            LUA_UTF8LIBNAME};
    luaL_checkstack(L, 8, "globals");
    lua_newtable(L);
    lua_pushglobaltable(L);
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        lua_pushstring(L, functions[k]);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        lua_rawset(L, -4);
    }
    for (size_t k = 0; k < sizeof libraries / sizeof *libraries; k++) {
        lua_pushstring(L, libraries[k]);
        if (lua_rawget(L, -2) == LUA_TTABLE) {
            push_copy(L);
            lua_setfield(L, -4, libraries[k]);
        }
        lua_pop(L, 1);
    }
    /* Of string all but dump, which the sandbox takes away. */
    lua_pushstring(L, LUA_STRLIBNAME);
    if (lua_rawget(L, -2) == LUA_TTABLE) {
        push_copy(L);
        lua_pushnil(L);
        lua_setfield(L, -2, "dump");
        lua_setfield(L, -4, LUA_STRLIBNAME);
    }
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &environment_key);
}

void peri_push_chunk(lua_State *L, const char *name, const char *text, size_t length)
{
    lua_pushfstring(L, "=perigee/%s.lua", name);
    if (luaL_loadbufferx(L, text, length, lua_tostring(L, -1), "t") != LUA_OK)
        lua_error(L);
    lua_remove(L, -2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &environment_key);
    lua_setupvalue(L, -2, 1); /* _ENV */
}
