/* SPDX-License-Identifier: MIT
 *
 * A host that registers a C module of its own, which works on arrays. */
#include <stdio.h>
#include <string.h>

#include <perigee.h>

#include <lauxlib.h>

/* cumulated(a) -> a new array of the running sums of a 1-d f64 array. */
static int cumulated(lua_State *L)
{
    const peri_view a = peri_check_array(L, 1, PERI_F64, 1);
    const peri_view out = peri_new_array(L, PERI_F64, 1, a.shape);
    double sum = 0;
    for (size_t i = 0; i < a.shape[0]; i++) {
        sum += ((const double *)a.data)[(ptrdiff_t)i * a.stride[0]];
        ((double *)out.data)[i] = sum;
    }
    return 1;
}

static int open_host(lua_State *L)
{
    static const luaL_Reg functions[] = {{"cumulated", cumulated}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}

static char written[256];

static void collect(void *ud, const char *text, size_t length)
{
    (void)ud;
    strncat(written, text, length);
}

static void ignore(void *ud, const char *message, int more)
{
    (void)message, (void)more;
    ++*(int *)ud;
}

int main(void)
{
    int warnings = 0;
    const peri_config config = {.write = collect, .warn = ignore, .ud = &warnings};
    lua_State *L = peri_newstate(&config);
    if (L == NULL)
        return 1;
    peri_register(L, "host", open_host);
    const int status = luaL_dostring(
        L, "local pg, host = require 'perigee', require 'host' "
           "local c = host.cumulated(pg.range(1, 8):slice{1, 8, 2}) "
           "assert(#c == 4 and c[4] == 16) "
           "local ok, why = pcall(host.cumulated, pg.ones(2, 2)) "
           "assert(not ok and why:find('expected 1 axes, got shape (2, 2)', 1, true), why) "
           "ok, why = pcall(host.cumulated, pg.ones(2, 'f32')) "
           "assert(not ok and why:find('expected f64', 1, true), why) "
           "ok, why = pcall(host.cumulated, 'x') "
           "assert(not ok and why:find('expected array', 1, true), why) "
           "warn('careful') print(c[1], 'and more')");
    if (status != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    if (status == LUA_OK && (strcmp(written, "1.0\tand more\n") != 0 || warnings != 1)) {
        fprintf(stderr, "print gave \"%s\", %d warnings\n", written, warnings);
        return 1;
    }
    return status != LUA_OK;
}
