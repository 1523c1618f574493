/* SPDX-License-Identifier: MIT
 *
 * The interactive prompt's C side: lines, completion and calls that Ctrl-C can stop. What a line
 * means is lua/perigee/private/repl.lua.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "bind/bind.h"
#include "host/call.h"
#include "host/editor.h"
#include "perigee.h"

/* The registry's key of the completion function. */
static const char complete_key;

/* Asks the Lua function for the completions of line[start..end). Any error is no completion. */
static char **complete(const char *line, int start, int end, void *context)
{
    lua_State *L = context;
    const int top = lua_gettop(L);
    char **list = NULL;
    if (!lua_checkstack(L, 10))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &complete_key);
    lua_pushstring(L, line);
    lua_pushinteger(L, start);
    lua_pushinteger(L, end);
    if (lua_pcall(L, 3, 1, 0) == LUA_OK && lua_istable(L, -1)) {
        const size_t n = lua_rawlen(L, -1);
        list = calloc(n + 1, sizeof *list);
        for (size_t i = 0, k = 0; list != NULL && i < n; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i + 1);
            char *word = lua_type(L, -1) == LUA_TSTRING ? strdup(lua_tostring(L, -1)) : NULL;
            if (word != NULL)
                list[k++] = word;
            lua_pop(L, 1);
        }
    }
    lua_settop(L, top);
    return list;
}

/* open(complete) -> the editor's name. complete(line, start, end) gives a list of strings. */
static int repl_open(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &complete_key);
    lua_pushstring(L, peri_editor_open(complete, L));
    return 1;
}

static int free_text(lua_State *L);

static const peri_handle_kind text_kind = {.name = "text", .close = free_text};

static int free_text(lua_State *L)
{
    char **text = peri_test_handle(L, 1, &text_kind);
    if (text != NULL) {
        free(*text);
        *text = NULL;
    }
    return 0;
}

/* read(prompt) -> text, or nil at the end of input, or false after Ctrl-C */
static int repl_read(lua_State *L)
{
    const char *prompt = luaL_checkstring(L, 1);
    char **text = peri_push_handle(L, &text_kind, sizeof *text, 0);
    switch (peri_editor_read(prompt, text)) {
    case 1:
        lua_pushstring(L, *text);
        break;
    case 0:
        lua_pushnil(L);
        break;
    default:
        lua_pushboolean(L, 0);
    }
    free(*text);
    *text = NULL;
    return 1;
}

static int repl_remember(lua_State *L)
{
    peri_editor_remember(luaL_checkstring(L, 1));
    return 0;
}

/* call(f, ...) -> true and the results, or false and the message with its traceback. Ctrl-C stops
 * the call. */
static int repl_call(lua_State *L)
{
    const bool fine = peri_call(L, lua_gettop(L) - 1, LUA_MULTRET, true) == LUA_OK;
    lua_pushboolean(L, fine);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* terminal() -> whether standard input and output are one */
static int repl_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
    return 1;
}

PERI_OPENER(repl)
{
    static const luaL_Reg functions[] = {
        {"open", repl_open}, {"read", repl_read},         {"remember", repl_remember},
        {"call", repl_call}, {"terminal", repl_terminal}, {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}

int peri_repl_script(lua_State *L, const char *script)
{
    const int top = lua_gettop(L);
    luaL_checkstack(L, 10, "prompt");
    luaopen_perigee(L);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "pg");
    peri_watch(L);
    lua_getfield(L, -1, "_repl");
    lua_getfield(L, -1, "run");
    lua_pushstring(L, script); /* nil for NULL */
    const int status = lua_pcall(L, 1, 0, 0);
    if (status != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        fprintf(stderr, "perigee: %s\n", message != NULL ? message : "(error without a message)");
    }
    lua_settop(L, top);
    return status == LUA_OK ? 0 : 1;
}

int peri_repl(lua_State *L)
{
    return peri_repl_script(L, NULL);
}
