/* SPDX-License-Identifier: MIT
 *
 * What the state and the machine are: memory, threads, versions. */
#include <string.h>

#include <cblas.h>
#include <lualib.h>
#include <zlib.h>

#include "bind/bind.h"
#include "bind/embed.h"
#include "bind/pace.h"
#include "kernel/pool.h"
#include "kernel/simd.h"
#include "perigee.h"

/*** pg.memory() -> bytes, peak, limit
 * Bytes that the state holds, arrays included; the most it was seen to hold; its limit, 0 for none.
 * What is dead but not collected yet counts: collectgarbage() before gives what is in use.
 * @return bytes  integer
 * @return peak  integer
 * @return limit  integer
 * @example math.type(pg.memory()) --> integer
 */
static int memory(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)peri_bytes_held(L));
    const peri_state *state = peri_getstate(L);
    lua_pushinteger(L, (lua_Integer)state->peak);
    lua_pushinteger(L, (lua_Integer)peri_memory_limit(L));
    return 3;
}

/*** pg.threads([n]) -> n
 * The number of threads that kernels and BLAS use; sets it when n is given. It belongs to the
 * process and starts as OPENBLAS_NUM_THREADS or the number of cores.
 * @param n  integer in 1..256
 * @return n  integer: the number in force
 * @example pg.threads() >= 1 --> true
 */
static int threads(lua_State *L)
{
    int n = 0;
    if (!lua_isnoneornil(L, 1))
        n = (int)peri_arg_integer(L, 1, "n", 1, 256);
    lua_pushinteger(L, peri_threads(n));
    return 1;
}

/*** pg.info() -> table
 * Versions and the machine: perigee, lua, blas, blas_core, zlib, isa, threads. isa is the level of
 * instructions in use, base, avx2 or avx512 (neon on arm64): the best this processor has, capped by
 * the environment variable PERIGEE_ISA.
 * @return table  of strings, and threads as an integer
 * @example type(pg.info().blas) --> string
 */
static int info(lua_State *L)
{
    lua_newtable(L);
    lua_pushstring(L, peri_version());
    lua_setfield(L, -2, "perigee");
    lua_pushliteral(L, LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE);
    lua_setfield(L, -2, "lua");
    lua_pushstring(L, openblas_get_config());
    lua_setfield(L, -2, "blas");
    lua_pushstring(L, openblas_get_corename());
    lua_setfield(L, -2, "blas_core");
    lua_pushstring(L, zlibVersion());
    lua_setfield(L, -2, "zlib");
    lua_pushstring(L, peri_isa_name(peri_isa()));
    lua_setfield(L, -2, "isa");
    lua_pushinteger(L, peri_threads(0));
    lua_setfield(L, -2, "threads");
    return 1;
}

/* _user_level() -> the level at which error(), called where this is, points to the script that
 * called into the library, 0 where there is none, and whether that was with a colon. Not for
 * scripts, so without an entry in the help: the library's Lua files need it where debug is not to
 * be had. */
static int user_level(lua_State *L)
{
    const int level = peri_user_level(L, 1);
    lua_Debug ar;
    lua_pushinteger(L, level);
    lua_pushboolean(L, level > 0 && lua_getstack(L, level - 1, &ar) && lua_getinfo(L, "n", &ar) &&
                           ar.namewhat != NULL && strcmp(ar.namewhat, "method") == 0);
    return 2;
}

/* _nearest(word, list) -> the string of the list that the word may be a misspelling of, or nil */
static int nearest(lua_State *L)
{
    const char *word = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    const lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
    luaL_checkstack(L, 4, "names");
    const char **names = peri_push_scratch(L, ((size_t)n + 1) * sizeof *names);
    size_t count = 0;
    for (lua_Integer k = 1; k <= n; k++) {
        if (lua_rawgeti(L, 2, k) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -1); /* nothing is allocated until they are read */
        lua_pop(L, 1);
    }
    names[count] = NULL;
    lua_pushstring(L, peri_nearest(word, names));
    return 1;
}

PERI_OPENER(info)
{
    static const luaL_Reg functions[] = {{"_user_level", user_level},
                                         {"_named", peri_named},
                                         {"_nearest", nearest},
                                         {"memory", memory},
                                         {"threads", threads},
                                         {"info", info},
                                         {NULL, NULL}};
    peri_functions(L, functions);
    return 0;
}
