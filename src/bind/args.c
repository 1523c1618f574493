/* SPDX-License-Identifier: MIT
 *
 * Reading arguments and options. See bind.h for the contract of each function. */
#include <math.h>
#include <string.h>

#include "bind.h"
#include "internal.h"
#include "sandbox.h"

peri_array *peri_test_array(lua_State *L, int idx)
{
    peri_array *a = lua_touserdata(L, idx);
    /* The length of what is no full userdata is 0. */
    if (a == NULL || lua_rawlen(L, idx) < sizeof *a || a->mark != peri_array_mark(a))
        return NULL;
    if (a->gone != NULL && *a->gone)
        peri_raise(L, "array was detached: its memory belongs to the host again");
    return a;
}

peri_array *peri_arg_array(lua_State *L, int arg, const char *name)
{
    peri_array *a = peri_test_array(L, arg);
    if (a != NULL)
        return a;
    if (lua_isnone(L, arg) && arg == 1)
        peri_argerror(L, arg, "%s: expected array, got no value; write a:%s(), with a colon", name,
                      peri_push_name(L));
    peri_argerror(L, arg, "%s: expected array, got %s", name, peri_push_got(L, arg));
    return NULL;
}

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

static void put(peri_array *out, size_t at, double value)
{
    peri_write_at(out->dtype, out->data, (ptrdiff_t)at, value);
}

static void fill(lua_State *L, struct filling *f, int depth)
{
    const int at = lua_gettop(L);
    const peri_array *inner = peri_test_array(L, -1);
    if (inner != NULL && inner->ndim == f->ndim - depth &&
        memcmp(inner->shape, f->shape + depth, (size_t)inner->ndim * sizeof(size_t)) == 0) {
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
            put(f->out, f->next++, lua_toboolean(L, -1));
        else if (isnum && lua_type(L, -1) == LUA_TNUMBER)
            put(f->out, f->next++, value);
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

peri_array *peri_push_table(lua_State *L, int arg, const char *name, int dtype)
{
    size_t shape[PERI_MAX_NDIM];
    const int ndim = table_shape(L, arg, shape);
    if (ndim < 0)
        peri_argerror(L, arg, "%s: table nested deeper than %d axes", name, PERI_MAX_NDIM);
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
    if ((dtype >= 0 && a->dtype != dtype) || !peri_is_contiguous(a)) {
        a = peri_push_copy(L, a, dtype);
        lua_replace(L, arg);
    }
    return a;
}

peri_array *peri_arg_operand(lua_State *L, int arg, const char *name)
{
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

peri_array *peri_arg_out(lua_State *L, int arg, int dtype, int ndim, const size_t *shape)
{
    if (lua_isnoneornil(L, arg))
        return peri_push_array(L, dtype, ndim, shape);
    peri_array *out = peri_arg_array(L, arg, "out");
    if (out->dtype != dtype || out->ndim != ndim ||
        memcmp(out->shape, shape, (size_t)ndim * sizeof *shape) != 0)
        peri_argerror(L, arg, "out: expected array %s %s, got %s", peri_push_shape(L, ndim, shape),
                      peri_dtype_name(dtype), peri_push_got(L, arg));
    lua_pushvalue(L, arg);
    return out;
}

bool peri_overlaps(const peri_array *a, const peri_array *b)
{
    if (a->size == 0 || b->size == 0)
        return false;
    const char *low[2], *high[2];
    const peri_array *both[2] = {a, b};
    for (int k = 0; k < 2; k++) {
        ptrdiff_t first = 0, last = 0;
        for (int axis = 0; axis < both[k]->ndim; axis++) {
            const ptrdiff_t reach = (ptrdiff_t)(both[k]->shape[axis] - 1) * both[k]->stride[axis];
            *(reach < 0 ? &first : &last) += reach;
        }
        const ptrdiff_t width = (ptrdiff_t)peri_dtype_size(both[k]->dtype);
        low[k] = (const char *)both[k]->data + first * width;
        high[k] = (const char *)both[k]->data + (last + 1) * width;
    }
    return low[0] < high[1] && low[1] < high[0];
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
    if (lua_type(L, arg) != LUA_TNUMBER)
        peri_argerror(L, arg, "%s: expected a number, got %s", name, peri_push_got(L, arg));
    return lua_tonumber(L, arg);
}

void peri_refuse_dtype_inside(lua_State *L, int arg, const char *name)
{
    lua_pushstring(L, "dtype");
    if (lua_rawget(L, arg) != LUA_TNIL)
        peri_argerror(L, arg, "%s: the dtype stands behind the table: {...}, \"f32\"", name);
    lua_pop(L, 1);
}

int peri_arg_shape(lua_State *L, int arg, size_t shape[PERI_MAX_NDIM], int *next)
{
    int ndim = 0;
    const bool table = lua_type(L, arg) == LUA_TTABLE;
    const int first = arg;
    if (table) {
        peri_refuse_dtype_inside(L, arg, "shape");
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

int peri_arg_dtype(lua_State *L, int arg, int def)
{
    if (lua_isnoneornil(L, arg))
        return def;
    const char *name = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
    const int dtype = peri_dtype_named(name);
    if (dtype >= 0)
        return dtype;
    peri_argerror(L, arg, "dtype: expected \"f64\" or \"f32\", got %s", peri_push_got(L, arg));
    return def;
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

/* ---- options ----------------------------------------------------------------------------- */

void peri_options(lua_State *L, int arg, const char *const names[])
{
    if (lua_isnoneornil(L, arg)) {
        if (lua_isnone(L, arg))
            lua_settop(L, arg);
        return;
    }
    if (lua_type(L, arg) != LUA_TTABLE)
        peri_argerror(L, arg, "options: expected a table, got %s", peri_push_got(L, arg));
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            peri_argerror(L, arg, "options: expected names such as %s=, got [%s]",
                          names[0] != NULL ? names[0] : "name", luaL_tolstring(L, -1, NULL));
        const char *key = lua_tostring(L, -1);
        int k = 0;
        while (names[k] != NULL && strcmp(names[k], key) != 0)
            k++;
        if (names[k] == NULL) {
            const char *near = peri_nearest(key, names);
            if (near != NULL)
                peri_argerror(L, arg, "unknown option '%s'; did you mean '%s'?", key, near);
            luaL_Buffer b;
            luaL_buffinit(L, &b);
            for (int i = 0; names[i] != NULL; i++) {
                luaL_addstring(&b, i > 0 ? ", " : "");
                luaL_addstring(&b, names[i]);
            }
            luaL_pushresult(&b);
            peri_argerror(L, arg, "unknown option '%s'; there are: %s", key, lua_tostring(L, -1));
        }
    }
}

int peri_option_push(lua_State *L, int arg, const char *name)
{
    if (lua_type(L, arg) != LUA_TTABLE) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    lua_pushstring(L, name);
    return lua_rawget(L, arg);
}

bool peri_option_given(lua_State *L, int arg, const char *name)
{
    const bool given = peri_option_push(L, arg, name) != LUA_TNIL;
    lua_pop(L, 1);
    return given;
}

double peri_option_number(lua_State *L, int arg, const char *name, double def)
{
    const int type = peri_option_push(L, arg, name);
    if (type != LUA_TNIL && type != LUA_TNUMBER)
        peri_argerror(L, arg, "%s: expected a number, got %s", name, peri_push_got(L, -1));
    const double value = type == LUA_TNIL ? def : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

lua_Integer peri_option_integer(lua_State *L, int arg, const char *name, lua_Integer def,
                                lua_Integer lo, lua_Integer hi)
{
    const int type = peri_option_push(L, arg, name);
    int exact = type == LUA_TNIL;
    lua_Integer value = def;
    if (type == LUA_TNUMBER)
        value = lua_tointegerx(L, -1, &exact);
    if (!exact)
        peri_argerror(L, arg, "%s: expected an integer, got %s", name, peri_push_got(L, -1));
    if (type != LUA_TNIL && (value < lo || value > hi))
        peri_argerror(L, arg, "%s: expected an integer in %I..%I, got %I", name, (LUAI_UACINT)lo,
                      (LUAI_UACINT)hi, (LUAI_UACINT)value);
    lua_pop(L, 1);
    return value;
}

bool peri_option_boolean(lua_State *L, int arg, const char *name, bool def)
{
    const int type = peri_option_push(L, arg, name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        peri_argerror(L, arg, "%s: expected true or false, got %s", name, peri_push_got(L, -1));
    const bool value = type == LUA_TNIL ? def : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

int peri_option_choice(lua_State *L, int arg, const char *name, const char *const choices[],
                       int def)
{
    const int type = peri_option_push(L, arg, name);
    int chosen = def;
    if (type != LUA_TNIL) {
        const char *value = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
        for (chosen = 0; choices[chosen] != NULL; chosen++)
            if (strcmp(choices[chosen], value) == 0)
                break;
        if (choices[chosen] == NULL) {
            luaL_Buffer b;
            const char *got = peri_push_got(L, -1);
            luaL_buffinit(L, &b);
            for (int i = 0; choices[i] != NULL; i++) {
                luaL_addstring(&b, i > 0 ? ", \"" : "\"");
                luaL_addstring(&b, choices[i]);
                luaL_addchar(&b, '"');
            }
            luaL_pushresult(&b);
            peri_argerror(L, arg, "%s: expected one of %s, got %s", name, lua_tostring(L, -1), got);
        }
    }
    lua_pop(L, 1);
    return chosen;
}
