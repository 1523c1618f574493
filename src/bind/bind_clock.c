/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "bind/bind.h"

/*** pg.clock() -> number
 * Seconds that passed on the wall since some fixed moment; differences are what counts. It never
 * goes back, whatever happens to the system's time.
 * @example pg.clock() <= pg.clock() --> true
 */
static int wall(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    return 1;
}

PERI_OPENER(clock)
{
    static const luaL_Reg functions[] = {{"clock", wall}, {NULL, NULL}};
    peri_functions(L, functions);
    return 0;
}
