/* SPDX-License-Identifier: MIT
 *
 * Values on their way into a dtype that does not hold all of them. */
#ifndef PERIGEE_BIND_FITS_H
#define PERIGEE_BIND_FITS_H

#include "bind/array.h"

/* Raises where an element of `a` does not fit the dtype; the message names it by its indices. */
void peri_check_fits(lua_State *L, int arg, const char *name, const peri_array *a, int dtype);

/* The same for the number x, which is not an element. */
void peri_check_number(lua_State *L, int arg, const char *name, double x, int dtype);

#endif
