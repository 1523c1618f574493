/* SPDX-License-Identifier: MIT
 *
 * What every binding stands on, a file each: arrays as Lua values, arguments, options, errors.
 *
 * A binding function always does, in this order: check its arguments, allocate its results (as
 * Lua values, so that the collector owns them), call one kernel, turn the status into an error,
 * return. Nothing is owned by C across a call that may raise.
 *
 * What C may believe. Any script can call any of these functions, with anything: it finds them as
 * fields, through metatables, and by replacing globals that lua/perigee calls. And a finaliser of
 * its runs in the middle of them, whenever something is allocated. So, of what memory safety needs:
 *
 *  1. An argument is believed for what it is when this function has looked: its type, dtype, shape,
 *     strides. That Lua code has checked it counts for messages only. Handles are known by their
 *     kind (handle.h), also in __gc, __close, __index and __tostring.
 *  2. The header of an array never changes and its memory never moves: a pointer into it holds as
 *     long as the array stands in this call's stack.
 *  3. Everything else can change at each allocation and each call of Lua: fields of tables, user
 *     values, the elements of arrays. What comes out of a table is left on the stack
 *     (peri_arg_list, peri_arg_field) or fetched and looked at again. Elements that become indices,
 *     lengths or sizes are checked where they are used, or copied to memory of one's own first.
 *
 * Arguments are counted as written by the user, from 1; `arg` is a stack index >= 1, which is the
 * same. For a method call self is stack index 1 and the messages count without it.
 */
#ifndef PERIGEE_BIND_H
#define PERIGEE_BIND_H

#include "bind/alloc.h"
#include "bind/args.h"
#include "bind/array.h"
#include "bind/errors.h"
#include "bind/fits.h"
#include "bind/handle.h"
#include "bind/options.h"
#include "bind/register.h"
#include "bind/say.h"
#include "bind/state.h"

#endif
