/* SPDX-License-Identifier: MIT */
#include "bind/nested.h"

#include <string.h>

#include <lauxlib.h>

#include "bind/alloc.h"
#include "bind/errors.h"
#include "bind/fits.h"
#include "bind/say.h"

/* Extents and dtype of nested tables are fixed by the first element at each depth. */
static int table_shape(lua_State *L, int idx, size_t shape[PERI_MAX_NDIM])
{
    int ndim = 0;
    luaL_checkstack(L, PERI_MAX_NDIM + 8, "nested table");
    const int top = lua_gettop(L);
    lua_pushvalue(L, idx);
    while (lua_type(L, -1) == LUA_TTABLE) {
        if (ndim == PERI_MAX_NDIM)
            return -1;
        shape[ndim++] = (size_t)lua_rawlen(L, -1);
        if (shape[ndim - 1] == 0)
            break;
        lua_rawgeti(L, -1, 1);
    }
    const peri_array *inner = peri_test_array(L, -1);
    if (inner != NULL) {
        if (ndim + inner->ndim > PERI_MAX_NDIM)
            return -1;
        for (int axis = 0; axis < inner->ndim; axis++)
            shape[ndim++] = inner->shape[axis];
    }
    lua_settop(L, top);
    return ndim;
}

/* What fill() needs on its way down; index[] is the path to the element, from 1. */
struct filling {
    int arg;
    const char *name;
    int ndim;
    const size_t *shape;
    peri_array *out;
    size_t next;
    lua_Integer index[PERI_MAX_NDIM];
};

static const char *push_path(lua_State *L, const struct filling *f, int depth)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 0; i < depth; i++) {
        lua_pushfstring(L, "[%I]", (LUAI_UACINT)f->index[i]);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

static void put(lua_State *L, struct filling *f, int depth, double value)
{
    if (!peri_fits(f->out->dtype, value))
        peri_argerror(L, f->arg, "%s: element %s is %s, and a %s is %s", f->name,
                      push_path(L, f, depth), peri_push_number(L, value),
                      peri_dtype_name(f->out->dtype), peri_dtypes[f->out->dtype].values);
    peri_write_at(f->out->dtype, f->out->data, (ptrdiff_t)f->next++, value);
}

static void fill(lua_State *L, struct filling *f, int depth)
{
    const int at = lua_gettop(L);
    const peri_array *inner = peri_test_array(L, -1);
    if (inner != NULL && peri_tracked(peri_getstate(L), inner))
        peri_argerror(L, f->arg,
                      "%s: an array that a gradient is being taken of stands in a table; "
                      "pg.stack joins such",
                      f->name);
    if (inner != NULL && inner->ndim == f->ndim - depth &&
        memcmp(inner->shape, f->shape + depth, (size_t)inner->ndim * sizeof(size_t)) == 0) {
        peri_check_fits(L, f->arg, f->name, inner, f->out->dtype);
        const peri_array *copy = peri_push_copy(L, inner, f->out->dtype);
        const size_t width = peri_dtype_size(f->out->dtype);
        memcpy((char *)f->out->data + f->next * width, copy->data, copy->size * width);
        f->next += copy->size;
        lua_pop(L, 1);
        return;
    }
    if (depth == f->ndim) {
        int isnum;
        const double value = lua_tonumberx(L, -1, &isnum);
        if (lua_type(L, -1) == LUA_TBOOLEAN)
            put(L, f, depth, lua_toboolean(L, -1));
        else if (isnum && lua_type(L, -1) == LUA_TNUMBER)
            put(L, f, depth, value);
        else
            peri_argerror(L, f->arg, "%s: element %s is %s, expected a number", f->name,
                          push_path(L, f, depth), peri_push_got(L, at));
        return;
    }
    if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) != f->shape[depth])
        peri_argerror(L, f->arg, "%s: ragged table: element %s is %s, expected a table of %I",
                      f->name, push_path(L, f, depth),
                      lua_type(L, at) == LUA_TTABLE
                          ? lua_pushfstring(L, "a table of %I", (LUAI_UACINT)lua_rawlen(L, at))
                          : peri_push_got(L, at),
                      (LUAI_UACINT)f->shape[depth]);
    for (size_t i = 0; i < f->shape[depth]; i++) {
        f->index[depth] = (lua_Integer)i + 1;
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        fill(L, f, depth + 1);
        lua_pop(L, 1);
    }
}

/* Raises where the table at arg, which lists nothing, has names. */
static void refuse_names(lua_State *L, int arg, const char *name)
{
    lua_pushnil(L);
    if (lua_next(L, arg)) {
        lua_pop(L, 1);
        peri_argerror(L, arg,
                      "%s: expected numbers or nested tables of them, got a table with '%s'", name,
                      luaL_tolstring(L, -1, NULL));
    }
}

peri_array *peri_push_table(lua_State *L, int arg, const char *name, int dtype)
{
    size_t shape[PERI_MAX_NDIM];
    const int ndim = table_shape(L, arg, shape);
    if (ndim < 0)
        peri_argerror(L, arg, "%s: table nested deeper than %d axes", name, PERI_MAX_NDIM);
    if (ndim == 1 && shape[0] == 0)
        refuse_names(L, arg, name);
    struct filling f = {.arg = arg, .name = name, .ndim = ndim, .shape = shape};
    f.out = peri_push_array(L, dtype, ndim, shape);
    if (f.out->size > 0) {
        luaL_checkstack(L, PERI_MAX_NDIM + 16, "nested table");
        lua_pushvalue(L, arg);
        fill(L, &f, 0);
        lua_pop(L, 1);
    }
    return f.out;
}
