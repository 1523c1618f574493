/* SPDX-License-Identifier: MIT
 *
 * The one place that turns facts into sentences.
 *
 * Lua's own luaL_argerror finds names like "perigee.sum" or "?"; here a function is called by its
 * name in the documentation, whatever local it was kept in, and a method's arguments are counted
 * without self.
 */
#include "bind/errors.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/register.h"
#include "bind/say.h"
#include "bind/state.h"

/* With table and function on top, pushes the function's name in the table, or nothing. Looks one
 * level into tables of tables, so that "linalg.solve" is found. */
static bool find_name(lua_State *L, int table, int function, const char *prefix, int depth)
{
    table = lua_absindex(L, table);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, function)) {
            lua_pop(L, 1);
            lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, -1));
            lua_remove(L, -2);
            return true;
        }
        if (depth > 0 && lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1)) {
            lua_pushfstring(L, "%s%s.", prefix, lua_tostring(L, -2));
            const char *inner = lua_tostring(L, -1);
            if (find_name(L, -2, function, inner, depth - 1)) {
                lua_replace(L, -4);
                lua_pop(L, 2);
                return true;
            }
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return false;
}

/* Pushes the running C function's name as users know it. */
static const char *push_name(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "nf", ar);
    const int function = lua_gettop(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    if (lua_istable(L, -1) && find_name(L, -1, function, "", 1))
        return lua_tostring(L, -1);
    return lua_pushstring(L, ar->name != NULL ? ar->name : "?");
}

const char *peri_push_name(lua_State *L)
{
    lua_Debug ar;
    luaL_checkstack(L, 12, "error");
    return lua_getstack(L, 0, &ar) ? push_name(L, &ar) : lua_pushstring(L, "?");
}

/* Raises the message on top of the stack with the position of the calling Lua code before it. */
PERI_NORETURN static void throw(lua_State * L)
{
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_error(L);
    abort();
}

/* Pushes the formatted message. */
#define PUSH_MESSAGE(L, format)                                                                    \
    do {                                                                                           \
        va_list list;                                                                              \
        luaL_checkstack(L, 12, "error");                                                           \
        va_start(list, format);                                                                    \
        lua_pushvfstring(L, format, list);                                                         \
        va_end(list);                                                                              \
    } while (0)

int peri_argerror(lua_State *L, int arg, const char *format, ...)
{
    PUSH_MESSAGE(L, format);
    const char *message = lua_tostring(L, -1);
    lua_Debug ar;
    if (!lua_getstack(L, 0, &ar))
        throw(L);
    const char *name = push_name(L, &ar);
    const char *how = ar.namewhat != NULL ? ar.namewhat : "";
    if (strcmp(how, "method") == 0)
        arg--; /* self is not counted */
    if (strcmp(how, "metamethod") == 0)
        lua_pushstring(L, message);
    else if (arg == 0)
        lua_pushfstring(L, "bad self in call to '%s' (%s)", name, message);
    else
        lua_pushfstring(L, "bad argument #%d to '%s' (%s)", arg, name, message);
    throw(L);
}

int peri_error(lua_State *L, const char *format, ...)
{
    PUSH_MESSAGE(L, format);
    const char *message = lua_tostring(L, -1);
    lua_Debug ar;
    if (!lua_getstack(L, 0, &ar))
        throw(L);
    const char *name = push_name(L, &ar);
    if (ar.namewhat != NULL && strcmp(ar.namewhat, "metamethod") == 0)
        lua_pushstring(L, message);
    else
        lua_pushfstring(L, "%s: %s", name, message);
    throw(L);
}

int peri_raise(lua_State *L, const char *format, ...)
{
    PUSH_MESSAGE(L, format);
    throw(L);
}

/* "element (2, 3) of A" with indices counted from 1, "element 2 of A", or "A". */
static const char *push_place(lua_State *L, const peri_facts *facts)
{
    const char *arg = facts->arg != NULL ? facts->arg : "the input";
    if (facts->nindex == 0)
        return lua_pushstring(L, arg);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, facts->nindex > 1 ? "element (" : "element ");
    for (int i = 0; i < facts->nindex; i++) {
        char digits[32];
        snprintf(digits, sizeof digits, "%s%zu", i > 0 ? ", " : "", facts->index[i] + 1);
        luaL_addstring(&b, digits);
    }
    luaL_addstring(&b, facts->nindex > 1 ? ") of " : " of ");
    luaL_addstring(&b, arg);
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

void peri_check(lua_State *L, int arg, peri_status status, const peri_facts *facts)
{
    static const peri_facts none;
    if (status == PERI_OK)
        return;
    luaL_checkstack(L, 12, "error");
    if (facts == NULL)
        facts = &none;
    const char *place = push_place(L, facts);
    const char *name = facts->arg != NULL ? facts->arg : "the input";
    const char *wanted = facts->wanted != NULL ? facts->wanted : "another value";
    const char *message = "failed";
    switch (status) {
    case PERI_OK:
        return;
    case PERI_ERR_SHAPE:
        message =
            lua_pushfstring(L, "an extent of %s is %f, expected %s", name, facts->got, wanted);
        break;
    case PERI_ERR_VALUE:
        message = lua_pushfstring(L, "%s is %f, expected %s", place, facts->got, wanted);
        break;
    case PERI_ERR_NONFINITE:
        message = lua_pushfstring(L, "%s is not finite", place);
        break;
    case PERI_ERR_SINGULAR:
        message = lua_pushfstring(L, "%s is singular: pivot %I is exactly 0", name,
                                  (LUAI_UACINT)facts->index[0] + 1);
        break;
    case PERI_ERR_NOT_POSITIVE:
        message =
            lua_pushfstring(L, "%s is not positive definite: its leading minor of order %I is not",
                            name, (LUAI_UACINT)facts->index[0] + 1);
        break;
    case PERI_ERR_NO_CONVERGENCE:
        message = lua_pushfstring(L, "the iteration on %s did not converge", name);
        break;
    case PERI_ERR_TOO_LARGE:
        message = lua_pushfstring(L, "an extent of %s is over %d", name, INT_MAX);
        break;
    case PERI_ERR_INTERRUPTED:
        atomic_store(&peri_getstate(L)->stop.requested, 0);
        peri_raise(L, "interrupted!");
    }
    if (arg > 0)
        peri_argerror(L, arg, "%s", message);
    else
        peri_error(L, "%s", message);
}
