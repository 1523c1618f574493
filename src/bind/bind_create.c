/* SPDX-License-Identifier: MIT
 *
 * Making arrays: from tables, filled, in sequence, as copies. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/nested.h"
#include "kernel/copy.h"
#include "kernel/sequence.h"

/* A copy as dtype (-1: its own) of the array at arg; what does not fit raises. */
static void push_cast(lua_State *L, int arg, const peri_array *a, int dtype)
{
    if (dtype >= 0)
        peri_check_fits(L, arg, "a", a, dtype);
    peri_push_copy(L, a, dtype);
}

/*** pg.array(t [, dtype]) -> array
 * A new array from nested tables of numbers (or of arrays), a number, or another array.
 * @param t  table: {{1, 2}, {3, 4}} is 2 x 2; true and false count as 1 and 0
 * @param dtype  "f64" (default; an array keeps its own), "f32", "u8" or "bool"
 * @error a ragged table or an element that is not a number is named with its place
 * @example pg.array{{1, 2}, {3, 4}}.shape --> (2, 2)
 */
static int array(lua_State *L)
{
    const int dtype = peri_arg_any_dtype(L, 2, -1);
    if (lua_type(L, 1) == LUA_TTABLE) {
        peri_refuse_dtype_inside(L, 1, "t");
        peri_push_table(L, 1, "t", dtype < 0 ? PERI_F64 : dtype);
        return 1;
    }
    if (lua_type(L, 1) == LUA_TNUMBER) {
        peri_array *a = peri_push_array(L, dtype < 0 ? PERI_F64 : dtype, 0, NULL);
        peri_check_number(L, 1, "t", lua_tonumber(L, 1), a->dtype);
        const peri_view v = peri_view_of(a);
        peri_fill(&v, lua_tonumber(L, 1));
        return 1;
    }
    const peri_array *a = peri_test_array(L, 1);
    if (a == NULL)
        peri_argerror(L, 1, "t: expected a table of numbers, got %s", peri_push_got(L, 1));
    push_cast(L, 1, a, dtype);
    return 1;
}

/* n, m, ... | {n, m, ...} [, dtype] from argument 1 on. */
static peri_array *push_shaped(lua_State *L)
{
    size_t shape[PERI_MAX_NDIM];
    int next;
    const int ndim = peri_arg_shape(L, 1, shape, &next);
    if (next == 1)
        peri_argerror(L, 1, "shape: expected integers or a table of them, got %s",
                      peri_push_got(L, 1));
    const int dtype = peri_arg_any_dtype(L, next, PERI_F64);
    return peri_push_array(L, dtype, ndim, shape);
}

/*** pg.zeros(n, m, ... [, dtype]) -> array
 * An array of zeros.
 * @param n  integers of at least 0, or one table of them
 * @param dtype  "f64" (default), "f32", "u8" or "bool"
 * @example pg.zeros(2, 3):sum() --> 0.0
 */
static int zeros(lua_State *L)
{
    peri_array *a = push_shaped(L);
    memset(a->data, 0, a->size * peri_dtype_size(a->dtype));
    return 1;
}

/*** pg.ones(n, m, ... [, dtype]) -> array
 * An array of ones.
 * @param n  integers of at least 0, or one table of them
 * @param dtype  "f64" (default), "f32", "u8" or "bool"
 * @example pg.ones(2, 3):sum() --> 6.0
 */
static int ones(lua_State *L)
{
    const peri_view v = peri_view_of(push_shaped(L));
    peri_fill(&v, 1);
    return 1;
}

/*** pg.full(shape, v [, dtype]) -> array
 * An array whose elements all are v.
 * @param shape  table of integers, or one integer
 * @param v  number
 * @param dtype  "f64" (default), "f32", "u8" or "bool"
 * @example pg.full({2, 2}, 0.5):sum() --> 2.0
 */
static int full(lua_State *L)
{
    size_t shape[PERI_MAX_NDIM];
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_createtable(L, 1, 0);
        lua_pushvalue(L, 1);
        lua_rawseti(L, -2, 1);
        lua_replace(L, 1);
    }
    if (lua_type(L, 1) != LUA_TTABLE)
        peri_argerror(L, 1, "shape: expected a table of integers, got %s", peri_push_got(L, 1));
    const int ndim = peri_arg_shape(L, 1, shape, NULL);
    const double value = peri_arg_number(L, 2, "v");
    const peri_view v =
        peri_view_of(peri_push_array(L, peri_arg_any_dtype(L, 3, PERI_F64), ndim, shape));
    peri_check_number(L, 2, "v", value, v.dtype);
    peri_fill(&v, value);
    return 1;
}

static int like(lua_State *L, double value)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    const peri_view v =
        peri_view_of(peri_push_array(L, peri_arg_any_dtype(L, 2, a->dtype), a->ndim, a->shape));
    peri_fill(&v, value);
    return 1;
}

/*** pg.zeros_like(a [, dtype]) -> array
 * Zeros of the shape and dtype of a.
 * @param a  array
 * @param dtype  as pg.zeros; default: that of a
 * @example pg.zeros_like(pg.ones(2)):sum() --> 0.0
 */
static int zeros_like(lua_State *L)
{
    return like(L, 0);
}

/*** pg.ones_like(a [, dtype]) -> array
 * Ones of the shape and dtype of a.
 * @param a  array
 * @param dtype  as pg.zeros; default: that of a
 * @example pg.ones_like(pg.zeros(2)):sum() --> 2.0
 */
static int ones_like(lua_State *L)
{
    return like(L, 1);
}

/*** pg.eye(n [, dtype]) -> array
 * The n x n identity matrix.
 * @param n  integer of at least 0
 * @param dtype  "f64" (default), "f32", "u8" or "bool"
 * @example pg.eye(3):sum() --> 3.0
 */
static int eye(lua_State *L)
{
    const size_t n = (size_t)peri_arg_integer(L, 1, "n", 0, LUA_MAXINTEGER);
    peri_array *a = peri_push_zeros(L, peri_arg_any_dtype(L, 2, PERI_F64), 2, (size_t[]){n, n});
    const peri_view diagonal = {a->data, a->dtype, 1, &n, (ptrdiff_t[]){(ptrdiff_t)n + 1}};
    peri_fill(&diagonal, 1);
    return 1;
}

/*** pg.range(a, b [, step]) -> array
 * The numbers a, a + step, ... up to b, which is included, as in Lua's for.
 * @param a  number
 * @param b  number
 * @param step  number, default 1; not 0
 * @example pg.range(1, 4):sum() --> 10.0
 */
static int range(lua_State *L)
{
    const double a = peri_arg_number(L, 1, "a"), b = peri_arg_number(L, 2, "b");
    const double step = lua_isnoneornil(L, 3) ? 1 : peri_arg_number(L, 3, "step");
    if (step == 0 || !isfinite(step))
        peri_argerror(L, 3, "step: expected a finite number other than 0, got %f", step);
    if (!isfinite(a) || !isfinite(b))
        peri_argerror(L, isfinite(a) ? 2 : 1, "%s: expected a finite number, got %f",
                      isfinite(a) ? "b" : "a", isfinite(a) ? b : a);
    const double count = peri_range_count(a, b, step);
    if (count > 9e15)
        peri_error(L, "%f elements are too many", count);
    const size_t n = (size_t)count;
    peri_range(a, b, step, n, peri_push_array(L, PERI_F64, 1, &n)->data);
    return 1;
}

/*** pg.linspace(a, b, n) -> array
 * n numbers from a to b, both included, at equal distances.
 * @param a  number
 * @param b  number
 * @param n  integer of at least 0
 * @example pg.linspace(0, 1, 5)[2] --> 0.25
 */
static int linspace(lua_State *L)
{
    const double a = peri_arg_number(L, 1, "a"), b = peri_arg_number(L, 2, "b");
    const size_t n = (size_t)peri_arg_integer(L, 3, "n", 0, LUA_MAXINTEGER);
    peri_linspace(a, b, n, peri_push_array(L, PERI_F64, 1, &n)->data);
    return 1;
}

/*** pg.copy(a) -> array
 * A new array with the elements of a, row after row, of the same dtype.
 * @param a  array
 * @example pg.copy(pg.ones(2)):sum() --> 2.0
 */
static int copy(lua_State *L)
{
    peri_push_copy(L, peri_arg_array(L, 1, "a"), -1);
    return 1;
}

/*** pg.astype(a, dtype) -> array
 * A copy of a as another dtype, rounded to nearest even; a itself when it has that dtype.
 * u8 holds whole numbers in 0..255 and bool 0 and 1; an element that does not fit raises.
 * @param a  array
 * @param dtype  "f64", "f32", "u8" or "bool"
 * @example pg.ones(2):astype("f32").dtype --> f32
 */
static int astype(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    if (lua_isnoneornil(L, 2))
        peri_argerror(L, 2, "dtype: expected \"f64\", \"f32\", \"bool\" or \"u8\", got %s",
                      peri_push_got(L, 2));
    const int dtype = peri_arg_any_dtype(L, 2, PERI_F64);
    if (dtype == a->dtype)
        lua_settop(L, 1);
    else
        push_cast(L, 1, a, dtype);
    return 1;
}

static void push_element(lua_State *L, const peri_array *a, const char *at)
{
    lua_pushnumber(L, peri_read(a->dtype, at));
}

static void push_nested(lua_State *L, const peri_array *a, int axis, const char *at)
{
    if (axis == a->ndim) {
        push_element(L, a, at);
        return;
    }
    luaL_checkstack(L, 4, "nested table");
    const size_t extent = a->shape[axis];
    const ptrdiff_t step = a->stride[axis] * (ptrdiff_t)peri_dtype_size(a->dtype);
    lua_createtable(L, (int)(extent < 1000000 ? extent : 1000000), 0);
    for (size_t i = 0; i < extent; i++) {
        push_nested(L, a, axis + 1, at + step * (ptrdiff_t)i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/*** pg.totable(a) -> table
 * The elements as nested Lua tables; a number for an array without axes.
 * @param a  array
 * @example #pg.zeros(3, 2):totable() --> 3
 */
static int totable(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    push_nested(L, a, 0, a->data);
    return 1;
}

/*** pg.item(a) -> number
 * The one element of an array of size 1.
 * @param a  array of size 1, any number of axes
 * @example pg.full({1, 1}, 2.5):item() --> 2.5
 */
static int item(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a");
    if (a->size != 1)
        peri_argerror(L, 1, "a: expected one element, got %s", peri_push_got(L, 1));
    push_element(L, a, a->data);
    return 1;
}

PERI_OPENER(create)
{
    static const luaL_Reg functions[] = {
        {"array", array}, {"zeros", zeros}, {"ones", ones},         {"full", full},
        {"eye", eye},     {"range", range}, {"linspace", linspace}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"zeros_like", zeros_like}, {"ones_like", ones_like}, {"copy", copy}, {"astype", astype},
        {"totable", totable},       {"item", item},           {NULL, NULL},
    };
    peri_functions(L, functions);
    peri_array_functions(L, methods);
    return 0;
}
