/* SPDX-License-Identifier: MIT
 *
 * Runs a script that sets its own memory limit: limit(bytes), 0 for none. */
#include <stdio.h>

#include <lauxlib.h>
#include <perigee.h>

static int limit(lua_State *L)
{
    return peri_limit_memory(L, (size_t)luaL_checkinteger(L, 1)) == 0
               ? 0
               : luaL_error(L, "no account can be kept");
}

int main(int argc, char **argv)
{
    lua_State *L = argc == 2 ? peri_newstate(NULL) : NULL;
    if (L == NULL)
        return 2;
    lua_register(L, "limit", limit);
    const int status = luaL_dofile(L, argv[1]);
    if (status != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return status != LUA_OK;
}
