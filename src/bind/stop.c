/* SPDX-License-Identifier: MIT
 *
 * How a request to stop reaches a state: kernels look at the flag themselves, peri_check looks when
 * one that could not has returned, and Lua code has a count hook.
 *
 * The hook costs little while nobody asks, since it comes with every thousandth instruction. Once
 * it has seen a request it comes with every instruction, of its own coroutine and of the main
 * thread: so that a script which catches the error meets the next one outside of what it caught it
 * with, and a loop of pcall ends. Lua runs finalisers without hooks; those that a script gives to
 * setmetatable run in a coroutine, which has its own.
 */
#include "bind/stop.h"

#include <math.h>
#include <time.h>

#include <lauxlib.h>

#include "bind/embed.h"
#include "bind/errors.h"
#include "bind/state.h"
#include "perigee.h"

enum { SPARSE = 1000 };

static void stop_hook(lua_State *L, lua_Debug *ar);

/* Only lua_gethook and lua_sethook, which a signal handler may call. */
static void hook_each(lua_State *L)
{
    lua_sethook(L, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void stop_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    peri_state *state = peri_getstate(L);
    if (!peri_stop_requested(&state->stop)) {
        if (!state->watched)
            lua_sethook(L, NULL, 0, 0);
        else if (lua_gethookcount(L) != SPARSE)
            lua_sethook(L, stop_hook, LUA_MASKCOUNT, SPARSE);
        if (peri_stop_requested(&state->stop)) /* a signal came between: its hook was just lost */
            hook_each(L);
        return;
    }
    peri_raise_stop(L);
}

/* ---- where Lua has no hooks -------------------------------------------------------------- */

/* Lua runs without hooks: a finaliser; a message handler for an error that a hook raised; and what
 * closes the variables of a coroutine that such an error ended. Those that a script gives to
 * setmetatable and xpcall come here first. */

/* Calls upvalue 1 with all arguments in a coroutine of its own, which has hooks. No results. */
static int call_apart(lua_State *L)
{
    const int n = lua_gettop(L);
    lua_State *own = lua_newthread(L);
    if (!lua_checkstack(own, n + 1))
        return luaL_error(L, "stack overflow");
    lua_pushvalue(L, lua_upvalueindex(1));
    for (int i = 1; i <= n; i++)
        lua_pushvalue(L, i);
    lua_xmove(L, own, n + 1);
    int results;
    const int status = lua_resume(own, L, n, &results);
    if (status == LUA_OK)
        return 0;
    if (status == LUA_YIELD)
        return luaL_error(L, "attempt to yield across a C-call boundary");
    lua_resetthread(own); /* closes its variables; leaves the error */
    lua_xmove(own, L, 1);
    return lua_error(L);
}

static int finish_call(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    return lua_gettop(L) - (int)context;
}

static int call_close(lua_State *L)
{
    if (peri_stop_requested(&peri_getstate(L)->stop))
        return call_apart(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, 0, 0, finish_call);
    return 0;
}

static int call_handler(lua_State *L)
{
    if (peri_stop_requested(&peri_getstate(L)->stop))
        return 1; /* the message as it is */
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Where the field of the table at idx is a Lua function, puts `by` before it. */
static void wrap_field(lua_State *L, int idx, const char *name, lua_CFunction by)
{
    lua_pushstring(L, name);
    if (lua_rawget(L, idx) != LUA_TFUNCTION || lua_iscfunction(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcclosure(L, by, 1);
    lua_pushstring(L, name);
    lua_insert(L, -2);
    lua_rawset(L, idx);
}

/* The functions that are replaced are upvalue 1. */
static int watched_setmetatable(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TTABLE && lua_type(L, 2) == LUA_TTABLE) {
        wrap_field(L, 2, "__gc", call_apart);
        wrap_field(L, 2, "__close", call_close);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int watched_xpcall(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TFUNCTION && !lua_iscfunction(L, 2)) {
        lua_pushvalue(L, 2);
        lua_pushcclosure(L, call_handler, 1);
        lua_replace(L, 2);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, finish_call);
    return finish_call(L, LUA_OK, 0);
}

static void replace(lua_State *L, const char *name, lua_CFunction by)
{
    if (lua_getglobal(L, name) == LUA_TFUNCTION) {
        lua_pushcclosure(L, by, 1);
        lua_setglobal(L, name);
    } else {
        lua_pop(L, 1);
    }
}

/* ---- asking ------------------------------------------------------------------------------ */

void peri_watch(lua_State *L)
{
    peri_listen(L);
    peri_state *state = peri_getstate(L);
    if (!state->watched) {
        replace(L, "setmetatable", watched_setmetatable);
        replace(L, "xpcall", watched_xpcall);
        state->watched = true;
    }
    lua_sethook(L, stop_hook, LUA_MASKCOUNT, SPARSE);
}

void peri_interrupt(lua_State *L)
{
    peri_state *state = peri_state_of(L);
    if (state != NULL)
        atomic_fetch_or(&state->stop.requested, PERI_STOP_HELD);
}

void peri_resume(lua_State *L)
{
    peri_state *state = peri_state_of(L);
    if (state != NULL) {
        atomic_store(&state->stop.deadline, 0);
        atomic_store(&state->stop.requested, 0);
    }
}

int peri_deadline(lua_State *L, double seconds)
{
    const double most = 9.2e9; /* 292 years; what is later is no deadline */
    struct timespec t;
    if (isnan(seconds))
        return -1;
    peri_watch(L);
    peri_state *state = peri_state_of(L);
    if (state == NULL)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    long long deadline = 0;
    if (now + seconds <= most)
        deadline = seconds > 0 ? (long long)((now + seconds) * 1e9) : 1;
    atomic_store(&state->stop.deadline, deadline);
    return 0;
}

int peri_interrupt_call(lua_State *L, int how)
{
    peri_state *state = peri_state_of(L);
    if (state == NULL)
        return 0;
    const int before = atomic_fetch_or(&state->stop.requested, how);
    hook_each(L);
    return before;
}

bool peri_resume_call(lua_State *L)
{
    peri_state *state = peri_state_of(L);
    if (state == NULL)
        return false;
    const int mine = PERI_STOP_ONCE | PERI_STOP_CALL;
    const bool pending = (atomic_fetch_and(&state->stop.requested, ~mine) & mine) != 0;
    if (lua_gethook(L) == stop_hook && !state->watched)
        lua_sethook(L, NULL, 0, 0);
    return pending;
}
