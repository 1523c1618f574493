/* SPDX-License-Identifier: MIT
 *
 * What Lua's io cannot say of a terminal. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "bind/bind.h"

/* The descriptor at 1: "stdout" or "stderr". */
static int descriptor(lua_State *L)
{
    static const char *const names[] = {"stdout", "stderr", NULL};
    return luaL_checkoption(L, 1, "stdout", names) == 0 ? STDOUT_FILENO : STDERR_FILENO;
}

/* is("stderr") -> whether it is a terminal */
static int is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty(descriptor(L)));
    return 1;
}

/* size("stderr") -> columns, rows; nothing where they are not known */
static int size(lua_State *L)
{
    struct winsize window;
    if (ioctl(descriptor(L), TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
        return 0;
    lua_pushinteger(L, window.ws_col);
    lua_pushinteger(L, window.ws_row);
    return 2;
}

int peri_open_terminal(lua_State *L);
int peri_open_terminal(lua_State *L)
{
    static const luaL_Reg functions[] = {{"is", is_terminal}, {"size", size}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
