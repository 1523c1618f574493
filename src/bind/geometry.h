/* SPDX-License-Identifier: MIT
 *
 * Options of images: one integer, or one for each axis. */
#ifndef PERIGEE_BIND_GEOMETRY_H
#define PERIGEE_BIND_GEOMETRY_H

#include <stddef.h>

#include <lua.h>

/* The option as {y, x}: an integer for both or a table of `axes` integers, each at least lo. With
 * axes 1 it is an integer for x, and y is the number that does nothing: lo. */
void peri_option_extents(lua_State *L, int arg, const char *name, int axes, lua_Integer def,
                         lua_Integer lo, size_t out[2]);

/* The same of an argument, which must be there. */
void peri_arg_extents(lua_State *L, int arg, const char *name, lua_Integer lo, size_t out[2]);

#endif
