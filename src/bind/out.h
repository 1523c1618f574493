/* SPDX-License-Identifier: MIT
 *
 * Arguments and options that functions over axes share: [axis | {axes}] and {out=}. */
#ifndef PERIGEE_BIND_OUT_H
#define PERIGEE_BIND_OUT_H

#include "bind/array.h"

/* The option out= of the table at opts (which may be nil): pushes it, an array of that dtype and
 * shape, else a new array. */
peri_array *peri_option_out(lua_State *L, int opts, int dtype, int ndim, const size_t *shape);

/* As above, for a result computed from `a`: where out= overlaps it, a copy of `a` replaces it in
 * its slot and in *a. */
peri_array *peri_option_out_from(lua_State *L, int opts, int dtype, int ndim, const size_t *shape,
                                 int slot, peri_array **a);

/* An optional axis at arg, counted from 0; def where it is absent or an options table stands in
 * its place. *opts is where the options are. */
int peri_arg_optional_axis(lua_State *L, int arg, int ndim, int def, int *opts);

/* [axis | {axes}] at arg: sets reduced[axis] and returns how many are set; all of them where it is
 * absent. *all: whether it was. *opts is where the options are. */
int peri_arg_axes(lua_State *L, int arg, int ndim, bool reduced[PERI_MAX_NDIM], bool *all,
                  int *opts);

#endif
