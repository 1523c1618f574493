/* SPDX-License-Identifier: MIT */
#include "bind/handle.h"

#include <stdbool.h>
#include <string.h>

#include "bind/errors.h"
#include "bind/register.h"
#include "bind/say.h"

static void push_metatable(lua_State *L, const peri_handle_kind *kind)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, kind) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 5);
    lua_pushstring(L, kind->name);
    lua_setfield(L, -2, "__name");
    if (kind->close != NULL)
        lua_pushboolean(L, false);
    else
        lua_pushstring(L, kind->name);
    lua_setfield(L, -2, "__metatable");
    if (kind->close != NULL) {
        lua_pushcfunction(L, kind->close);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, kind->close);
        lua_setfield(L, -2, "__close");
    }
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, kind);
}

void peri_handle_methods(lua_State *L, const peri_handle_kind *kind, const luaL_Reg *methods)
{
    push_metatable(L, kind);
    lua_newtable(L);
    peri_set_functions(L, methods, PERI_METHOD);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void *peri_push_handle(lua_State *L, const peri_handle_kind *kind, size_t size, int values)
{
    luaL_checkstack(L, 8, "handle");
    push_metatable(L, kind);
    void *handle = memset(lua_newuserdatauv(L, size, values), 0, size);
    lua_rotate(L, -2, 1);
    lua_setmetatable(L, -2);
    return handle;
}

void *peri_test_handle(lua_State *L, int idx, const peri_handle_kind *kind)
{
    if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, kind);
    const int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? lua_touserdata(L, idx) : NULL;
}

void *peri_arg_handle(lua_State *L, int arg, const char *name, const peri_handle_kind *kind)
{
    void *handle = peri_test_handle(L, arg, kind);
    if (handle == NULL)
        peri_argerror(L, arg, "%s: expected %s, got %s", name, kind->name, peri_push_got(L, arg));
    return handle;
}
