/* SPDX-License-Identifier: MIT
 *
 * The one place that turns facts into sentences.
 *
 * Lua's own luaL_argerror finds names like "perigee.sum" or "?"; here a function is called by the
 * name it was registered with, whatever local it was kept in, and a method's arguments are counted
 * without self. The position is that of the user's code, also where it called through lua/perigee.
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
#include "kernel/dtype.h"

/* How the running C function is called and counted. Pushes its name. */
typedef struct {
    const char *name;
    const char *place; /* what precedes the message */
    bool metamethod;   /* then it has no name worth telling */
    bool method;       /* called with a colon */
    int shift;
} caller;

static caller push_caller(lua_State *L)
{
    lua_Debug ar;
    if (!lua_getstack(L, 0, &ar))
        return (caller){lua_pushstring(L, "?"), "", true, false, 0};
    lua_getinfo(L, "n", &ar);
    const char *how = ar.namewhat != NULL ? ar.namewhat : "";
    caller c = {.place = "",
                .metamethod = strcmp(how, "metamethod") == 0,
                .method = strcmp(how, "method") == 0};
    if (peri_has_upvalues(L)) {
        if (lua_type(L, lua_upvalueindex(PERI_UPVALUE_PLACE)) == LUA_TSTRING)
            c.place = lua_tostring(L, lua_upvalueindex(PERI_UPVALUE_PLACE));
        lua_pushvalue(L, lua_upvalueindex(PERI_UPVALUE_NAME));
        c.shift = (int)lua_tointeger(L, lua_upvalueindex(PERI_UPVALUE_SHIFT));
    } else {
        lua_pushstring(L, ar.name != NULL ? ar.name : "?");
        c.shift = c.method ? PERI_METHOD : PERI_FUNCTION;
    }
    c.name = lua_tostring(L, -1);
    return c;
}

const char *peri_push_name(lua_State *L)
{
    luaL_checkstack(L, 12, "error");
    return push_caller(L).name;
}

int peri_user_level(lua_State *L, int level)
{
    lua_Debug ar;
    for (; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "S", &ar);
        if (strcmp(ar.what, "C") != 0 && strncmp(ar.source, "=perigee/", 9) != 0)
            return level;
    }
    return 0;
}

/* Pushes "file:line: " of the script that called; where that was through lua/perigee, of the line
 * that called there. */
static void push_where(lua_State *L)
{
    lua_Debug ar;
    int level = 1;
    if (lua_getstack(L, level, &ar)) {
        lua_getinfo(L, "S", &ar);
        if (strncmp(ar.source, "=perigee/", 9) == 0)
            level = peri_user_level(L, level);
    }
    if (level > 0)
        luaL_where(L, level);
    else
        lua_pushliteral(L, "");
}

/* Raises the message on top of the stack with the position of the calling Lua code before it. */
PERI_NORETURN static void throw(lua_State * L)
{
    push_where(L);
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
        peri_push_vtext(L, format, list);                                                          \
        va_end(list);                                                                              \
    } while (0)

int peri_argerror(lua_State *L, int arg, const char *format, ...)
{
    PUSH_MESSAGE(L, format);
    const char *message = lua_tostring(L, -1);
    const caller c = push_caller(L);
    arg = c.shift >= PERI_ONLY ? c.shift - PERI_ONLY : arg - c.shift;
    if (c.metamethod)
        lua_pushstring(L, message);
    else if (arg == 0 && c.method)
        lua_pushfstring(L, "bad self in call to '%s' (%s%s)", c.name, c.place, message);
    else
        /* a.sum(), without the colon, has no self: what stands first is its first argument */
        lua_pushfstring(L, "bad argument #%d to '%s' (%s%s)", arg > 0 ? arg : 1, c.name, c.place,
                        message);
    throw(L);
}

int peri_error(lua_State *L, const char *format, ...)
{
    PUSH_MESSAGE(L, format);
    const char *message = lua_tostring(L, -1);
    const caller c = push_caller(L);
    if (c.metamethod)
        lua_pushstring(L, message);
    else
        lua_pushfstring(L, "%s: %s%s", c.name, c.place, message);
    throw(L);
}

int peri_raise(lua_State *L, const char *format, ...)
{
    PUSH_MESSAGE(L, format);
    throw(L);
}

const char *peri_push_cure(lua_State *L, const char *place, const char *name)
{
    luaL_checkstack(L, 12, "error");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key) != LUA_TTABLE)
        return NULL;
    lua_getfield(L, -1, "_habits");
    if (lua_istable(L, -1) && lua_getfield(L, -1, "cure") == LUA_TFUNCTION) {
        lua_pushstring(L, place);
        lua_pushstring(L, name);
        lua_call(L, 2, 1);
    }
    return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
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

/* The hook that was set for this comes with every instruction from now on, so that a script that
 * catches the error meets the next. */
static void hurry(lua_State *L)
{
    const lua_Hook hook = lua_gethook(L);
    if (hook != NULL)
        lua_sethook(L, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

void peri_raise_stop(lua_State *L)
{
    peri_state *state = peri_getstate(L);
    if (state->watched) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
        hurry(lua_tothread(L, -1));
        hurry(L);
        lua_pop(L, 1);
    }
    const int who = atomic_fetch_and(&state->stop.requested, ~PERI_STOP_ONCE);
    peri_raise(L, who == 0 && atomic_load(&state->stop.deadline) != 0
                      ? "interrupted! (the deadline has passed)"
                      : "interrupted!");
}

void peri_check(lua_State *L, int arg, peri_status status, const peri_facts *facts)
{
    static const peri_facts none;
    if (status == PERI_OK) {
        /* A request that came while a routine ran that does not look is heard here, and not at some
         * later line. */
        if (peri_stop_requested(&peri_getstate(L)->stop))
            peri_raise_stop(L);
        return;
    }
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
        message = peri_push_text(L, "an extent of %s is %f, expected %s", name, facts->got, wanted);
        break;
    case PERI_ERR_VALUE:
        message = peri_push_text(L, "%s is %f, expected %s", place, facts->got, wanted);
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
    case PERI_ERR_DTYPE:
        message = lua_pushfstring(L, "%s is %s, which this does not take; a:astype(\"f64\") is",
                                  name, peri_dtype_name((int)facts->got));
        break;
    case PERI_ERR_INTERRUPTED:
        peri_raise_stop(L);
    }
    if (arg > 0)
        peri_argerror(L, arg, "%s", message);
    else
        peri_error(L, "%s", message);
}
