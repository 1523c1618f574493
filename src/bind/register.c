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

/* Sets the function in the table on top, by its key, for errors under its name. */
static void set(lua_State *L, const char *key, const char *name, lua_CFunction function, int shift,
                const peri_rule *rule, const void *row)
{
    lua_pushstring(L, name);
    push_closure(L, function, shift, rule, row);
    lua_setfield(L, -2, key);
}

void peri_set_functions(lua_State *L, const luaL_Reg *functions, int shift)
{
    luaL_checkstack(L, 14, "functions");
    for (; functions->name != NULL; functions++)
        set(L, functions->name, functions->name, functions->func, shift, NULL, NULL);
}

/* ---- functions of pg and of arrays ------------------------------------------------------- */

/* There are hundreds, of which a script calls some: what was registered is a row here, and becomes
 * a closure in the table of pg or of methods when its name is first asked for. */
struct peri_declared {
    const char *name;
    lua_CFunction function;
    const void *row;
    bool method; /* of arrays too */
};

static const char declared_key;

static void declare(lua_State *L, const struct peri_declared *d)
{
    peri_state *state = peri_getstate(L);
    if (state->declared_count == state->declared_room) {
        const size_t room = 2 * state->declared_room + 256;
        struct peri_declared *more = lua_newuserdatauv(L, room * sizeof *more, 0);
        if (state->declared_count > 0)
            memcpy(more, state->declared, state->declared_count * sizeof *more);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &declared_key);
        state->declared = more;
        state->declared_room = room;
    }
    state->declared[state->declared_count++] = *d;
}

static void declare_all(lua_State *L, const luaL_Reg *functions, bool method)
{
    for (; functions->name != NULL; functions++)
        declare(L, &(struct peri_declared){functions->name, functions->func, NULL, method});
}

void peri_functions(lua_State *L, const luaL_Reg *functions)
{
    declare_all(L, functions, false);
}

void peri_array_functions(lua_State *L, const luaL_Reg *functions)
{
    declare_all(L, functions, true);
}

void peri_array_operation(lua_State *L, const char *name, lua_CFunction function,
                          const char *metamethod, lua_CFunction as_operator, const void *row)
{
    declare(L, &(struct peri_declared){name, function, row, true});
    if (metamethod == NULL || *metamethod == 0)
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
    set(L, metamethod, name, as_operator, PERI_FUNCTION, peri_find_rule(name), row);
    lua_pop(L, 1);
}

void peri_array_metamethods(lua_State *L, const luaL_Reg *functions)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
    for (; functions->name != NULL; functions++)
        set(L, functions->name, functions->name, functions->func, PERI_FUNCTION,
            peri_find_rule(functions->name), NULL);
    lua_pop(L, 1);
}

/* Pushes what was declared as d, from the table where it is from now on. */
static void push_declared(lua_State *L, const struct peri_declared *d, bool method)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, method ? &peri_methods_key : &peri_pg_key);
    lua_pushstring(L, d->name);
    lua_pushvalue(L, -1);
    push_closure(L, d->function, method ? PERI_METHOD : PERI_FUNCTION, peri_find_rule(d->name),
                 d->row);
    lua_rawset(L, -3);
    lua_pushstring(L, d->name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

bool peri_push_declared(lua_State *L, const char *name, bool method)
{
    const peri_state *state = peri_getstate(L);
    luaL_checkstack(L, 16, "functions");
    for (size_t k = state->declared_count; k-- > 0;) {
        const struct peri_declared *d = &state->declared[k];
        if (d->name[0] == name[0] && (d->method || !method) && strcmp(d->name, name) == 0) {
            push_declared(L, d, method);
            return true;
        }
    }
    return false;
}

int peri_declared_names(lua_State *L, const char *names[], int count, int most, bool method)
{
    const peri_state *state = peri_getstate(L);
    for (size_t k = 0; k < state->declared_count && count < most; k++)
        if (state->declared[k].method || !method)
            names[count++] = state->declared[k].name;
    return count;
}

void peri_open_declared(lua_State *L)
{
    const peri_state *state = peri_getstate(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    for (size_t k = 0; k < state->declared_count; k++) {
        lua_pushstring(L, state->declared[k].name);
        if (lua_rawget(L, -2) == LUA_TNIL)
            peri_push_declared(L, state->declared[k].name, false);
        else
            lua_pushnil(L);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
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
