/* SPDX-License-Identifier: MIT
 *
 * A state over the host's own allocator, which holds so many bytes and no more. What the library
 * keeps of arrays that are gone is given back when the host has nothing left. */
#include <stdio.h>
#include <stdlib.h>

#include <perigee.h>

#include <lauxlib.h>
#include <lualib.h>

static size_t held, most;

static void *allocate(void *ud, void *block, size_t old, size_t new)
{
    (void)ud;
    if (block == NULL)
        old = 0;
    if (new > old && most != 0 && held + (new - old) > most)
        return NULL;
    if (new == 0)
        free(block);
    else if ((block = realloc(block, new)) == NULL)
        return NULL;
    held = held - old + new;
    return new != 0 ? block : NULL;
}

static void run(lua_State *L, const char *text)
{
    if (luaL_dostring(L, text) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        exit(1);
    }
}

int main(void)
{
    lua_State *L = lua_newstate(allocate, NULL);
    luaL_openlibs(L);
    luaL_requiref(L, "perigee", luaopen_perigee, 1);
    if (peri_limit_memory(L, (size_t)1 << 30) != 0)
        return 1;
    run(L, "collectgarbage()");
    const size_t empty = held;
    run(L, "local all = {} for k = 1, 300 do all[k] = perigee.zeros(100 * 125) end all = nil "
           "collectgarbage()");
    const size_t kept = held - empty; /* nothing where a sanitizer watches */
    most = empty + (size_t)26e6;
    run(L, "big = perigee.ones(3000000) assert(big:sum() == 3000000)"); /* 24 MB */
    run(L, "local fine, why = pcall(perigee.zeros, 3000000)\n"
           "assert(not fine and why:find('there is not enough memory', 1, true), why)\n"
           "assert(big:sum() == 3000000)");
    most = 0;
    lua_close(L);
    if (held != 0) {
        fprintf(stderr, "%zu bytes are not given back\n", held);
        return 1;
    }
    printf("%zu bytes kept\n", kept);
    return 0;
}
