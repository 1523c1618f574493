/* SPDX-License-Identifier: MIT
 *
 * A host that runs a script and reads its array without copying, and lends it memory of its own. */
#include <stdio.h>
#include <stdlib.h>

#include <perigee.h>

#include <lauxlib.h>

static int released;

static void release(void *ud)
{
    (void)ud;
    released++;
}

static void fail(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
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
    lua_State *L = peri_newstate(NULL);
    if (L == NULL)
        fail("no state");
    run(L, "local pg = require 'perigee' return pg.range(1, 6):reshape(2, 3).T");
    peri_view view;
    if (!peri_to_array(L, -1, &view) || view.ndim != 2 || view.shape[0] != 3)
        fail("not the array of the script");
    const double *data = (const double *)view.data;
    if (data[2 * view.stride[0] + 1 * view.stride[1]] != 6)
        fail("element (3, 2) is not 6");
    lua_pop(L, 1);
    lua_pushinteger(L, 5);
    if (peri_to_array(L, -1, &view))
        fail("a number is not an array");
    lua_pop(L, 1);

    /* Lua sees the host's memory, writes to it, and loses it when it is taken back. */
    double memory[4] = {2.5, 3.5, 4.5, 5.5};
    const size_t shape[2] = {2, 2};
    peri_wrap(L, memory, PERI_F64, 2, shape, NULL, release, NULL);
    lua_setglobal(L, "lent");
    run(L, "row = lent[2] row[1] = -1 assert(lent(1, 2) == 3.5)");
    if (memory[2] != -1)
        fail("the script did not write to the host's memory");
    lua_getglobal(L, "lent");
    peri_detach(L, -1);
    peri_detach(L, -1);
    lua_pop(L, 1);
    if (released != 1)
        fail("released not once");
    run(L, "local ok, why = pcall(function() return lent[1] end) "
           "assert(not ok and why:find('array was detached', 1, true), why) "
           "ok, why = pcall(function() return row[1] end) "
           "assert(not ok and why:find('array was detached', 1, true), why)");

    /* Without detaching, the collector releases it after the last view is gone. */
    peri_wrap(L, memory, PERI_F64, 2, shape, NULL, release, NULL);
    lua_setglobal(L, "lent");
    run(L, "row = lent[1] lent = nil collectgarbage() assert(row[1] == 2.5)");
    if (released != 1)
        fail("released while a view was alive");
    run(L, "row = nil collectgarbage() collectgarbage()");
    if (released != 2)
        fail("not released with the last view");
    lua_close(L);
    printf("perigee %s\n", peri_version());
    return 0;
}
