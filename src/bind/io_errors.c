/* SPDX-License-Identifier: MIT
 *
 * What a reader or writer says, as a sentence: `PATH: reason (byte N)`. */
#include "bind/io_errors.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Errors of the world stand without the script's line: they are not its fault. */
void peri_check_io(lua_State *L, const char *path, peri_io status, const peri_fault *fault)
{
    if (status == PERI_IO_OK)
        return;
    luaL_checkstack(L, 12, "error");
    if (status == PERI_IO_INTERRUPTED)
        peri_check(L, 0, PERI_ERR_INTERRUPTED, NULL);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    char text[PATH_MAX];
    peri_printable(text, sizeof text, path, strlen(path));
    luaL_addstring(&b, text);
    luaL_addstring(&b, ": ");
    luaL_addstring(&b, fault->reason);
    if (status == PERI_IO_SYSTEM) {
        luaL_addstring(&b, ": ");
        luaL_addstring(&b, strerror(fault->error_number));
    }
    if (fault->detail[0] != 0) {
        luaL_addchar(&b, ' ');
        luaL_addstring(&b, fault->detail);
    }
    char place[64] = "";
    if (fault->line > 0)
        snprintf(place, sizeof place, " (line %" PRIu64 ", column %" PRIu64 ")", fault->line,
                 fault->column);
    else if (fault->byte != PERI_NO_BYTE)
        snprintf(place, sizeof place, " (byte %" PRIu64 ")", fault->byte);
    luaL_addstring(&b, place);
    luaL_pushresult(&b);
    lua_error(L);
}

/* "PATH: element (2, 1) is 9007199254740993; an f64 cannot hold it exactly (byte 144)" */
void peri_check_elements(lua_State *L, const char *path, peri_io status, const peri_layout *l,
                         const peri_fault *fault)
{
    if (status != PERI_IO_INEXACT) {
        peri_check_io(L, path, status, fault);
        return;
    }
    size_t index[PERI_MAX_NDIM], rest = fault->index;
    for (int k = l->ndim - 1; k >= 0; k--) {
        const int axis = l->fortran ? l->ndim - 1 - k : k;
        index[axis] = rest % l->shape[axis] + 1;
        rest /= l->shape[axis];
    }
    peri_fault told = *fault;
    const char *where = l->ndim == 1 ? "" : peri_push_shape(L, l->ndim, index);
    if (l->ndim == 1)
        where = lua_pushfstring(L, "%I", (LUAI_UACINT)index[0]);
    told.detail[0] = 0;
    told.reason = lua_pushfstring(L, "element %s is %s; %s, {exact=false} rounds it", where,
                                  fault->detail, fault->reason);
    peri_check_io(L, path, PERI_IO_BAD, &told);
}
