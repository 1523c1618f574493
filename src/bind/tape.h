/* SPDX-License-Identifier: MIT
 *
 * The tape: what gradients of plain Lua functions are taken from.
 *
 * While a gradient is open, each array that depends on what is differentiated carries the number
 * of the node that made it. A node says which function made the array, of which nodes, and keeps
 * the values that the function's rule will want. The backward pass goes through the nodes from the
 * last to the first and calls the rules, which are Lua over pg's own functions (private/rules.lua)
 * so that a gradient can be differentiated again.
 *
 * An array is tracked while its node is above the state's `base`; opening and closing the outermost
 * gradient set base to the last number given, so every array is plain again at once. Outside
 * gradients a function pays for one comparison.
 *
 * How a function takes part is its row in rules.c, found by the function's name when it is
 * registered:
 *   no row         it refuses a tracked array: "svd has no derivative here; ..."
 *   PERI_READS     it reads the value (printing, comparing, saving); what it gives is plain
 *   else           it is recorded. Its operands are its first arguments; of what `keep` names the
 *                  values are kept, and all arguments after the operands are. A result that is a
 *                  number becomes an array without axes.
 * The wrapper that records is put around the function where it is registered, so a binding says
 * nothing. A binding so fast that the wrapper would be felt is PERI_DIRECT: it ends with
 *     return peri_recorded(L, x->node | y->node, NARGS);
 * with its arguments in the slots 1..NARGS as they were given and its result on top.
 *
 * A new function with a fused backward kernel needs a row ("layer_norm", operands 3, keep what the
 * kernel wants) and a rule of that name in rules.lua, which calls the backward primitive.
 */
#ifndef PERIGEE_BIND_TAPE_H
#define PERIGEE_BIND_TAPE_H

#include <lua.h>

#include "bind/array.h"
#include "bind/rules.h"

/* Records the result on top, where nodes (the OR of the operands') is not 0. Returns 1. */
int peri_record(lua_State *L, int nargs);

static inline int peri_recorded(lua_State *L, uint64_t nodes, int nargs)
{
    return __builtin_expect(nodes == 0, 1) ? 1 : peri_record(L, nargs);
}

/* As peri_record, by a row that is not the running function's. */
int peri_record_as(lua_State *L, const char *name, int nargs);

/* What the files below call through the state. */
extern const peri_guard peri_tape_guard;

#endif
