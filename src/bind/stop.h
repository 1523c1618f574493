/* SPDX-License-Identifier: MIT
 *
 * Requests to stop beside those of perigee.h. */
#ifndef PERIGEE_BIND_STOP_H
#define PERIGEE_BIND_STOP_H

#include <stdbool.h>

#include <lua.h>

#include "kernel/stop.h"

/* From the handler of a signal to the thread that runs L: asks for a stop, PERI_STOP_ONCE or
 * PERI_STOP_CALL, which Lua code hears at its next instruction. Returns who had asked before. */
int peri_interrupt_call(lua_State *L, int how);

/* Takes back what peri_interrupt_call asked for; whether nobody had heard it. */
bool peri_resume_call(lua_State *L);

#endif
