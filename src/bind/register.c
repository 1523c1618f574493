/* SPDX-License-Identifier: MIT */
#include "bind/register.h"

#include <stdint.h>
#include <string.h>

#include "bind/array.h"
#include "bind/state.h"

const char peri_methods_key, peri_pg_key;

lua_CFunction peri_push_rule(lua_State *L, const peri_rule *rule, lua_CFunction function)
{
    if (rule == NULL) {
        lua_pushnil(L);
        lua_pushnil(L);
        return function;
    }
    void *address;
    memcpy(&address, &function, sizeof address);
    lua_pushlightuserdata(L, (void *)(uintptr_t)rule);
    lua_pushlightuserdata(L, address);
    return (rule->flags & (PERI_READS | PERI_DIRECT)) == 0 ? peri_getstate(L)->guard->recorded
                                                           : function;
}

void peri_push_upvalues(lua_State *L, int shift)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&peri_upvalues);
    lua_pushlightuserdata(L, peri_getstate(L));
    peri_push_array_meta(L);
    lua_rotate(L, -4, -1);
    lua_pushinteger(L, shift);
    lua_pushnil(L);
}

/* Makes a closure of the function, its name being on top, which it takes. rule: what it is to a
 * gradient, row: what peri_row() gives it; each or NULL. */
static void push_closure(lua_State *L, lua_CFunction function, int shift, const peri_rule *rule,
                         const void *row)
{
    peri_push_upvalues(L, shift);
    function = peri_push_rule(L, rule, function);
    if (row != NULL)
        lua_pushlightuserdata(L, (void *)(uintptr_t)row);
    lua_pushcclosure(L, function, PERI_UPVALUES + (row != NULL));
}

/* Sets the function in the table at index `table`, by its key. */
static void set(lua_State *L, int table, const luaL_Reg *row, int shift, const peri_rule *rule)
{
    lua_pushstring(L, row->name);
    lua_pushvalue(L, -1);
    push_closure(L, row->func, shift, rule, NULL);
    lua_rawset(L, table);
}

void peri_set_functions(lua_State *L, const luaL_Reg *functions, int shift)
{
    const int table = lua_gettop(L);
    luaL_checkstack(L, 8, "functions");
    for (; functions->name != NULL; functions++)
        set(L, table, functions, shift, NULL);
}

/* In the tables at the registry's keys, of which the second may be NULL. */
static void set_in(lua_State *L, const void *key, const void *methods, const luaL_Reg *functions)
{
    luaL_checkstack(L, 14, "functions");
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, methods != NULL ? methods : key);
    const int table = lua_gettop(L) - 1;
    for (; functions->name != NULL; functions++) {
        const peri_rule *rule = peri_find_rule(functions->name);
        set(L, table, functions, PERI_FUNCTION, rule);
        if (methods != NULL)
            set(L, table + 1, functions, PERI_METHOD, rule);
    }
    lua_pop(L, 2);
}

void peri_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, NULL, functions);
}

void peri_array_functions(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_pg_key, &peri_methods_key, functions);
}

void peri_array_metamethods(lua_State *L, const luaL_Reg *functions)
{
    set_in(L, &peri_array_meta, NULL, functions);
}

void peri_module(lua_State *L, const char *module, const luaL_Reg *functions)
{
    luaL_checkstack(L, 8, "functions");
    lua_newtable(L);
    for (; functions->name != NULL; functions++) {
        lua_pushfstring(L, "%s.%s", module, functions->name);
        const peri_rule *rule = peri_find_rule(lua_tostring(L, -1));
        push_closure(L, functions->func, PERI_FUNCTION, rule, NULL);
        lua_setfield(L, -2, functions->name);
    }
}

void peri_primitives_of(lua_State *L, const char *module, const peri_primitive *rows)
{
    luaL_checkstack(L, 8, "functions");
    lua_newtable(L);
    for (; rows->key != NULL; rows++) {
        const peri_rule *rule = NULL;
        if (module != NULL) {
            rule = peri_find_rule(lua_pushfstring(L, "%s.%s", module, rows->key));
            lua_pop(L, 1);
        }
        lua_pushstring(L, rows->user != NULL ? rows->user : rows->key);
        push_closure(L, rows->function, rows->shift, rule, NULL);
        lua_setfield(L, -2, rows->key);
    }
}

void peri_primitives(lua_State *L, const peri_primitive *rows)
{
    peri_primitives_of(L, NULL, rows);
}

void peri_push_lua_function(lua_State *L, const char *how, const char *name)
{
    luaL_checkstack(L, 8, "functions");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    lua_getfield(L, -1, "_functions");
    lua_getfield(L, -1, how);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    lua_insert(L, -3);
    lua_pop(L, 2);
}

void peri_push_lua_names(lua_State *L)
{
    luaL_checkstack(L, 8, "functions");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    lua_getfield(L, -1, "_functions");
    lua_getfield(L, -1, "names");
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_insert(L, -3);
    lua_pop(L, 2);
}

int peri_named(lua_State *L)
{
    lua_settop(L, 4);
    const char *first = lua_getupvalue(L, 1, PERI_UPVALUE_KEY);
    if (!lua_iscfunction(L, 1) || first == NULL ||
        lua_touserdata(L, -1) != (const void *)&peri_upvalues)
        return luaL_argerror(L, 1, "expected a function of Perigee's own");
    luaL_checktype(L, 2, LUA_TSTRING);
    const lua_Integer shift = luaL_optinteger(L, 3, PERI_FUNCTION);
    luaL_argcheck(L, shift >= -16 && shift <= 2 * PERI_ONLY, 3, "out of range");
    const void *row = lua_getupvalue(L, 1, PERI_UPVALUE_ROW) != NULL ? lua_touserdata(L, -1) : NULL;
    lua_pushvalue(L, 2);
    push_closure(L, lua_tocfunction(L, 1), (int)shift, NULL, row);
    for (int upvalue = PERI_UPVALUE_RULE; upvalue <= PERI_UPVALUE_CALL; upvalue++) {
        lua_getupvalue(L, 1, upvalue);
        lua_setupvalue(L, -2, upvalue);
    }
    if (lua_type(L, 4) == LUA_TSTRING) {
        lua_pushvalue(L, 4);
        lua_setupvalue(L, -2, PERI_UPVALUE_PLACE);
    }
    return 1;
}

static void set_operation(lua_State *L, const void *key, const char *field, const char *name,
                          lua_CFunction function, int shift, const peri_rule *rule, const void *row)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_pushstring(L, name);
    push_closure(L, function, shift, rule, row);
    lua_setfield(L, -2, field);
    lua_pop(L, 1);
}

void peri_array_operation(lua_State *L, const char *name, lua_CFunction function,
                          const char *metamethod, lua_CFunction as_operator, const void *row)
{
    luaL_checkstack(L, 14, "functions");
    const peri_rule *rule = peri_find_rule(name);
    set_operation(L, &peri_pg_key, name, name, function, PERI_FUNCTION, rule, row);
    set_operation(L, &peri_methods_key, name, name, function, PERI_METHOD, rule, row);
    if (metamethod != NULL && *metamethod != 0)
        set_operation(L, &peri_array_meta, metamethod, name, as_operator, PERI_FUNCTION, rule, row);
}
