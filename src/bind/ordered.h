/* SPDX-License-Identifier: MIT
 *
 * Tables with names, whose pairs come in order, and pg.none. */
#ifndef PERIGEE_BIND_ORDERED_H
#define PERIGEE_BIND_ORDERED_H

#include "bind/bind.h"

/* Makes pairs() on the table on top go through its keys in order. */
void peri_order_keys(lua_State *L);

/* Sorts a list of keys: numbers, then text. */
void peri_sort_keys(lua_State *L, int list);

/* Pushes pg.none. */
void peri_push_none(lua_State *L);

/* Makes pg.none and what peri_order_keys() sets. */
void peri_ordered_open(lua_State *L);

#endif
