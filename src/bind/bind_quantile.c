/* SPDX-License-Identifier: MIT
 *
 * pg.median, pg.quantile. */
#include <string.h>

#include "bind/bind.h"
#include "bind/out.h"
#include "kernel/copy.h"
#include "kernel/quantile.h"

/* With the array at 1 and q contiguous: pushes the quantiles over the axes given at `arg`. The
 * result has q's axis first where q is an array, then a's axes that stay. */
static int reduce(lua_State *L, int arg, const double *q, size_t nq, bool list, bool median)
{
    static const char *const names[] = {"keepdims", "out", NULL};
    peri_array *a = peri_test_array(L, 1);
    bool reduced[PERI_MAX_NDIM], all;
    int opts;
    peri_arg_axes(L, arg, a->ndim, reduced, &all, &opts);
    peri_options(L, opts, names);
    const bool keep = peri_option_boolean(L, opts, "keepdims", false);

    size_t moved[PERI_MAX_NDIM], shape[PERI_MAX_NDIM + 1];
    ptrdiff_t stride[PERI_MAX_NDIM];
    size_t lanes = 1, n = 1;
    int at = 0, ndim = 0;
    if (list)
        shape[ndim++] = nq;
    for (int axis = 0; axis < a->ndim; axis++) {
        if (!reduced[axis]) {
            moved[at] = a->shape[axis];
            stride[at++] = a->stride[axis];
            lanes *= a->shape[axis];
        }
        if (!reduced[axis] || keep)
            shape[ndim++] = reduced[axis] ? 1 : a->shape[axis];
    }
    for (int axis = 0; axis < a->ndim; axis++)
        if (reduced[axis]) {
            moved[at] = a->shape[axis];
            stride[at++] = a->stride[axis];
            n *= a->shape[axis];
        }
    if (ndim > PERI_MAX_NDIM)
        peri_argerror(L, 2, "q: the result would have more than %d axes", PERI_MAX_NDIM);
    peri_push_view(L, 1, a->data, a->ndim, moved, stride);
    lua_replace(L, 1);
    a = peri_arg_contiguous(L, 1, "a", -1, -1);

    const size_t table[2] = {lanes, n}, result[2] = {nq, lanes};
    const ptrdiff_t by_row[2] = {(ptrdiff_t)n, 1}, by_lane[2] = {(ptrdiff_t)lanes, 1};
    void *work = peri_push_scratch(L, peri_quantile_work(n, nq));
    const peri_array *out = peri_push_array(L, a->dtype, ndim, shape);
    const peri_view x = {a->data, a->dtype, 2, table, by_row};
    const peri_view to = {out->data, a->dtype, 2, result, by_lane};
    peri_check(L, 1, peri_quantile(&x, q, nq, median, &to, work, &peri_getstate(L)->stop), NULL);
    if (peri_option_given(L, opts, "out")) {
        const peri_array *given = peri_option_out(L, opts, a->dtype, ndim, shape);
        const peri_view from = peri_view_of(out), there = peri_view_of(given);
        peri_copy(&there, &from);
    } else if (ndim == 0) {
        lua_pushnumber(L, peri_read(out->dtype, out->data));
    }
    return 1;
}

/*** pg.median(a [, axis | {axes}] [, opts]) -> number | array
 * The middle element, or the mean of the middle two; NaN where an element is NaN or there is none.
 * @param a  array of any shape
 * @param axis  integer, or a table of them: default all
 * @param opts.keepdims  boolean: keep the axes with extent 1
 * @param opts.out  array that receives the result
 * @return number where no axis is left, else array of a's dtype
 * @error an axis that a does not have
 * @example pg.median(pg.array{5, 1, 2, 3}) --> 2.5
 */
static int median(lua_State *L)
{
    static const double half = 0.5;
    peri_arg_operand(L, 1, "a");
    return reduce(L, 2, &half, 1, false, true);
}

/*** pg.quantile(a, q [, axis | {axes}] [, opts]) -> number | array
 * The value below which a fraction q of the elements lies, interpolated linearly between the two
 * nearest; NaN where an element is NaN or there is none.
 * @param a  array of any shape
 * @param q  number in [0, 1], or a 1-d array or table of them, whose axis comes first in the result
 * @param axis  integer, or a table of them: default all
 * @param opts.keepdims  boolean: keep the axes with extent 1
 * @param opts.out  array that receives the result
 * @return number for one q where no axis is left, else array of a's dtype
 * @error q outside [0, 1]; an axis that a does not have
 * @source Hyndman & Fan 1996, definition 7
 * @example pg.quantile(pg.array{0, 10}, 0.25) --> 2.5
 */
static int quantile(lua_State *L)
{
    peri_arg_operand(L, 1, "a");
    const bool list = lua_type(L, 2) != LUA_TNUMBER;
    if (!list) {
        peri_arg_operand(L, 2, "q");
    } else if (lua_type(L, 2) != LUA_TTABLE && peri_test_array(L, 2) == NULL) {
        peri_argerror(L, 2, "q: expected a number in [0, 1] or an array of them, got %s",
                      peri_push_got(L, 2));
    }
    const peri_array *q = peri_arg_contiguous(L, 2, "q", PERI_F64, list ? 1 : 0);
    const double *value = q->data;
    for (size_t k = 0; k < q->size; k++)
        if (!(value[k] >= 0 && value[k] <= 1)) {
            const char *cure = value[k] > 1 && value[k] <= 100 ? ": a fraction, not percent" : "";
            if (!list)
                peri_argerror(L, 2, "q: expected a number in [0, 1], got %s%s",
                              peri_push_number(L, value[k]), cure);
            peri_argerror(L, 2, "q: element %I is %s, expected a number in [0, 1]%s",
                          (LUAI_UACINT)k + 1, peri_push_number(L, value[k]), cure);
        }
    return reduce(L, 3, value, q->size, list, false);
}

PERI_OPENER(quantile)
{
    static const luaL_Reg functions[] = {{"median", median}, {"quantile", quantile}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
