/* SPDX-License-Identifier: MIT
 *
 * The interactive prompt: a line at a time, results printed without `=`. */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "perigee.h"
#include "script.h"

int peri_repl(lua_State *L)
{
    char line[4096];
    luaopen_perigee(L);
    lua_setglobal(L, "pg");
    for (;;) {
        fputs("> ", stdout);
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == NULL)
            break;
        const int base = lua_gettop(L);
        const char *expression = lua_pushfstring(L, "return %s", line);
        int status = luaL_loadbuffer(L, expression, strlen(expression), "=stdin");
        if (status != LUA_OK) {
            lua_pop(L, 1);
            status = luaL_loadbuffer(L, line, strlen(line), "=stdin");
        }
        lua_remove(L, base + 1);
        if (status == LUA_OK)
            status = peri_call(L, 0, LUA_MULTRET);
        if (peri_report(L, status) == LUA_OK && lua_gettop(L) > base) {
            lua_getglobal(L, "print");
            lua_insert(L, base + 1);
            peri_report(L, peri_call(L, lua_gettop(L) - base - 1, 0));
        }
        lua_settop(L, base);
    }
    return 0;
}
