/* SPDX-License-Identifier: MIT
 *
 * Walks everything a sandboxed script can reach and looks for what it must not: from the globals
 * through tables, their keys and metatables as getmetatable shows them, after every module of pg
 * has been opened. Prints how much was walked and what was found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bind/sandbox.h"
#include "perigee.h"

enum { MOST = 128 };

static struct {
    lua_CFunction function;
    char name[64];
} forbidden[MOST];
static int forbidden_count;
static long walked, found;

static void forbid(lua_State *L, const char *library, const char *name)
{
    if (library != NULL)
        lua_getglobal(L, library);
    else
        lua_pushglobaltable(L);
    lua_getfield(L, -1, name);
    if (lua_tocfunction(L, -1) == NULL || forbidden_count == MOST) {
        fprintf(stderr, "%s.%s is no C function\n", library != NULL ? library : "_G", name);
        exit(1);
    }
    forbidden[forbidden_count].function = lua_tocfunction(L, -1);
    snprintf(forbidden[forbidden_count].name, sizeof forbidden[0].name, "%s.%s",
             library != NULL ? library : "_G", name);
    forbidden_count++;
    lua_pop(L, 2);
}

static void forbid_all(lua_State *L)
{
    static const char *const rows[][2] = {
        {NULL, "load"},         {NULL, "loadfile"},        {NULL, "dofile"},    {"io", "open"},
        {"io", "popen"},        {"io", "lines"},           {"io", "input"},     {"io", "output"},
        {"io", "tmpfile"},      {"os", "execute"},         {"os", "remove"},    {"os", "rename"},
        {"os", "tmpname"},      {"os", "getenv"},          {"os", "setlocale"}, {"string", "dump"},
        {"package", "loadlib"}, {"package", "searchpath"},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        forbid(L, rows[k][0], rows[k][1]);
    lua_getglobal(L, "debug");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        forbid(L, "debug", lua_tostring(L, -1));
    }
    lua_pop(L, 1);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (int k = 2; k <= 4; k++) {
        lua_rawgeti(L, -1, k);
        forbidden[forbidden_count].function = lua_tocfunction(L, -1);
        snprintf(forbidden[forbidden_count++].name, sizeof forbidden[0].name, "searcher %d", k);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

/* Visits the value on top and pops it. The table of what was seen is at index 1. */
static void visit(lua_State *L, int depth)
{
    luaL_checkstack(L, 10, "walk");
    const lua_CFunction function = lua_tocfunction(L, -1);
    for (int k = 0; function != NULL && k < forbidden_count; k++)
        if (function == forbidden[k].function) {
            printf("reachable: %s\n", forbidden[k].name);
            found++;
        }
    const void *pointer = lua_topointer(L, -1);
    if (pointer == NULL || lua_rawgetp(L, 1, pointer) != LUA_TNIL) {
        lua_pop(L, pointer == NULL ? 1 : 2);
        return;
    }
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
    lua_rawsetp(L, 1, pointer);
    walked++;
    /* As getmetatable shows it: a __metatable field hides the rest. */
    if (lua_getmetatable(L, -1)) {
        lua_pushliteral(L, "__metatable");
        if (lua_rawget(L, -2) == LUA_TNIL) {
            lua_pop(L, 1);
            visit(L, depth + 1);
        } else {
            visit(L, depth + 1);
            lua_pop(L, 1);
        }
    }
    if (lua_istable(L, -1) && depth < 150) {
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            lua_pushvalue(L, -2);
            visit(L, depth + 1);
            visit(L, depth + 1);
        }
    }
    lua_pop(L, 1);
}

static int walk(lua_State *L)
{
    lua_settop(L, 0);
    lua_newtable(L);
    lua_pushliteral(L, "text");
    lua_getmetatable(L, -1);
    visit(L, 0);
    lua_pop(L, 1);
    lua_pushglobaltable(L);
    visit(L, 0);
    return 0;
}

int main(void)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    peri_register(L, "perigee", luaopen_perigee);
    forbid_all(L);
    peri_sandbox(L, ".", "out");
    if (luaL_dostring(L,
                      "pg = require 'perigee' "
                      "opened = 0 "
                      "for _, name in ipairs(pg._modules()) do "
                      "  if pcall(function() return pg[name] end) then opened = opened + 1 end "
                      "end "
                      "things = {pg.random.new(1), pg.ones(2), pg.range(1, 6):reshape(2, 3).T, "
                      "  pg.ppca.fit(pg.random.new(1):random(9, 4), 2), coroutine.create(print), "
                      "  io.stdout, pg.plot.figure{}, pg.linalg} ") != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_getglobal(L, "opened");
    const long opened = (long)lua_tointeger(L, -1);
    lua_pushcfunction(L, walk);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_close(L);
    printf("sandbox walk: %ld values, %ld modules opened, %d functions forbidden, %ld reachable\n",
           walked, opened, forbidden_count, found);
    return found != 0 || walked < 500 || opened < 20;
}
