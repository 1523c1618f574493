/* SPDX-License-Identifier: MIT
 *
 * What every binding stands on, a file each: arrays as Lua values, arguments, options, errors.
 *
 * A binding function always does, in this order: check its arguments, allocate its results (as
 * Lua values, so that the collector owns them), call one kernel, turn the status into an error,
 * return. Nothing is owned by C across a call that may raise.
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
#include "bind/options.h"
#include "bind/register.h"
#include "bind/say.h"
#include "bind/state.h"

#endif
