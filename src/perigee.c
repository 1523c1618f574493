/* SPDX-License-Identifier: MIT
 *
 * The table of C openers, one row each, and the start.
 *
 * Array functions are declared at the start and made when they are first asked for; a module is
 * opened when its field of pg is first read (bind/modules). So start-up compiles no Lua and makes
 * no closure that is not called.
 */
#include "perigee.h"

#include <math.h>
#include <stdlib.h>

#include "bind/bind.h"
#include "bind/chunk.h"
#include "bind/modules.h"
#include "bind/tape.h"
#include "kernel/simd.h"

/* A row a C opener. The first kind declares functions of arrays and runs at the start; the others
 * give the primitives of pg.NAME and pg._NAME when that is read. */
#define ARRAY_FUNCTIONS(X)                                                                         \
    X(create)                                                                                      \
    X(elementwise)                                                                                 \
    X(index)                                                                                       \
    X(print)                                                                                       \
    X(info)                                                                                        \
    X(io)                                                                                          \
    X(rows)                                                                                        \
    X(clock)                                                                                       \
    X(covariance)                                                                                  \
    X(histogram)                                                                                   \
    X(quantile)                                                                                    \
    X(rearrange)                                                                                   \
    X(sort)                                                                                        \
    X(reduce)                                                                                      \
    X(matmul)                                                                                      \
    X(convolution)                                                                                 \
    X(planes)                                                                                      \
    X(norms)                                                                                       \
    X(pad)                                                                                         \
    X(classes)                                                                                     \
    X(attention)                                                                                   \
    X(scatter)                                                                                     \
    X(polygamma)

#define PUBLIC_MODULES(X)                                                                          \
    X(cpt)                                                                                         \
    X(graph)                                                                                       \
    X(image)                                                                                       \
    X(linalg)                                                                                      \
    X(linear)                                                                                      \
    X(lstm)                                                                                        \
    X(mpi)                                                                                         \
    X(optim)                                                                                       \
    X(ppca)                                                                                        \
    X(random)                                                                                      \
    X(stats)

#define PRIVATE_MODULES(X)                                                                         \
    X(canvas)                                                                                      \
    X(conv)                                                                                        \
    X(heads)                                                                                       \
    X(layer)                                                                                       \
    X(norm)                                                                                        \
    X(plane)                                                                                       \
    X(process)                                                                                     \
    X(repl)                                                                                        \
    X(tape)                                                                                        \
    X(system)

#define PROTOTYPE(name) int peri_open_##name(lua_State *L);
ARRAY_FUNCTIONS(PROTOTYPE)
PUBLIC_MODULES(PROTOTYPE)
PRIVATE_MODULES(PROTOTYPE)

#define FUNCTION(name) peri_open_##name,
static const lua_CFunction eager[] = {ARRAY_FUNCTIONS(FUNCTION)};

#define PUBLIC_ROW(name)  {#name, peri_open_##name},
#define PRIVATE_ROW(name) {"_" #name, peri_open_##name},
static const peri_opener lazy[] = {PUBLIC_MODULES(PUBLIC_ROW)
                                       PRIVATE_MODULES(PRIVATE_ROW){NULL, NULL}};

static void make_array_metatable(lua_State *L)
{
    lua_createtable(L, 0, 32);
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &peri_methods_key);
}

static int open_perigee(lua_State *L)
{
    lua_settop(L, 0);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key) == LUA_TTABLE)
        return 1;
    lua_settop(L, 0);
    if (!peri_isa_is_valid())
        return luaL_error(L, "PERIGEE_ISA: expected base, avx2 or avx512, got '%s'",
                          getenv("PERIGEE_ISA"));
    peri_state_open(L);
    peri_chunk_open(L);
    peri_getstate(L)->guard = &peri_tape_guard;
    make_array_metatable(L);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    for (size_t k = 0; k < sizeof eager / sizeof *eager; k++) {
        lua_pushcfunction(L, eager[k]);
        lua_call(L, 0, 0);
    }
    lua_pushnumber(L, 3.14159265358979323846);
    lua_setfield(L, 1, "pi");
    lua_pushnumber(L, HUGE_VAL);
    lua_setfield(L, 1, "inf");
    lua_pushnumber(L, NAN);
    lua_setfield(L, 1, "nan");
    peri_modules_open(L, lazy);
    return 1;
}

int luaopen_perigee(lua_State *L)
{
    luaL_checkversion(L);
    lua_pushcfunction(L, open_perigee);
    lua_call(L, 0, 1);
    return 1;
}

#define TEXT(number)                #number
#define DOTTED(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *peri_version(void)
{
    return DOTTED(PERI_VERSION_MAJOR, PERI_VERSION_MINOR, PERI_VERSION_PATCH);
}
