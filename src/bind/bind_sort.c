/* SPDX-License-Identifier: MIT
 *
 * pg.sort, argsort, searchsorted, unique. */
#include "bind/bind.h"
#include "bind/out.h"
#include "kernel/sort.h"

static const char *const out_only[] = {"out", NULL};

/* Lanes up to SMALL are sorted in memory of the C stack. */
enum { SMALL = 64 };

static uint64_t *push_work(lua_State *L, size_t n)
{
    return peri_push_scratch(L, peri_mul_size(L, peri_sort_work(n), sizeof(uint64_t)));
}

/*** pg.sort(a [, axis] [, opts]) -> array
 * The elements in ascending order along an axis: stable, NaN last.
 * @param a  array of any shape
 * @param axis  integer: default -1, the last
 * @param opts.out  array of a's shape and dtype that receives the result; may be a itself
 * @return array of a's shape and dtype
 * @error an axis that a does not have
 * @example pg.sort(pg.array{3, 1, 2}):totable()[1] --> 1.0
 */
static int sort(lua_State *L)
{
    int opts;
    peri_array *a = peri_arg_operand(L, 1, "a");
    const int axis = peri_arg_optional_axis(L, 2, a->ndim, a->ndim - 1, &opts);
    peri_options(L, opts, out_only);
    const peri_array *out = peri_option_out_from(L, opts, a->dtype, a->ndim, a->shape, 1, &a);
    const int result = lua_gettop(L);
    const size_t n = a->ndim > 0 ? a->shape[axis] : 1;
    uint64_t small[2 * SMALL], *work = n <= SMALL ? small : push_work(L, n);
    const peri_view from = peri_view_of(a), to = peri_view_of(out);
    peri_facts facts = {0};
    peri_check(L, 1, peri_sort(&from, axis, &to, work, &peri_getstate(L)->stop, &facts), &facts);
    lua_settop(L, result);
    return 1;
}

/*** pg.argsort(a [, axis] [, opts]) -> array
 * Where the elements of the sorted array stand in a: a:take(a:argsort()) is sorted for a 1-d a.
 * @param a  array of any shape
 * @param axis  integer: default -1, the last
 * @param opts.out  array of a's shape, f64, that receives the result
 * @return array of a's shape, f64: indices along the axis, from 1; equal elements keep their order
 * @error an axis that a does not have
 * @example pg.argsort(pg.array{3, 1, 2}):totable()[1] --> 2.0
 */
static int argsort(lua_State *L)
{
    int opts;
    peri_array *a = peri_arg_operand(L, 1, "a");
    const int axis = peri_arg_optional_axis(L, 2, a->ndim, a->ndim - 1, &opts);
    peri_options(L, opts, out_only);
    const peri_array *out = peri_option_out_from(L, opts, PERI_F64, a->ndim, a->shape, 1, &a);
    const int result = lua_gettop(L);
    const size_t n = a->ndim > 0 ? a->shape[axis] : 1;
    uint64_t small[2 * SMALL], *work = n <= SMALL ? small : push_work(L, n);
    const peri_view from = peri_view_of(a), to = peri_view_of(out);
    peri_facts facts = {0};
    peri_check(L, 1, peri_argsort(&from, axis, 1, &to, work, &peri_getstate(L)->stop, &facts),
               &facts);
    lua_settop(L, result);
    return 1;
}

/*** pg.searchsorted(a, v [, opts]) -> integer | array
 * Where v would be inserted into the ascending a to keep it so.
 * @param a  array, n: ascending, as pg.sort leaves it
 * @param v  number, or array of any shape
 * @param opts.side  string: "left" (default), before elements equal to v; "right", after them
 * @return integer in 1..n+1, or an f64 array of them of v's shape
 * @error a is not 1-d
 * @example pg.searchsorted(pg.array{1, 2, 2, 5}, 2) --> 2
 */
static int searchsorted(lua_State *L)
{
    static const char *const names[] = {"side", NULL};
    static const char *const sides[] = {"left", "right", NULL};
    const peri_array *a = peri_arg_operand(L, 1, "a");
    if (a->ndim != 1)
        peri_argerror(L, 1, "a: expected 1 axis, got shape %s",
                      peri_push_shape(L, a->ndim, a->shape));
    const bool number = lua_type(L, 2) == LUA_TNUMBER;
    const peri_array *v = peri_arg_operand(L, 2, "v");
    peri_options(L, 3, names);
    const bool right = peri_option_choice(L, 3, "side", sides, 0) == 1;
    const peri_array *out = peri_push_array(L, PERI_F64, v->ndim, v->shape);
    const peri_view sorted = peri_view_of(a), what = peri_view_of(v), to = peri_view_of(out);
    peri_check(L, 1, peri_searchsorted(&sorted, &what, right, 1, &to, &peri_getstate(L)->stop),
               NULL);
    if (number)
        lua_pushinteger(L, (lua_Integer)(*(double *)out->data));
    return 1;
}

/*** pg.unique(a [, axis]) -> values, counts, inverse, first
 * The distinct elements in ascending order, or with an axis the distinct slices along it.
 * NaN counts as one value and is last; slices are ordered by their first difference.
 * @param a  array of any shape
 * @param axis  integer: 1 for the distinct rows of a matrix; default: elements
 * @return values  array, k; with an axis a's shape with extent k there
 * @return counts  array, k: how often each occurs
 * @return inverse  array of a's shape (with an axis: its extent): which of the values each is
 * @return first  array, k: where each occurs first, in row-major order (with an axis: along it)
 * @error an axis that a does not have
 * @example #pg.unique(pg.array{3, 1, 3}) --> 2
 */
static int unique(lua_State *L)
{
    peri_array *a = peri_arg_operand(L, 1, "a");
    const bool rows = !lua_isnoneornil(L, 2);
    const int axis = rows ? peri_arg_axis(L, 2, "axis", a->ndim) : 0;
    /* The axis comes first, then the rest; without one every element is a row of 1. */
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    size_t width = 1;
    int ndim = 0;
    if (rows) {
        shape[0] = a->shape[axis];
        stride[ndim++] = a->stride[axis];
        for (int other = 0; other < a->ndim; other++)
            if (other != axis) {
                shape[ndim] = a->shape[other];
                stride[ndim++] = a->stride[other];
                width *= a->shape[other];
            }
        peri_push_view(L, 1, a->data, ndim, shape, stride);
        lua_replace(L, 1);
    }
    a = peri_arg_contiguous(L, 1, "a", -1, -1);
    const size_t n = rows ? shape[0] : a->size;
    const size_t table[2] = {n, width};
    const ptrdiff_t by_row[2] = {(ptrdiff_t)width, 1};
    const peri_view x = {a->data, a->dtype, 2, table, by_row};

    uint64_t *order = peri_push_scratch(L, peri_mul_size(L, n, sizeof *order));
    uint64_t *work = push_work(L, n);
    size_t count;
    peri_facts facts = {0};
    peri_check(L, 1, peri_unique_order(&x, order, &count, work, &peri_getstate(L)->stop, &facts),
               &facts);
    lua_pop(L, 1);

    shape[0] = count;
    const peri_array *values = peri_push_array(L, a->dtype, rows ? ndim : 1, shape);
    const int at = lua_gettop(L);
    const peri_array *counts = peri_push_array(L, PERI_F64, 1, &count);
    const peri_array *inverse =
        peri_push_array(L, PERI_F64, rows ? 1 : a->ndim, rows ? &n : a->shape);
    const peri_array *first = peri_push_array(L, PERI_F64, 1, &count);
    const peri_view v = peri_view_of(values);
    peri_unique_fill(&x, order, 1, &v, counts->data, inverse->data, first->data);
    if (rows && axis > 0) { /* the axis goes back where it was */
        size_t back[PERI_MAX_NDIM];
        ptrdiff_t step[PERI_MAX_NDIM];
        for (int k = 0; k < ndim; k++) {
            const int from = k == axis ? 0 : k < axis ? k + 1 : k;
            back[k] = values->shape[from];
            step[k] = values->stride[from];
        }
        peri_push_view(L, at, values->data, ndim, back, step);
        lua_replace(L, at);
    }
    return 4;
}

PERI_OPENER(sort)
{
    static const luaL_Reg functions[] = {
        {"sort", sort},     {"argsort", argsort}, {"searchsorted", searchsorted},
        {"unique", unique}, {NULL, NULL},
    };
    peri_array_functions(L, functions);
    return 0;
}
