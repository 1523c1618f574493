/* SPDX-License-Identifier: MIT
 *
 * A module is opened when its field of pg is first read: its C opener gives the primitives, and
 * where lua/perigee/NAME.lua exists that chunk is called with (pg, primitives) and returns the
 * module. What lies in lua/perigee/private is ours alone and is read as pg._NAME.
 */
#include "bind/modules.h"

#include <stdbool.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/chunk.h"
#include "embedded.h"

/* The upvalue of a function below: the list of openers. */
static const peri_opener *openers_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static const peri_opener *find_opener(const peri_opener *o, const char *name)
{
    for (; o->name != NULL; o++)
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

/* Adds the keys of the table at 1 to the `count` names there are, up to `most` in all. */
static int add_keys(lua_State *L, const char *names[], int count, int most)
{
    lua_pushnil(L);
    while (count < most && lua_next(L, 1)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -1);
    }
    return count;
}

/* Raises that `owner` has no such name, and which one may be meant. */
static int refuse_name(lua_State *L, const char *owner, const char *name, const char *names[])
{
    const char *near = peri_nearest(name, names);
    if (near != NULL)
        return peri_raise(L, "%s has no '%s'; did you mean '%s'?", owner, name, near);
    return peri_raise(L, "%s has no '%s'", owner, name);
}

/* Raises with the cure where the name is a habit from elsewhere. */
static void cure_name(lua_State *L, const char *owner, const char *place, const char *name)
{
    const char *cure = peri_push_cure(L, place, name);
    if (cure != NULL)
        peri_raise(L, "%s has no '%s'; %s", owner, name, cure);
}

/* Pushes the function of the table at `table` that is written in Lua, by its key at index 2 and its
 * name in full, and sets it there; false where there is none. */
static bool push_written(lua_State *L, int table, const char *name)
{
    peri_push_lua_function(L, "find", name);
    if (!lua_isfunction(L, -1))
        return false;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, table);
    return true;
}

/* __index of a module that is a table. Upvalue 1: "pg.NAME". */
static int no_function(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TTABLE || lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const char *owner = lua_tostring(L, lua_upvalueindex(1)), *module = owner + strlen("pg.");
    const char *name = lua_tostring(L, 2);
    if (push_written(L, 1, lua_pushfstring(L, "%s.%s", module, name)))
        return 1;
    cure_name(L, owner, module, name);
    enum { MOST = 64 };
    const char *names[MOST + 1];
    names[add_keys(L, names, 0, MOST)] = NULL;
    return refuse_name(L, owner, name, names);
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
    lua_pushfstring(L, "pg.%s", name);
    lua_pushcclosure(L, no_function, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Pushes the module and keeps it in pg, which is at index `pg`; false where there is none. */
static bool open_module(lua_State *L, int pg, const char *name)
{
    const peri_opener *o = find_opener(openers_of(L), name);
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
    for (const peri_opener *o = openers_of(L); o->name != NULL; o++)
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
    if (peri_push_declared(L, name, false) || open_module(L, 1, name))
        return 1;
    if (*name != '_') {
        if (push_written(L, 1, name))
            return 1;
        cure_name(L, "pg", "pg", name);
    }
    enum { MOST = 1024 };
    const char *names[MOST + 1];
    int count = peri_declared_names(L, names, 0, MOST, false);
    push_names(L, true);
    const lua_Integer n = luaL_len(L, -1);
    for (lua_Integer k = 1; k <= n && count < MOST; k++) {
        lua_rawgeti(L, -1, k);
        if (lua_type(L, -1) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -1); /* kept by the list */
        lua_pop(L, 1);
    }
    names[add_keys(L, names, count, MOST)] = NULL;
    return refuse_name(L, "pg", name, names);
}

static int next_field(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    return lua_next(L, 1) ? 2 : 0;
}

/* __pairs of pg: all its functions, and the modules that were opened. */
static int field_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    peri_open_declared(L);
    lua_pushcfunction(L, next_field);
    lua_insert(L, 1);
    return 2;
}

/* _modules() -> the names of all modules, for the REPL's completion and the help. */
static int module_names(lua_State *L)
{
    push_names(L, false);
    return 1;
}

void peri_modules_open(lua_State *L, const peri_opener *openers)
{
    const luaL_Reg functions[] = {
        {"__index", open_field}, {"__pairs", field_pairs}, {"_modules", module_names}};
    lua_createtable(L, 0, 2);
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)openers);
        lua_pushcclosure(L, functions[k].func, 1);
        lua_setfield(L, functions[k].name[1] == '_' ? -2 : -3, functions[k].name);
    }
    lua_setmetatable(L, -2);
}
