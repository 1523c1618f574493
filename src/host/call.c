/* SPDX-License-Identifier: MIT */
#include "host/call.h"

#include <signal.h>

#include <lauxlib.h>

#include "bind/state.h"
#include "perigee.h"

/* The state that Ctrl-C goes to. A signal handler has no other way to know it; set only while
 * peri_call runs. */
static lua_State *volatile interrupted_state;

static void stop(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    if (!peri_stop_requested(&peri_getstate(L)->stop))
        return; /* a kernel saw the flag first and its error was raised already */
    atomic_store(&peri_getstate(L)->stop.requested, 0);
    luaL_error(L, "interrupted!");
}

/* peri_interrupt and lua_sethook are made for this; the linter cannot know.
 * NOLINTBEGIN(bugprone-signal-handler,cert-sig30-c) */
static void on_interrupt(int signal_number)
{
    signal(signal_number, SIG_DFL); /* the next one ends the process */
    lua_State *L = interrupted_state;
    peri_interrupt(L);
    if (lua_gethook(L) == NULL)
        lua_sethook(L, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}
/* NOLINTEND(bugprone-signal-handler,cert-sig30-c) */

static int handle_message(lua_State *L)
{
    const char *message = lua_tostring(L, 1);
    if (message == NULL) {
        if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
            return 1;
        message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    }
    luaL_traceback(L, L, message, 1);
    return 1;
}

int peri_call(lua_State *L, int nargs, int nresults)
{
    const int base = lua_gettop(L) - nargs;
    lua_pushcfunction(L, handle_message);
    lua_insert(L, base);
    lua_State *const before = interrupted_state;
    interrupted_state = L;
    void (*const handler)(int) = signal(SIGINT, on_interrupt);
    const int status = lua_pcall(L, nargs, nresults, base);
    signal(SIGINT, handler == SIG_ERR ? SIG_DFL : handler);
    interrupted_state = before;
    lua_remove(L, base);
    return status;
}
