/* SPDX-License-Identifier: MIT
 *
 * Reading arguments. See bind.h for how they are counted. */
#ifndef PERIGEE_BIND_ARGS_H
#define PERIGEE_BIND_ARGS_H

#include <stdbool.h>

#include <lua.h>

#include "bind/array.h"

/* The array at arg, else an error that names the argument. Any dtype, any strides: for what moves
 * elements, or reads them through kernel/view. */
peri_array *peri_arg_array(lua_State *L, int arg, const char *name);

/* The same for an array that is written: an error also where a gradient needs it as it is. */
peri_array *peri_arg_target_array(lua_State *L, int arg, const char *name);

/* The array at arg (or a nested table of numbers, converted), of this dtype (-1: a real one, its
 * own where it is that) and number of axes (-1: any), contiguous. Where the argument is not so
 * already, a copy replaces it in its stack slot, so it stays alive as long as the slot does. */
peri_array *peri_arg_contiguous(lua_State *L, int arg, const char *name, int dtype, int ndim);

/* A number, a nested table or an array: whatever can stand in an expression. Any dtype, any
 * strides, as peri_arg_array; peri_arg_operand gives a real dtype, for what computes. Where the
 * argument is not so already, an array replaces it in its stack slot. */
peri_array *peri_arg_any(lua_State *L, int arg, const char *name);
peri_array *peri_arg_operand(lua_State *L, int arg, const char *name);

/* The optional output at arg: where it is nil or absent a new array is pushed; else it must be an
 * array of that dtype and shape. The result is on top of the stack either way. */
peri_array *peri_arg_out(lua_State *L, int arg, int dtype, int ndim, const size_t *shape);

/* The array at arg that is written in place: of this dtype (-1: any), number of axes (-1: any) and,
 * where `contiguous`, with its elements one after another. Nothing is converted. */
peri_array *peri_arg_inout(lua_State *L, int arg, const char *name, int dtype, int ndim,
                           bool contiguous);

/* Replaces the table at arg by one that only this call has, with the same items, so that they stay
 * what they are and alive; returns how many. Elements are arrays, of any dtype and shape. */
lua_Integer peri_arg_list(lua_State *L, int arg, const char *name);

/* Item k of what peri_arg_list made. */
peri_array *peri_list_item(lua_State *L, int arg, lua_Integer k);

/* Pushes the array in field `field` of the table at arg, a model's, and returns it: contiguous, of
 * this dtype and shape (shape NULL: any, with ndim axes or -1). It is left on the stack, so it
 * stays what it is. Read without metamethods. */
peri_array *peri_arg_field(lua_State *L, int arg, const char *field, int dtype, int ndim,
                           const size_t *shape);

/* An integer within [lo, hi], from an integer or a float with an exact integer value. */
lua_Integer peri_arg_integer(lua_State *L, int arg, const char *name, lua_Integer lo,
                             lua_Integer hi);
double peri_arg_number(lua_State *L, int arg, const char *name);

/* Raises where the table at arg has a field dtype: a habit from languages with named arguments, and
 * what follows would be f64 in silence. */
void peri_refuse_dtype_inside(lua_State *L, int arg, const char *name);

/* The shape written from arg on: integers n, m, ... or one table of them. Returns ndim. With no
 * argument there, 0. *next is the index of the first argument after the shape. */
int peri_arg_shape(lua_State *L, int arg, size_t shape[PERI_MAX_NDIM], int *next);

/* An axis counted from 1, or from the end if negative. Returns it counted from 0. */
int peri_arg_axis(lua_State *L, int arg, const char *name, int ndim);

/* The name of a dtype in which arithmetic computes ("f64", "float64", ...); absent: def. With _any_
 * the name of any dtype. */
int peri_arg_dtype(lua_State *L, int arg, int def);
int peri_arg_any_dtype(lua_State *L, int arg, int def);

/* The dtype named by the value at idx, one of the first `end`; a fault is that of argument `arg`.
 */
int peri_value_dtype(lua_State *L, int idx, int arg, int end);

/* The path of a file to read, or to make: without a NUL byte inside, and within the sandbox where
 * there is one. */
const char *peri_arg_path(lua_State *L, int arg);
const char *peri_arg_target(lua_State *L, int arg);

#endif
