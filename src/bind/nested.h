/* SPDX-License-Identifier: MIT
 *
 * Nested tables of numbers as arrays. */
#ifndef PERIGEE_BIND_NESTED_H
#define PERIGEE_BIND_NESTED_H

#include "bind/array.h"

/* Pushes the nested table at arg as an array. */
peri_array *peri_push_table(lua_State *L, int arg, const char *name, int dtype);

#endif
