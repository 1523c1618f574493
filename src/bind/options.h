/* SPDX-License-Identifier: MIT
 *
 * Options: a table as the last argument. */
#ifndef PERIGEE_BIND_OPTIONS_H
#define PERIGEE_BIND_OPTIONS_H

#include <stdbool.h>

#include <lua.h>

/* Checks that arg is nil, absent or a plain table, and each key one of names (ends with NULL);
 * an unknown one is an error that lists the near one. Replaces an absent table by nil, so that
 * the readers below may be called on arg in any case. */
void peri_options(lua_State *L, int arg, const char *const names[]);

bool peri_option_given(lua_State *L, int arg, const char *name);
double peri_option_number(lua_State *L, int arg, const char *name, double def);
lua_Integer peri_option_integer(lua_State *L, int arg, const char *name, lua_Integer def,
                                lua_Integer lo, lua_Integer hi);
bool peri_option_boolean(lua_State *L, int arg, const char *name, bool def);

/* One of choices (ends with NULL); returns its index. */
int peri_option_choice(lua_State *L, int arg, const char *name, const char *const choices[],
                       int def);

/* The option dtype=, "f64" and so on; def where it is absent. stored: whether it may be one that
 * only stores. */
int peri_option_dtype(lua_State *L, int arg, int def, bool stored);

/* Pushes the option's value (nil when absent) and returns its Lua type. */
int peri_option_push(lua_State *L, int arg, const char *name);

#endif
