/* SPDX-License-Identifier: MIT
 *
 * Generators as Lua values, for the bindings whose kernels draw. */
#ifndef PERIGEE_BIND_RANDOM_H
#define PERIGEE_BIND_RANDOM_H

#include "bind/bind.h"
#include "kernel/random.h"

/* The generator at arg, of either kind, else an error that names it. */
peri_rng *peri_arg_rng(lua_State *L, int arg);

/* The methods of generators of the new kind that draw from the usual distributions. */
extern const luaL_Reg peri_distributions[];

#endif
