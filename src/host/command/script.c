/* SPDX-License-Identifier: MIT */
#include "host/command/script.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/sandbox.h"
#include "host/call.h"

int peri_report(lua_State *L, int status)
{
    if (status != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        fprintf(stderr, "perigee: %s\n", message != NULL ? message : "(error without a message)");
        fflush(stderr);
        lua_pop(L, 1);
    }
    return status;
}

int peri_do_string(lua_State *L, const char *text, const char *name)
{
    int status = luaL_loadbufferx(L, text, strlen(text), name, peri_chunk_mode(L));
    if (status == LUA_OK)
        status = peri_call(L, 0, 0, false);
    return peri_report(L, status);
}

int peri_do_file(lua_State *L, const char *path)
{
    int status = luaL_loadfilex(L, path, peri_chunk_mode(L));
    if (status == LUA_OK)
        status = peri_call(L, 0, 0, false);
    return peri_report(L, status);
}
