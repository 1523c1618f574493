/* SPDX-License-Identifier: MIT
 *
 * Wording: what a message says about a value. Each pushes a string and returns it. */
#ifndef PERIGEE_BIND_SAY_H
#define PERIGEE_BIND_SAY_H

#include <stdarg.h>
#include <stddef.h>

#include <lua.h>

/* Pushes "(3, 4)"; "(3,)" for one axis, "()" for none. Returns the string. */
const char *peri_push_shape(lua_State *L, int ndim, const size_t *shape);

/* Pushes "array (3, 4) f64", "string", "no value", ...: what a message says it got. */
const char *peri_push_got(lua_State *L, int idx);

/* The name in names[] (ends with NULL) nearest to word by edit distance, or NULL when none is
 * near enough to be a misspelling of it. */
const char *peri_nearest(const char *word, const char *const names[]);

/* Pushes the number as users write it: 3, not 3.0. */
const char *peri_push_number(lua_State *L, double x);

/* As lua_pushvfstring and lua_pushfstring (%s %d %I %f %c %%), but that numbers are the same in
 * every locale. */
const char *peri_push_vtext(lua_State *L, const char *format, va_list list);
const char *peri_push_text(lua_State *L, const char *format, ...);

#endif
