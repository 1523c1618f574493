/* SPDX-License-Identifier: MIT */
#include "host/call.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "bind/stop.h"
#include "perigee.h"

/* The state that Ctrl-C goes to. A signal handler has no other way to know it; set only while
 * peri_call runs. */
static lua_State *volatile interrupted_state;
static volatile sig_atomic_t at_prompt, presses;

/* peri_interrupt_call is made for this; the linter cannot know.
 * NOLINTBEGIN(bugprone-signal-handler,cert-sig30-c) */
static void on_interrupt(int number)
{
    static const char waiting[] =
        "\nwaiting for a function that cannot be stopped; Ctrl-\\ ends the program\n";
    const int kept = errno;
    if (!at_prompt)
        signal(number, SIG_DFL); /* the next one ends the process */
    presses = presses < 2 ? presses + 1 : 2;
    if (peri_interrupt_call(interrupted_state, presses < 2 ? PERI_STOP_ONCE : PERI_STOP_CALL) !=
        0) {
        const ssize_t n = write(STDERR_FILENO, waiting, sizeof waiting - 1);
        (void)n;
    }
    errno = kept;
}
/* NOLINTEND(bugprone-signal-handler,cert-sig30-c) */

/* hints[function](message on top, text) in its place, where that can be had. */
static void rewrite(lua_State *L, const char *function, const char *text)
{
    const int top = lua_gettop(L);
    if (!lua_checkstack(L, 20))
        return;
    lua_pushcfunction(L, luaopen_perigee);
    if (lua_pcall(L, 0, 1, 0) == LUA_OK && lua_getfield(L, -1, "_hints") == LUA_TTABLE &&
        lua_getfield(L, -1, function) == LUA_TFUNCTION) {
        lua_pushvalue(L, top);
        lua_pushstring(L, text);
        if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
            lua_replace(L, top);
    }
    lua_settop(L, top);
}

void peri_explain_refused(lua_State *L, const char *text)
{
    if (strstr(lua_tostring(L, -1), " near ") != NULL)
        rewrite(L, "refused", text);
}

static int handle_message(lua_State *L)
{
    const char *message = lua_tostring(L, 1);
    if (message == NULL) {
        if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
            return 1;
        message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    }
    luaL_traceback(L, L, NULL, 1);
    const char *trace = lua_tostring(L, -1);
    lua_pushstring(L, message);
    const bool ours = strstr(trace, "\tperigee/") != NULL;
    if (ours || strstr(message, "attempt to ") != NULL)
        rewrite(L, "report", trace);
    if (strcmp(lua_tostring(L, -1), message) == 0)
        lua_pushfstring(L, "%s\n%s", message, trace);
    return 1;
}

int peri_call(lua_State *L, int nargs, int nresults, bool prompt)
{
    const int base = lua_gettop(L) - nargs;
    lua_pushcfunction(L, handle_message);
    lua_insert(L, base);
    lua_State *const state_before = interrupted_state;
    const sig_atomic_t prompt_before = at_prompt;
    interrupted_state = L;
    at_prompt = prompt;
    presses = 0;
    /* No SA_RESTART: a read that waits for a pipe is cut short, and the error raised. */
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before);
    const int status = lua_pcall(L, nargs, nresults, base);
    sigaction(SIGINT, &before, NULL);
    peri_resume_call(L);
    interrupted_state = state_before;
    at_prompt = prompt_before;
    lua_remove(L, base);
    return status;
}
