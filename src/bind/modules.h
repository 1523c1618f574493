/* SPDX-License-Identifier: MIT
 *
 * The fields of pg that are made when they are first read: functions that were declared
 * (register.h), and modules. */
#ifndef PERIGEE_BIND_MODULES_H
#define PERIGEE_BIND_MODULES_H

#include <lua.h>

/* What gives the primitives of pg.NAME, or of pg._NAME. The last row of a list has no name. */
typedef struct {
    const char *name;
    lua_CFunction open;
} peri_opener;

/* Gives the table pg on top of the stack its metatable. The openers must last. */
void peri_modules_open(lua_State *L, const peri_opener *openers);

#endif
