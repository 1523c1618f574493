/* SPDX-License-Identifier: MIT
 *
 * Reading, writing and viewing parts of arrays: a[i], a(i, j), a:slice(...), fields, and the
 * changes of shape that need no copy.
 *
 * Indices count from 1, negative ones from the end; ranges are inclusive and clip as string.sub. */
#include <string.h>

#include "bind/bind.h"
#include "bind/nested.h"
#include "bind/tape.h"
#include "kernel/copy.h"
#include "kernel/ops.h"
#include "kernel/region.h"

static void push_at(lua_State *L, const peri_array *a, ptrdiff_t offset)
{
    lua_pushnumber(L, peri_read_at(a->dtype, a->data, offset));
}

/* A number that is to become an element. */
static void check_element(lua_State *L, int dtype, double value)
{
    if (!peri_fits(dtype, value))
        peri_raise(L, "cannot assign %s to an array of %s, which takes %s",
                   peri_push_number(L, value), peri_dtype_name(dtype), peri_dtypes[dtype].values);
}

static void put_at(lua_State *L, const peri_array *a, ptrdiff_t offset, double value)
{
    check_element(L, a->dtype, value);
    peri_write_at(a->dtype, a->data, offset, value);
}

static void *address(const peri_array *a, ptrdiff_t offset)
{
    return (char *)a->data + offset * (ptrdiff_t)peri_dtype_size(a->dtype);
}

static ptrdiff_t check_position(lua_State *L, const peri_array *a, int axis, lua_Integer i)
{
    const ptrdiff_t at = peri_index_place(i, a->shape[axis]);
    if (at < 0 && i == 0)
        peri_raise(L, "index 0 is out of range on axis %d of shape %s: indices count from 1",
                   axis + 1, peri_push_shape(L, a->ndim, a->shape));
    if (at < 0)
        peri_raise(L, "index %I is out of range on axis %d of shape %s", (LUAI_UACINT)i, axis + 1,
                   peri_push_shape(L, a->ndim, a->shape));
    return at;
}

/* ---- a(i, j, ...) ------------------------------------------------------------------------ */

/* Offset of the element whose indices are the arguments first .. first + ndim - 1. */
static ptrdiff_t element_offset(lua_State *L, const peri_array *a, int first, int given)
{
    if (given != a->ndim)
        peri_raise(L, "expected %d indices for shape %s, got %d", a->ndim,
                   peri_push_shape(L, a->ndim, a->shape), given);
    ptrdiff_t offset = 0;
    for (int axis = 0; axis < a->ndim; axis++) {
        int exact = 0;
        const lua_Integer i = lua_tointegerx(L, first + axis, &exact);
        if (!exact || lua_type(L, first + axis) != LUA_TNUMBER)
            peri_raise(L, "index %d: expected an integer, got %s", axis + 1,
                       peri_push_got(L, first + axis));
        offset += check_position(L, a, axis, i) * a->stride[axis];
    }
    return offset;
}

/*** pg.get(a, i, j, ...) -> number
 * One element; a(i, j, ...) is the same.
 * @param a  array
 * @param i  integers, as many as a has axes; negative ones count from the end
 * @example pg.array{{1, 2}, {3, 4}}:get(2, -1) --> 4.0
 */
static int get(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    const int top = lua_gettop(L);
    push_at(L, a, element_offset(L, a, 2, top - 1));
    return peri_recorded(L, a->node, top);
}

/*** pg.set(a, i, j, ..., v)
 * Sets one element.
 * @param a  array
 * @param i  integers, as many as a has axes; negative ones count from the end
 * @param v  number
 * @example (function() local a = pg.zeros(2); a:set(2, 5); return a:sum() end)() --> 5.0
 */
static int set(lua_State *L)
{
    const peri_array *a = peri_arg_target_array(L, 1, "a");
    const int top = lua_gettop(L);
    if (top < 2)
        peri_argerror(L, 2, "expected %d indices and a value", a->ndim);
    const double value = peri_arg_number(L, top, "v");
    put_at(L, a, element_offset(L, a, 2, top - 2), value);
    return 0;
}

/* ---- slices ------------------------------------------------------------------------------ */

/* Field k of the range at idx, which stays on the stack; whether it is there. */
static bool range_field(lua_State *L, int idx, int k, int axis, int64_t *value)
{
    const int type = lua_rawgeti(L, idx, k);
    if (type == LUA_TNIL)
        return false;
    int exact = 0;
    if (type == LUA_TNUMBER)
        *value = lua_tointegerx(L, -1, &exact);
    if (!exact)
        peri_raise(L, "slice of axis %d: expected an integer, got %s", axis + 1,
                   peri_push_got(L, -1));
    return true;
}

/* One axis of a slice: a number, {}, {k}, {j, k} or {j, k, step} at idx. */
static void slice_axis(lua_State *L, const peri_array *a, int axis, int idx, peri_region *r)
{
    const ptrdiff_t stride = a->stride[axis];
    const int type = lua_type(L, idx);
    if (type == LUA_TNUMBER) {
        int exact;
        const lua_Integer i = lua_tointegerx(L, idx, &exact);
        if (!exact)
            peri_raise(L, "slice of axis %d: expected an integer, got %s", axis + 1,
                       peri_push_got(L, idx));
        peri_region_place(r, check_position(L, a, axis, i), stride);
        return;
    }
    if (type != LUA_TTABLE)
        peri_raise(L, "slice of axis %d: expected a number, {}, {k} or {j, k [, step]}, got %s",
                   axis + 1, peri_push_got(L, idx));
    if (lua_rawlen(L, idx) > 3)
        peri_raise(L, "slice of axis %d: expected {}, {k} or {j, k [, step]}, got a table of %I",
                   axis + 1, (LUAI_UACINT)lua_rawlen(L, idx));
    peri_range range = {0};
    const int top = lua_gettop(L);
    range.has_from = range_field(L, idx, 1, axis, &range.from);
    range.has_to = range_field(L, idx, 2, axis, &range.to);
    range.has_step = range_field(L, idx, 3, axis, &range.step);
    lua_settop(L, top);
    if (range.has_step && range.step == 0)
        peri_raise(L, "slice of axis %d: the step is 0", axis + 1);
    if (range.has_from && !range.has_to && !range.has_step) {
        peri_region_place(r, check_position(L, a, axis, range.from), stride);
        peri_region_whole(r, 1, stride);
    } else {
        peri_region_range(r, &range, a->shape[axis], stride);
    }
}

/* The region named by `given` items; item k is at stack index first + k, or field k + 1 of the
 * table at `table`. */
static void resolve(lua_State *L, const peri_array *a, int table, int first, int given,
                    peri_region *r)
{
    r->offset = 0;
    r->ndim = 0;
    if (given > a->ndim)
        peri_raise(L, "%d indices for shape %s", given, peri_push_shape(L, a->ndim, a->shape));
    for (int axis = 0; axis < a->ndim; axis++) {
        if (axis >= given) {
            peri_region_whole(r, a->shape[axis], a->stride[axis]);
        } else if (table != 0) {
            lua_rawgeti(L, table, axis + 1);
            slice_axis(L, a, axis, lua_gettop(L), r);
            lua_pop(L, 1);
        } else {
            slice_axis(L, a, axis, first + axis, r);
        }
    }
}

static int push_region(lua_State *L, int idx, const peri_array *a, const peri_region *r)
{
    if (r->ndim == 0)
        push_at(L, a, r->offset);
    else
        peri_push_view(L, idx, address(a, r->offset), r->ndim, r->shape, r->stride);
    return 1;
}

static int slice(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    const int top = lua_gettop(L);
    peri_region r;
    resolve(L, a, 0, 2, top - 1, &r);
    push_region(L, 1, a, &r);
    return peri_recorded(L, a->node, top);
}

/* Copies the number or array at idx into out, broadcasting; makes a copy first on overlap. */
static void assign_value(lua_State *L, const peri_array *a, const peri_view *out, int idx)
{
    idx = lua_absindex(L, idx);
    if (lua_type(L, idx) == LUA_TNUMBER) {
        check_element(L, out->dtype, lua_tonumber(L, idx));
        peri_fill(out, lua_tonumber(L, idx));
        return;
    }
    const peri_array *v = peri_test_array(L, idx);
    if (v == NULL && lua_type(L, idx) == LUA_TTABLE)
        v = peri_push_table(L, idx, "v", out->dtype);
    if (v == NULL)
        peri_raise(L, "cannot assign %s to an array: expected a number, an array or a table",
                   peri_push_got(L, idx));
    peri_check_fits(L, 2, "v", v, out->dtype);
    if (peri_overlaps(a, v))
        v = peri_push_copy(L, v, -1);
    peri_view from = peri_view_of(v);
    ptrdiff_t stride[PERI_MAX_NDIM];
    /* Leading extents of 1 that the target lacks may go, as in NumPy. */
    while (from.ndim > out->ndim && from.shape[0] == 1) {
        from.ndim--;
        from.shape++;
        from.stride++;
    }
    if (!peri_broadcast_strides(&from, out->ndim, out->shape, stride))
        peri_raise(L, "cannot assign shape %s to shape %s", peri_push_shape(L, v->ndim, v->shape),
                   peri_push_shape(L, out->ndim, out->shape));
    from.ndim = out->ndim;
    from.shape = out->shape;
    from.stride = stride;
    peri_copy(out, &from);
}

/* Writes v as assign_value does, where no gradient would have to follow it. */
static void write_value(lua_State *L, const peri_array *a, const peri_view *out, int idx)
{
    const peri_array *v = peri_peek_array(L, idx);
    if (v != NULL && peri_tracked(peri_getstate(L), v))
        peri_raise(L, "cannot write into an array what a gradient is being taken of: "
                      "a:with({2, {}}, v) gives a new one, pg.stack joins rows");
    assign_value(L, a, out, idx);
}

/*** pg.assign(a, v) -> a
 * Sets all elements of a in place; v is broadcast to its shape.
 * @param a  array
 * @param v  number, array or table
 * @example pg.zeros(2, 2):assign({1, 2}):sum() --> 6.0
 */
static int assign(lua_State *L)
{
    const peri_array *a = peri_arg_target_array(L, 1, "a");
    if (lua_isnoneornil(L, 2))
        peri_argerror(L, 2, "v: expected a number, an array or a table, got %s",
                      peri_push_got(L, 2));
    const peri_view out = peri_view_of(a);
    write_value(L, a, &out, 2);
    lua_settop(L, 1);
    return 1;
}

/*** pg.with(a, region, v) -> array
 * A copy of a with v in the region that a[region] names: what a[region] = v would make of a, where
 * a must stay as it is, as inside a gradient.
 * @param a  array
 * @param region  table as for a[{...}], or an integer
 * @param v  number, array or table, broadcast to the region's shape
 * @return array of a's dtype
 * @example pg.zeros(3):with({{2, 3}}, 5):sum() --> 10.0
 */
static int with(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    const int type = lua_type(L, 2);
    if (type != LUA_TTABLE && type != LUA_TNUMBER)
        peri_argerror(L, 2, "region: expected a table such as {2, {}}, or an integer, got %s",
                      peri_push_got(L, 2));
    if (lua_isnoneornil(L, 3))
        peri_argerror(L, 3, "v: expected a number, an array or a table, got %s",
                      peri_push_got(L, 3));
    const peri_array *copy = peri_push_copy(L, a, -1);
    peri_region r;
    if (type == LUA_TTABLE)
        resolve(L, copy, 2, 0, (int)lua_rawlen(L, 2), &r);
    else
        resolve(L, copy, 0, 2, 1, &r);
    const peri_view out = {address(copy, r.offset), copy->dtype, r.ndim, r.shape, r.stride};
    assign_value(L, copy, &out, 3);
    return 1;
}

/*** pg.detach(a) -> view
 * The values of a alone: inside a gradient a constant, through which nothing is differentiated.
 * @param a  array
 * @return view of the same memory
 * @example pg.grad(function(x) return (x:detach() * x):sum() end)(pg.array{3})[1] --> 3.0
 */
static int detach(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    peri_push_view(L, 1, a->data, a->ndim, a->shape, a->stride);
    return 1;
}

/*** pg.broadcast_to(a, n, m, ...) -> view
 * a spread to a larger shape as operators do it: axes in front, and extents of 1 that become
 * others. Its elements share memory, so give pg.copy of it before you write.
 * @param a  array
 * @param n  integers, or one table of them
 * @error a shape that a does not broadcast to
 * @example pg.broadcast_to(pg.array{1, 2}, 3, 2):sum() --> 9.0
 */
static int broadcast_to(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    int next;
    const int ndim = peri_arg_shape(L, 2, shape, &next);
    const peri_view v = peri_view_of(a);
    if (next == 2 || a->ndim > ndim || !peri_broadcast_strides(&v, ndim, shape, stride))
        peri_argerror(L, 2, "shape: %s does not broadcast to %s",
                      peri_push_shape(L, a->ndim, a->shape), peri_push_shape(L, ndim, shape));
    peri_push_view(L, 1, a->data, ndim, shape, stride);
    return 1;
}

/* ---- fields and a[i] --------------------------------------------------------------------- */

static const char shape_meta;

static int shape_tostring(lua_State *L)
{
    size_t shape[PERI_MAX_NDIM];
    int ndim = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstack(L, PERI_MAX_NDIM, "shape");
    for (; ndim < PERI_MAX_NDIM && lua_rawgeti(L, 1, ndim + 1) == LUA_TNUMBER; ndim++)
        shape[ndim] = (size_t)lua_tointeger(L, -1);
    peri_push_shape(L, ndim, shape);
    return 1;
}

static int shape_eq(lua_State *L)
{
    bool same = lua_istable(L, 1) && lua_istable(L, 2) && lua_rawlen(L, 1) == lua_rawlen(L, 2);
    for (lua_Integer i = 1; same && i <= (lua_Integer)lua_rawlen(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        lua_rawgeti(L, 2, i);
        same = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    lua_pushboolean(L, same);
    return 1;
}

/* __index of a shape, for what is no extent of it: the last ones are -1, -2, ...; what follows the
 * last is nil, which ends a loop. */
static int shape_index(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int exact;
    const lua_Integer at = lua_tointegerx(L, 2, &exact), ndim = (lua_Integer)lua_rawlen(L, 1);
    if (lua_type(L, 2) != LUA_TNUMBER || !exact || at > 0)
        return 0;
    if (at == 0)
        peri_raise(L, "a shape counts from 1: a.shape[1] is the first extent");
    if (at < -ndim)
        return 0;
    lua_rawgeti(L, 1, ndim + 1 + at);
    return 1;
}

static int shape_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

static int push_shape_table(lua_State *L, const peri_array *a)
{
    lua_createtable(L, a->ndim, 0);
    for (int axis = 0; axis < a->ndim; axis++) {
        lua_pushinteger(L, (lua_Integer)a->shape[axis]);
        lua_rawseti(L, -2, axis + 1);
    }
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &shape_meta) == LUA_TNIL) {
        static const luaL_Reg metamethods[] = {{"__tostring", shape_tostring},
                                               {"__eq", shape_eq},
                                               {"__index", shape_index},
                                               {"__concat", shape_concat},
                                               {NULL, NULL}};
        lua_pop(L, 1);
        luaL_newlib(L, metamethods);
        lua_pushliteral(L, "shape");
        lua_setfield(L, -2, "__name");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &shape_meta);
    }
    lua_setmetatable(L, -2);
    return 1;
}

static int push_transposed(lua_State *L, int idx, const peri_array *a)
{
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    const peri_view v = peri_view_of(a);
    peri_permuted(&v, NULL, shape, stride);
    peri_push_view(L, idx, a->data, a->ndim, shape, stride);
    return 1;
}

enum field { F_NONE, F_SHAPE, F_NDIM, F_SIZE, F_DTYPE, F_T };

static const struct {
    const char *name;
    enum field field;
} fields[] = {
    {"shape", F_SHAPE}, {"ndim", F_NDIM}, {"size", F_SIZE}, {"dtype", F_DTYPE}, {"T", F_T}};

static int push_field(lua_State *L, const peri_array *a, enum field field)
{
    switch (field) {
    case F_SHAPE:
        return push_shape_table(L, a);
    case F_NDIM:
        lua_pushinteger(L, a->ndim);
        return 1;
    case F_SIZE:
        lua_pushinteger(L, (lua_Integer)a->size);
        return 1;
    case F_DTYPE:
        lua_pushstring(L, peri_dtype_name(a->dtype));
        return 1;
    case F_T:
        push_transposed(L, 1, a);
        return a->node == 0 ? 1 : peri_record_as(L, "T", 1);
    case F_NONE:
        break;
    }
    return 0;
}

/* The upvalue of index_array that is the table of methods. */
enum { METHODS = PERI_UPVALUES + 1 };

enum { MOST_NAMES = 1024 };

/* The names that follow a dot or a colon behind an array, but for functions written in Lua. */
static int list_names(lua_State *L, const char *names[])
{
    int count = 0;
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        names[count++] = fields[k].name;
    return peri_declared_names(L, names, count, MOST_NAMES, true);
}

/* _array_names() -> the fields and methods of arrays, for the completion at the prompt. */
static int array_names(lua_State *L)
{
    const char *names[MOST_NAMES];
    const int count = list_names(L, names);
    lua_createtable(L, count, 0);
    for (int k = 0; k < count; k++) {
        lua_pushstring(L, names[k]);
        lua_rawseti(L, -2, k + 1);
    }
    return 1;
}

static int no_field(lua_State *L, const char *key)
{
    const char *cure = peri_push_cure(L, "array", key);
    if (cure != NULL)
        return peri_raise(L, "array has no field or method '%s'; %s", key, cure);
    const char *names[MOST_NAMES + 1];
    int count = list_names(L, names);
    peri_push_lua_names(L);
    const lua_Integer more = luaL_len(L, -1);
    for (lua_Integer k = 1; k <= more && count < MOST_NAMES; k++) {
        lua_rawgeti(L, -1, k);
        if (lua_type(L, -1) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -1); /* kept by the list */
        lua_pop(L, 1);
    }
    names[count] = NULL;
    const char *near = peri_nearest(key, names);
    if (near != NULL)
        return peri_raise(L, "array has no field or method '%s'; did you mean '%s'?", key, near);
    return peri_raise(L, "array has no field or method '%s'", key);
}

static int index_array(lua_State *L)
{
    const int type = lua_type(L, 2);
    if (type == LUA_TSTRING) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(METHODS)) == LUA_TLIGHTUSERDATA) {
            const peri_array *a = peri_arg_array(L, 1, "a");
            const size_t k = (size_t)((const char *)lua_touserdata(L, -1) - (const char *)fields) /
                             sizeof *fields;
            return push_field(L, a, fields[k].field);
        }
        if (!lua_isnil(L, -1) || peri_push_declared(L, lua_tostring(L, 2), true))
            return 1;
        peri_arg_array(L, 1, "a");
        peri_push_lua_function(L, "method", lua_tostring(L, 2));
        if (lua_isfunction(L, -1)) {
            lua_pushvalue(L, 2);
            lua_pushvalue(L, -2);
            lua_rawset(L, lua_upvalueindex(METHODS));
            return 1;
        }
        return no_field(L, lua_tostring(L, 2));
    }
    const peri_array *a = peri_plain_array(L, 1);
    if (a == NULL)
        a = peri_arg_array(L, 1, "a");
    if (type == LUA_TNUMBER) {
        int exact;
        const lua_Integer i = lua_tointegerx(L, 2, &exact);
        if (!exact)
            return peri_raise(L, "index: expected an integer, got %s", peri_push_got(L, 2));
        if (a->ndim == 0)
            return peri_raise(L, "the array has no axes; a:item() is its element");
        if (i > 0 && (size_t)i == a->shape[0] + 1)
            return 0; /* so that ipairs ends */
        const ptrdiff_t offset = check_position(L, a, 0, i) * a->stride[0];
        if (a->ndim == 1)
            push_at(L, a, offset);
        else
            peri_push_view(L, 1, address(a, offset), a->ndim - 1, a->shape + 1, a->stride + 1);
        return peri_recorded(L, a->node, 2);
    }
    if (type == LUA_TTABLE) {
        peri_region r;
        resolve(L, a, 2, 0, (int)lua_rawlen(L, 2), &r);
        push_region(L, 1, a, &r);
        return peri_recorded(L, a->node, 2);
    }
    if (peri_peek_array(L, 2) != NULL)
        return peri_raise(L,
                          "an array cannot be an index: a:take(indices) takes elements by index, "
                          "a:compress(mask) by a mask");
    return peri_raise(L, "index: expected an integer or a table, got %s", peri_push_got(L, 2));
}

static int newindex_array(lua_State *L)
{
    const peri_array *a = peri_plain_array(L, 1);
    if (a != NULL)
        peri_check_write(L, a);
    else
        a = peri_arg_target_array(L, 1, "a");
    peri_region r;
    if (lua_type(L, 2) == LUA_TNUMBER) {
        int exact;
        const lua_Integer i = lua_tointegerx(L, 2, &exact);
        if (!exact || a->ndim == 0)
            return peri_raise(L, "index: expected an integer, got %s", peri_push_got(L, 2));
        const ptrdiff_t at = check_position(L, a, 0, i);
        if (a->ndim == 1 && lua_type(L, 3) == LUA_TNUMBER) {
            put_at(L, a, at * a->stride[0], lua_tonumber(L, 3));
            return 0;
        }
        resolve(L, a, 0, 2, 1, &r);
    } else if (lua_type(L, 2) == LUA_TTABLE) {
        resolve(L, a, 2, 0, (int)lua_rawlen(L, 2), &r);
    } else if (peri_test_array(L, 2) != NULL) {
        return peri_raise(L, "an array cannot be an index: pg.where(mask, v, a) chooses by a mask");
    } else {
        return peri_raise(L, "an array has no field %s to set", peri_push_got(L, 2));
    }
    const peri_view out = {address(a, r.offset), a->dtype, r.ndim, r.shape, r.stride};
    write_value(L, a, &out, 3);
    return 0;
}

static int length(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    if (a->ndim == 0)
        return peri_raise(L, "the array has no axes, so no length");
    lua_pushinteger(L, (lua_Integer)a->shape[0]);
    return 1;
}

/*** pg.dims(a) -> n, m, ...
 * The extents as so many integers.
 * @param a  array
 * @example select("#", pg.zeros(2, 3):dims()) --> 2
 */
static int dims(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    luaL_checkstack(L, a->ndim, "dims");
    for (int axis = 0; axis < a->ndim; axis++)
        lua_pushinteger(L, (lua_Integer)a->shape[axis]);
    return a->ndim;
}

/* ---- shape ------------------------------------------------------------------------------- */

/*** pg.reshape(a, n, m, ...) -> array
 * The same elements in row-major order under another shape; a view where memory allows it.
 * @param a  array
 * @param n  integers or one table; one of them may be -1 and is worked out
 * @error a shape whose product is not the number of elements
 * @example pg.range(1, 6):reshape(2, -1).shape --> (2, 3)
 */
static int reshape(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    size_t shape[PERI_MAX_NDIM] = {0}, known = 1;
    const bool table = lua_type(L, 2) == LUA_TTABLE;
    const lua_Integer ndim = table ? (lua_Integer)lua_rawlen(L, 2) : lua_gettop(L) - 1;
    if (ndim > PERI_MAX_NDIM)
        peri_argerror(L, 2, "shape: more than %d axes", PERI_MAX_NDIM);
    int unknown = -1;
    for (int axis = 0; axis < (int)ndim; axis++) {
        if (table)
            lua_rawgeti(L, 2, axis + 1);
        else
            lua_pushvalue(L, axis + 2);
        int exact = 0;
        const lua_Integer extent =
            lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : 0;
        if (!exact || extent < -1 || (extent == -1 && unknown >= 0))
            peri_argerror(L, table ? 2 : axis + 2,
                          "shape: expected integers of at least 0, one of them -1 at most, got %s",
                          peri_push_got(L, -1));
        lua_pop(L, 1);
        if (extent == -1)
            unknown = axis;
        else
            shape[axis] = (size_t)extent;
        if (extent >= 0 && __builtin_mul_overflow(known, (size_t)extent, &known))
            peri_argerror(L, 2, "shape: more elements than memory can hold");
    }
    if (unknown >= 0) {
        shape[unknown] = known != 0 ? a->size / known : 0;
        known *= shape[unknown];
    }
    if (known != a->size || (unknown >= 0 && a->size == 0 && known == 0 && shape[unknown] != 0))
        peri_argerror(L, 2, "cannot reshape %s of %I elements into %s%s",
                      peri_push_shape(L, a->ndim, a->shape), (LUAI_UACINT)a->size,
                      peri_push_shape(L, (int)ndim, shape),
                      unknown >= 0 ? " (the -1 worked out)" : "");
    ptrdiff_t stride[PERI_MAX_NDIM] = {0};
    int owner = 1;
    peri_view v = peri_view_of(a);
    if (!peri_reshaped_strides(&v, (int)ndim, shape, stride)) {
        a = peri_push_copy(L, a, -1);
        owner = lua_gettop(L);
        v = peri_view_of(a);
        peri_reshaped_strides(&v, (int)ndim, shape, stride);
    }
    peri_push_view(L, owner, a->data, (int)ndim, shape, stride);
    return 1;
}

static int transpose(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    const bool table = lua_type(L, 2) == LUA_TTABLE;
    const lua_Integer given = table ? (lua_Integer)lua_rawlen(L, 2) : lua_gettop(L) - 1;
    if (given == 0)
        return push_transposed(L, 1, a);
    if (given != a->ndim)
        peri_argerror(L, 2, "axes: expected %d of them, got %I", a->ndim, (LUAI_UACINT)given);
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    int order[PERI_MAX_NDIM];
    bool seen[PERI_MAX_NDIM] = {false};
    if (table) {
        luaL_checkstack(L, a->ndim, "axes");
        for (int k = 0; k < a->ndim; k++)
            lua_rawgeti(L, 2, k + 1);
        lua_remove(L, 2);
    }
    for (int k = 0; k < a->ndim; k++) {
        const int axis = peri_arg_axis(L, k + 2, "axes", a->ndim);
        if (seen[axis])
            peri_argerror(L, k + 2, "axes: axis %d is there twice", axis + 1);
        seen[axis] = true;
        order[k] = axis;
    }
    const peri_view v = peri_view_of(a);
    peri_permuted(&v, order, shape, stride);
    peri_push_view(L, 1, a->data, a->ndim, shape, stride);
    return 1;
}

/*** pg.expand_dims(a, axis) -> view
 * The same array with an axis of extent 1 put in, so that it becomes axis `axis`.
 * @param a  array
 * @param axis  integer in 1..ndim + 1; -1 is after the last
 * @example pg.zeros(3):expand_dims(1).shape --> (1, 3)
 */
static int expand_dims(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    if (a->ndim == PERI_MAX_NDIM)
        peri_argerror(L, 1, "a: has %d axes, no more are possible", PERI_MAX_NDIM);
    const int at = peri_arg_axis(L, 2, "axis", a->ndim + 1);
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    for (int axis = 0, k = 0; k < a->ndim + 1; k++) {
        shape[k] = k == at ? 1 : a->shape[axis];
        stride[k] = k == at ? 0 : a->stride[axis];
        axis += k != at;
    }
    peri_push_view(L, 1, a->data, a->ndim + 1, shape, stride);
    return 1;
}

/*** pg.squeeze(a [, axis]) -> view
 * The same array without axes of extent 1.
 * @param a  array
 * @param axis  integer: only this one; default: all of extent 1
 * @example pg.zeros(1, 3, 1):squeeze().shape --> (3,)
 */
static int squeeze(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    int only = -1;
    if (!lua_isnoneornil(L, 2)) {
        only = peri_arg_axis(L, 2, "axis", a->ndim);
        if (a->shape[only] != 1)
            peri_argerror(L, 2, "axis: axis %d of shape %s has more than one element", only + 1,
                          peri_push_shape(L, a->ndim, a->shape));
    }
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    int ndim = 0;
    for (int axis = 0; axis < a->ndim; axis++)
        if (only >= 0 ? axis != only : a->shape[axis] != 1) {
            shape[ndim] = a->shape[axis];
            stride[ndim++] = a->stride[axis];
        }
    peri_push_view(L, 1, a->data, ndim, shape, stride);
    return 1;
}

PERI_OPENER(index)
{
    static const luaL_Reg methods[] = {
        {"get", get},         {"set", set},
        {"assign", assign},   {"dims", dims},
        {"reshape", reshape}, {"expand_dims", expand_dims},
        {"squeeze", squeeze}, {"with", with},
        {"detach", detach},   {"broadcast_to", broadcast_to},
        {NULL, NULL},
    };
    static const luaL_Reg metamethods[] = {
        {"__newindex", newindex_array}, {"__len", length}, {"__call", get}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"_array_names", array_names}, {NULL, NULL}};
    peri_functions(L, functions);
    peri_array_functions(L, methods);
    peri_array_metamethods(L, metamethods);
    static const lua_CFunction views[PERI_VIEWS] = {
        [PERI_VIEW_TRANSPOSE] = transpose, [PERI_VIEW_SLICE] = slice};
    for (int k = 0; k < PERI_VIEWS; k++)
        peri_array_operation(L, peri_view_ops[k].name, views[k], NULL, NULL, &peri_view_ops[k]);
    /* The fields stand among the methods as light userdata, so that one look-up finds either. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_methods_key);
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        lua_pushlightuserdata(L, (void *)&fields[k]);
        lua_setfield(L, -2, fields[k].name);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
    lua_pushliteral(L, "__index");
    peri_push_upvalues(L, PERI_FUNCTION);
    peri_push_rule(L, peri_find_rule("__index"), index_array);
    lua_pushvalue(L, -PERI_UPVALUES - 2);
    lua_pushcclosure(L, index_array, METHODS);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    return 0;
}
