/* SPDX-License-Identifier: MIT
 *
 * What a reader or writer says, as an error of Lua's. */
#ifndef PERIGEE_BIND_IO_ERRORS_H
#define PERIGEE_BIND_IO_ERRORS_H

#include "bind/bind.h"
#include "format/element.h"
#include "format/fault.h"

/* Raises `PATH: reason (byte N)`, or the interrupt; nothing for PERI_IO_OK. */
void peri_check_io(lua_State *L, const char *path, peri_io status, const peri_fault *fault);

/* The same for the elements of an array, where PERI_IO_INEXACT has an index:
 * "PATH: element (2, 1) is 9007199254740993; an f64 cannot hold it exactly (byte 144)". */
void peri_check_elements(lua_State *L, const char *path, peri_io status, const peri_layout *l,
                         const peri_fault *fault);

#endif
