/* SPDX-License-Identifier: MIT
 *
 * require "perigee.notebook": what a notebook's kernel needs beside Lua, for
 * lua/perigee/private/jupyter.lua: sockets of ZeroMQ, the signature of messages, what the process
 * writes, and a call that a signal stops. Only the program has it. */
#ifndef PERIGEE_HOST_COMMAND_NOTEBOOK_H
#define PERIGEE_HOST_COMMAND_NOTEBOOK_H

#include <lua.h>

int peri_open_notebook(lua_State *L);

#endif
