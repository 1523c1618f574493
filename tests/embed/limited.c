/* SPDX-License-Identifier: MIT
 *
 * Runs a script that makes its own memory end: limit(bytes) sets the limit of the state, 0 for
 * none; fail(k, for_good) lets the k-th request for more memory from now on come back empty, and
 * all after it if for_good, 0 none; fail() ends that and gives how many requests there were. */
#include <stdio.h>

#include <lauxlib.h>
#include <perigee.h>

static struct {
    lua_Alloc inner;
    void *inner_ud;
    lua_Integer at, requests; /* at 0: none fails */
    int for_good;
} plan;

static void *allocate(void *ud, void *block, size_t old, size_t new)
{
    (void)ud;
    /* Without a block, old is the kind of what is wanted. */
    if (new > 0 && (block == NULL || new > old)) {
        const lua_Integer k = ++plan.requests;
        if (plan.at > 0 && (k == plan.at || (plan.for_good && k > plan.at)))
            return NULL;
    }
    return plan.inner(plan.inner_ud, block, old, new);
}

static int fail(lua_State *L)
{
    if (lua_isnone(L, 1)) {
        lua_setallocf(L, plan.inner, plan.inner_ud);
        lua_pushinteger(L, plan.requests);
        return 1;
    }
    plan.at = luaL_checkinteger(L, 1);
    plan.for_good = lua_toboolean(L, 2);
    plan.requests = 0;
    plan.inner = lua_getallocf(L, &plan.inner_ud);
    lua_setallocf(L, allocate, NULL);
    return 0;
}

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
    lua_register(L, "fail", fail);
    const int status = luaL_dofile(L, argv[1]);
    if (status != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return status != LUA_OK;
}
