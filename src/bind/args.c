/* SPDX-License-Identifier: MIT */
#include "bind/args.h"

#include <limits.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/alloc.h"
#include "bind/errors.h"
#include "bind/nested.h"
#include "bind/sandbox.h"
#include "bind/say.h"

peri_array *peri_arg_array(lua_State *L, int arg, const char *name)
{
    peri_array *a = peri_plain_array(L, arg);
    if (a != NULL)
        return a;
    a = peri_test_array(L, arg);
    if (a != NULL)
        return a;
    if (lua_isnone(L, arg) && arg == 1)
        peri_argerror(L, arg, "%s: expected array, got no value; write a:%s(), with a colon", name,
                      peri_push_name(L));
    peri_argerror(L, arg, "%s: expected array, got %s", name, peri_push_got(L, arg));
    return NULL;
}

peri_array *peri_arg_target_array(lua_State *L, int arg, const char *name)
{
    peri_array *plain = peri_plain_array(L, arg);
    const peri_array *a = plain != NULL ? plain : peri_peek_array(L, arg);
    if (a != NULL)
        peri_check_write(L, a);
    return plain != NULL ? plain : peri_arg_array(L, arg, name);
}

peri_array *peri_arg_contiguous(lua_State *L, int arg, const char *name, int dtype, int ndim)
{
    peri_array *a;
    if (lua_type(L, arg) == LUA_TTABLE) {
        a = peri_push_table(L, arg, name, dtype < 0 ? PERI_F64 : dtype);
        lua_replace(L, arg);
    } else {
        a = peri_arg_array(L, arg, name);
    }
    if (ndim >= 0 && a->ndim != ndim)
        peri_argerror(L, arg, "%s: expected %d axes, got shape %s", name, ndim,
                      peri_push_shape(L, a->ndim, a->shape));
    if (dtype < 0)
        dtype = peri_promote1(a->dtype);
    if (a->dtype != dtype || !peri_is_contiguous(a)) {
        a = peri_push_copy(L, a, dtype);
        lua_replace(L, arg);
    }
    return a;
}

peri_array *peri_arg_any(lua_State *L, int arg, const char *name)
{
    peri_array *plain = peri_plain_array(L, arg);
    if (plain != NULL)
        return plain;
    if (lua_type(L, arg) == LUA_TNUMBER) {
        peri_array *a = peri_push_array(L, PERI_F64, 0, NULL);
        *(double *)a->data = lua_tonumber(L, arg);
        lua_replace(L, arg);
        return a;
    }
    if (lua_type(L, arg) == LUA_TTABLE) {
        peri_array *a = peri_push_table(L, arg, name, PERI_F64);
        lua_replace(L, arg);
        return a;
    }
    return peri_arg_array(L, arg, name);
}

peri_array *peri_arg_operand(lua_State *L, int arg, const char *name)
{
    peri_array *a = peri_arg_any(L, arg, name);
    if (peri_is_real(a->dtype))
        return a;
    a = peri_push_copy(L, a, peri_promote1(a->dtype));
    lua_replace(L, arg);
    return a;
}

peri_array *peri_arg_out(lua_State *L, int arg, int dtype, int ndim, const size_t *shape)
{
    if (lua_isnoneornil(L, arg))
        return peri_push_array(L, dtype, ndim, shape);
    peri_array *out = peri_arg_target_array(L, arg, "out");
    if (out->dtype != dtype || out->ndim != ndim ||
        memcmp(out->shape, shape, (size_t)ndim * sizeof *shape) != 0)
        peri_argerror(L, arg, "out: expected array %s %s, got %s", peri_push_shape(L, ndim, shape),
                      peri_dtype_name(dtype), peri_push_got(L, arg));
    lua_pushvalue(L, arg);
    return out;
}

peri_array *peri_arg_inout(lua_State *L, int arg, const char *name, int dtype, int ndim,
                           bool contiguous)
{
    peri_array *a = peri_arg_target_array(L, arg, name);
    if (dtype >= 0 && a->dtype != dtype)
        peri_argerror(L, arg, "%s: expected %s, which is written in place, got %s", name,
                      peri_dtype_name(dtype), peri_push_got(L, arg));
    if (ndim >= 0 && a->ndim != ndim)
        peri_argerror(L, arg, "%s: expected %d axes, got shape %s", name, ndim,
                      peri_push_shape(L, a->ndim, a->shape));
    if (contiguous && !peri_is_contiguous(a))
        peri_argerror(
            L, arg,
            "%s: expected an array whose elements lie one after another, as it is written "
            "in place, got a view; give the array itself",
            name);
    return a;
}

lua_Integer peri_arg_list(lua_State *L, int arg, const char *name)
{
    if (lua_type(L, arg) != LUA_TTABLE) {
        const char *cure = peri_test_array(L, arg) != NULL ? "; write {a, b}, in braces" : "";
        peri_argerror(L, arg, "%s: expected a table of arrays, got %s%s", name,
                      peri_push_got(L, arg), cure);
    }
    const lua_Integer count = (lua_Integer)lua_rawlen(L, arg);
    if (count == 0)
        peri_argerror(L, arg, "%s: expected at least one array, got an empty table", name);
    lua_createtable(L, count < INT_MAX ? (int)count : INT_MAX, 0);
    for (lua_Integer k = 1; k <= count; k++) {
        lua_rawgeti(L, arg, k);
        if (peri_test_array(L, -1) == NULL)
            peri_argerror(L, arg, "%s: element %I is %s, expected array", name, (LUAI_UACINT)k,
                          peri_push_got(L, -1));
        lua_rawseti(L, -2, k);
    }
    lua_replace(L, arg);
    return count;
}

peri_array *peri_list_item(lua_State *L, int arg, lua_Integer k)
{
    lua_rawgeti(L, arg, k);
    peri_array *a = peri_test_array(L, -1);
    lua_pop(L, 1); /* the list keeps it */
    if (a == NULL)
        peri_raise(L, "item %I is no array", (LUAI_UACINT)k);
    return a;
}

peri_array *peri_arg_field(lua_State *L, int arg, const char *field, int dtype, int ndim,
                           const size_t *shape)
{
    if (lua_type(L, arg) != LUA_TTABLE)
        peri_argerror(L, arg, "expected a model, got %s", peri_push_got(L, arg));
    luaL_checkstack(L, 8, "field");
    lua_pushstring(L, field);
    lua_rawget(L, arg);
    peri_array *a = peri_test_array(L, -1);
    const bool fits =
        a != NULL && (dtype < 0 || a->dtype == dtype) && (ndim < 0 || a->ndim == ndim) &&
        (shape == NULL || memcmp(a->shape, shape, (size_t)a->ndim * sizeof *shape) == 0) &&
        peri_is_contiguous(a);
    if (!fits) {
        const char *got = peri_push_got(L, -1);
        if (shape != NULL && ndim >= 0)
            peri_error(L, "the model's %s was changed: expected array %s%s%s, got %s", field,
                       peri_push_shape(L, ndim, shape), dtype < 0 ? "" : " ",
                       dtype < 0 ? "" : peri_dtype_name(dtype), got);
        peri_error(L, "the model's %s was changed: got %s", field, got);
    }
    return a;
}

lua_Integer peri_arg_integer(lua_State *L, int arg, const char *name, lua_Integer lo,
                             lua_Integer hi)
{
    int exact = 0;
    lua_Integer value = 0;
    if (lua_type(L, arg) == LUA_TNUMBER)
        value = lua_tointegerx(L, arg, &exact);
    if (!exact)
        peri_argerror(L, arg, "%s: expected an integer, got %s", name, peri_push_got(L, arg));
    if (value < lo || value > hi) {
        if (hi == LUA_MAXINTEGER)
            peri_argerror(L, arg, "%s: expected an integer of at least %I, got %I", name,
                          (LUAI_UACINT)lo, (LUAI_UACINT)value);
        peri_argerror(L, arg, "%s: expected an integer in %I..%I, got %I", name, (LUAI_UACINT)lo,
                      (LUAI_UACINT)hi, (LUAI_UACINT)value);
    }
    return value;
}

double peri_arg_number(lua_State *L, int arg, const char *name)
{
    if (lua_type(L, arg) != LUA_TNUMBER) {
        const peri_array *a = peri_peek_array(L, arg);
        const bool tracked = a != NULL && a->ndim == 0 && peri_tracked(peri_getstate(L), a);
        peri_argerror(L, arg, "%s: expected a number, got %s%s", name, peri_push_got(L, arg),
                      tracked ? ": inside a gradient a:item() is the value" : "");
    }
    return lua_tonumber(L, arg);
}

void peri_refuse_dtype_inside(lua_State *L, int arg, const char *name)
{
    lua_pushstring(L, "dtype");
    if (lua_rawget(L, arg) != LUA_TNIL)
        peri_argerror(L, arg, "%s: the dtype stands behind the table: {...}, \"f32\"", name);
    lua_pop(L, 1);
}

/* Raises where the table at arg, which should list extents, has names: options that the function
 * does not take would give one number in silence. */
static void refuse_names(lua_State *L, int arg)
{
    luaL_checkstack(L, 4, "shape");
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            peri_argerror(
                L, arg,
                "shape: expected integers or a table of them, got a table with '%s'; write "
                "the extents themselves: n, m or {n, m}",
                lua_tostring(L, -1));
    }
}

int peri_arg_shape(lua_State *L, int arg, size_t shape[PERI_MAX_NDIM], int *next)
{
    int ndim = 0;
    const bool table = lua_type(L, arg) == LUA_TTABLE;
    const int first = arg;
    if (table) {
        peri_refuse_dtype_inside(L, arg, "shape");
        refuse_names(L, arg);
        ndim = (int)(lua_rawlen(L, arg) > PERI_MAX_NDIM ? PERI_MAX_NDIM + 1 : lua_rawlen(L, arg));
    } else {
        while (lua_type(L, arg + ndim) == LUA_TNUMBER && ndim <= PERI_MAX_NDIM)
            ndim++;
    }
    if (ndim > PERI_MAX_NDIM)
        peri_argerror(L, first, "shape: more than %d axes", PERI_MAX_NDIM);
    for (int axis = 0; axis < ndim; axis++) {
        if (table)
            lua_rawgeti(L, arg, axis + 1);
        else
            lua_pushvalue(L, arg + axis);
        int exact;
        const lua_Integer extent = lua_tointegerx(L, -1, &exact);
        if (lua_type(L, -1) != LUA_TNUMBER || !exact || extent < 0)
            peri_argerror(L, table ? first : first + axis,
                          "shape: expected an integer of at least 0, got %s", peri_push_got(L, -1));
        shape[axis] = (size_t)extent;
        lua_pop(L, 1);
    }
    if (next != NULL)
        *next = table ? arg + 1 : arg + ndim;
    return ndim;
}

int peri_arg_axis(lua_State *L, int arg, const char *name, int ndim)
{
    int exact = 0;
    lua_Integer axis = 0;
    if (lua_type(L, arg) == LUA_TNUMBER)
        axis = lua_tointegerx(L, arg, &exact);
    if (!exact)
        peri_argerror(L, arg, "%s: expected an integer, got %s", name, peri_push_got(L, arg));
    if (axis < 0)
        axis += ndim + 1;
    if (axis < 1 || axis > ndim) {
        if (ndim == 0)
            peri_argerror(L, arg, "%s: the array has no axes", name);
        if (lua_tointeger(L, arg) == 0)
            peri_argerror(L, arg, "%s: axes are 1..%d: NumPy's axis=0 is 1 here", name, ndim);
        peri_argerror(L, arg, "%s: axes are 1..%d, got %I", name, ndim,
                      (LUAI_UACINT)lua_tointeger(L, arg));
    }
    return (int)axis - 1;
}

int peri_value_dtype(lua_State *L, int idx, int arg, int end)
{
    idx = lua_absindex(L, idx);
    const int dtype = lua_type(L, idx) == LUA_TSTRING ? peri_dtype_named(lua_tostring(L, idx)) : -1;
    if (dtype >= 0 && dtype < end)
        return dtype;
    luaL_Buffer b;
    const char *got = peri_push_got(L, idx);
    luaL_buffinit(L, &b);
    for (int k = 0; k < end; k++) {
        luaL_addstring(&b, k == 0 ? "\"" : k == end - 1 ? "\" or \"" : "\", \"");
        luaL_addstring(&b, peri_dtype_name(k));
    }
    luaL_addchar(&b, '"');
    luaL_pushresult(&b);
    return peri_argerror(L, arg, "dtype: expected %s, got %s", lua_tostring(L, -1), got);
}

int peri_arg_dtype(lua_State *L, int arg, int def)
{
    return lua_isnoneornil(L, arg) ? def : peri_value_dtype(L, arg, arg, PERI_REAL_DTYPES);
}

int peri_arg_any_dtype(lua_State *L, int arg, int def)
{
    return lua_isnoneornil(L, arg) ? def : peri_value_dtype(L, arg, arg, PERI_DTYPES);
}

static const char *arg_path(lua_State *L, int arg)
{
    size_t length;
    if (lua_type(L, arg) != LUA_TSTRING)
        peri_argerror(L, arg, "path: expected a string, got %s", peri_push_got(L, arg));
    const char *path = lua_tolstring(L, arg, &length);
    if (strlen(path) != length)
        peri_argerror(L, arg, "path: a file name cannot contain a NUL byte");
    return path;
}

const char *peri_arg_path(lua_State *L, int arg)
{
    const char *path = arg_path(L, arg);
    peri_may_read(L, path);
    return path;
}

const char *peri_arg_target(lua_State *L, int arg)
{
    const char *path = arg_path(L, arg);
    peri_may_write(L, path);
    return path;
}
