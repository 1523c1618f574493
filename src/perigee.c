/* SPDX-License-Identifier: MIT
 *
 * The table of C openers, one row each, and what makes `pg` of it.
 *
 * Array functions are registered at the start. A module is opened when its field of pg is first
 * read: its C opener gives the primitives, and where lua/perigee/NAME.lua exists that chunk is
 * called with (pg, primitives) and returns the module. So start-up compiles no Lua. What lies in
 * lua/perigee/private is ours alone and is read as pg._NAME.
 */
#include "perigee.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/chunk.h"
#include "bind/tape.h"
#include "embedded.h"
#include "kernel/simd.h"

/* A row a C opener. The first kind registers functions of arrays and runs at the start; the others
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
static const struct opener {
    const char *name;
    lua_CFunction open;
} openers[] = {PUBLIC_MODULES(PUBLIC_ROW) PRIVATE_MODULES(PRIVATE_ROW){NULL, NULL}};

static const struct opener *find_opener(const char *name)
{
    for (const struct opener *o = openers; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

static const char private_folder[] = "private/";
enum { PRIVATE_LENGTH = sizeof private_folder - 1 };

static bool is_private(const struct peri_embedded *e)
{
    return strncmp(e->name, private_folder, PRIVATE_LENGTH) == 0;
}

/* The Lua part of pg.NAME, or of pg._NAME, whose file lies in the private folder. */
static const struct peri_embedded *find_script(const char *name)
{
    const bool ours = name[0] == '_';
    for (const struct peri_embedded *e = peri_embedded; e->name != NULL; e++)
        if (is_private(e) == ours &&
            strcmp(e->name + (ours ? PRIVATE_LENGTH : 0), name + (ours ? 1 : 0)) == 0)
            return e;
    return NULL;
}

/* Adds the keys of the table at 1, up to `most` names in all, and the NULL that ends them. */
static void add_keys(lua_State *L, const char *names[], int count, int most)
{
    lua_pushnil(L);
    while (count < most && lua_next(L, 1)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -1);
    }
    names[count] = NULL;
}

/* __index of a module that is a table. Upvalue 1: its name. */
static int no_function(lua_State *L)
{
    const char *module = lua_tostring(L, lua_upvalueindex(1));
    if (lua_type(L, 1) != LUA_TTABLE || lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const char *name = lua_tostring(L, 2);
    peri_push_lua_function(L, "find", lua_pushfstring(L, "%s.%s", module, name));
    if (lua_isfunction(L, -1)) {
        lua_pushvalue(L, 2);
        lua_pushvalue(L, -2);
        lua_rawset(L, 1);
        return 1;
    }
    const char *cure = peri_push_cure(L, module, name);
    if (cure != NULL)
        return peri_raise(L, "pg.%s has no '%s'; %s", module, name, cure);
    enum { MOST = 64 };
    const char *names[MOST + 1];
    add_keys(L, names, 0, MOST);
    const char *near = peri_nearest(name, names);
    if (near != NULL)
        return peri_raise(L, "pg.%s has no '%s'; did you mean '%s'?", module, name, near);
    return peri_raise(L, "pg.%s has no '%s'", module, name);
}

/* Gives the module on top, where it is a table that people use, an answer to names it lacks. */
static void guard_names(lua_State *L, const char *name)
{
    if (name[0] == '_' || lua_type(L, -1) != LUA_TTABLE || luaL_getmetafield(L, -1, "__index"))
        return;
    if (!lua_getmetatable(L, -1)) {
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, -1);
        lua_setmetatable(L, -3);
    }
    lua_pushstring(L, name);
    lua_pushcclosure(L, no_function, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Pushes the module and keeps it in pg, which is at index `pg`; false where there is none. */
static bool open_module(lua_State *L, int pg, const char *name)
{
    const struct opener *o = find_opener(name);
    const struct peri_embedded *e = find_script(name);
    if (o == NULL && e == NULL)
        return false;
    if (o != NULL) {
        lua_pushcfunction(L, o->open);
        lua_call(L, 0, 1);
    } else {
        lua_pushnil(L);
    }
    if (e != NULL) {
        peri_push_chunk(L, e->name, e->text, e->length);
        lua_pushvalue(L, pg);
        lua_pushvalue(L, -3);
        lua_call(L, 2, 1);
        lua_remove(L, -2);
    }
    guard_names(L, name);
    lua_pushvalue(L, -1);
    lua_setfield(L, pg, name);
    return true;
}

/* Pushes the list of all modules, those not opened yet too, and of the functions written in Lua;
 * only what people use where `public_only`. */
static void push_names(lua_State *L, bool public_only)
{
    lua_newtable(L);
    lua_Integer n = 0;
    for (const struct opener *o = openers; o->name != NULL; o++)
        if (find_script(o->name) == NULL && !(public_only && o->name[0] == '_')) {
            lua_pushstring(L, o->name);
            lua_rawseti(L, -2, ++n);
        }
    for (const struct peri_embedded *e = peri_embedded; e->name != NULL; e++)
        if (!(public_only && is_private(e))) {
            lua_pushfstring(L, "%s%s", is_private(e) ? "_" : "",
                            e->name + (is_private(e) ? PRIVATE_LENGTH : 0));
            lua_rawseti(L, -2, ++n);
        }
    peri_push_lua_names(L);
    const lua_Integer more = luaL_len(L, -1);
    for (lua_Integer k = 1; k <= more; k++) {
        lua_rawgeti(L, -1, k);
        lua_rawseti(L, -3, ++n);
    }
    lua_pop(L, 1);
}

/* __index of pg. */
static int open_field(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    lua_settop(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    lua_replace(L, 1); /* whoever called this, and with what */
    const char *name = lua_tostring(L, 2);
    if (open_module(L, 1, name))
        return 1;
    if (*name != '_') {
        peri_push_lua_function(L, "find", name);
        if (lua_isfunction(L, -1)) {
            lua_pushvalue(L, -1);
            lua_setfield(L, 1, name);
            return 1;
        }
    }
    const char *cure = *name != '_' ? peri_push_cure(L, "pg", name) : NULL;
    if (cure != NULL)
        return peri_raise(L, "pg has no '%s'; %s", name, cure);
    enum { MOST = 512 };
    const char *names[MOST + 1];
    int count = 0;
    push_names(L, true);
    const lua_Integer n = luaL_len(L, -1);
    for (lua_Integer k = 1; k <= n && count < MOST; k++) {
        lua_rawgeti(L, -1, k);
        if (lua_type(L, -1) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -1); /* kept by the list */
        lua_pop(L, 1);
    }
    add_keys(L, names, count, MOST);
    const char *near = peri_nearest(name, names);
    if (near != NULL)
        return peri_raise(L, "pg has no '%s'; did you mean '%s'?", name, near);
    return peri_raise(L, "pg has no '%s'", name);
}

/* _modules() -> the names of all modules, for the REPL's completion and the help. */
static int module_names(lua_State *L)
{
    push_names(L, false);
    return 1;
}

static void make_array_metatable(lua_State *L)
{
    lua_newtable(L);
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
    lua_createtable(L, 0, 256);
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
    lua_pushcfunction(L, module_names);
    lua_setfield(L, 1, "_modules");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, open_field);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, 1);
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
