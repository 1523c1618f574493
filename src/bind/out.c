/* SPDX-License-Identifier: MIT */
#include "bind/out.h"

#include <string.h>

#include <lauxlib.h>

#include "bind/alloc.h"
#include "bind/args.h"
#include "bind/errors.h"
#include "bind/options.h"
#include "bind/say.h"

peri_array *peri_option_out(lua_State *L, int opts, int dtype, int ndim, const size_t *shape)
{
    if (peri_option_push(L, opts, "out") == LUA_TNIL) {
        lua_pop(L, 1);
        return peri_push_array(L, dtype, ndim, shape);
    }
    peri_array *out = peri_peek_array(L, -1);
    if (out != NULL)
        peri_check_write(L, out);
    if (out == NULL || out->dtype != dtype || out->ndim != ndim ||
        (ndim > 0 && memcmp(out->shape, shape, (size_t)ndim * sizeof *shape) != 0)) {
        const char *got = peri_push_got(L, -1);
        peri_argerror(L, opts, "out: expected array %s %s, got %s", peri_push_shape(L, ndim, shape),
                      peri_dtype_name(dtype), got);
    }
    return out;
}

peri_array *peri_option_out_from(lua_State *L, int opts, int dtype, int ndim, const size_t *shape,
                                 int slot, peri_array **a)
{
    peri_array *out = peri_option_out(L, opts, dtype, ndim, shape);
    if (peri_overlaps(out, *a)) {
        *a = peri_push_copy(L, *a, -1);
        lua_replace(L, slot);
    }
    return out;
}

int peri_arg_optional_axis(lua_State *L, int arg, int ndim, int def, int *opts)
{
    *opts = arg;
    if (lua_type(L, arg) == LUA_TTABLE)
        return def;
    *opts = arg + 1;
    if (lua_isnoneornil(L, arg))
        return def;
    return peri_arg_axis(L, arg, "axis", ndim);
}

int peri_arg_axes(lua_State *L, int arg, int ndim, bool reduced[PERI_MAX_NDIM], bool *all,
                  int *opts)
{
    memset(reduced, 0, PERI_MAX_NDIM * sizeof *reduced);
    if (lua_gettop(L) < arg) { /* the usual case, without a look at what is not there */
        for (int axis = 0; axis < ndim; axis++)
            reduced[axis] = true;
        *all = true;
        *opts = arg + 1;
        return ndim;
    }
    const bool table = lua_type(L, arg) == LUA_TTABLE;
    const lua_Unsigned listed = table ? lua_rawlen(L, arg) : 0;
    *opts = table && listed == 0 ? arg : arg + 1;
    *all = lua_isnoneornil(L, arg) || *opts == arg;
    if (*all) {
        for (int axis = 0; axis < ndim; axis++)
            reduced[axis] = true;
        return ndim;
    }
    if (!table) {
        if (lua_type(L, arg) != LUA_TNUMBER)
            peri_argerror(L, arg, "axis: expected an integer or a table of them, got %s",
                          peri_push_got(L, arg));
        reduced[peri_arg_axis(L, arg, "axis", ndim)] = true;
        return 1;
    }
    int count = 0;
    lua_pushvalue(L, arg); /* the slot holds each axis in turn, so that errors name it */
    const int list = lua_gettop(L);
    for (lua_Unsigned k = 1; k <= listed; k++) {
        lua_rawgeti(L, list, (lua_Integer)k);
        lua_replace(L, arg);
        const int axis = peri_arg_axis(L, arg, "axis", ndim);
        if (reduced[axis])
            peri_argerror(L, arg, "axis: %d is given twice", axis + 1);
        reduced[axis] = true;
        count++;
    }
    lua_pushvalue(L, list);
    lua_replace(L, arg);
    lua_remove(L, list);
    return count;
}
