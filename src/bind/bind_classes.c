/* SPDX-License-Identifier: MIT
 *
 * pg.log_softmax and pg.one_hot. */
#include "bind/bind.h"
#include "bind/out.h"
#include "kernel/copy.h"
#include "kernel/softmax.h"

/*** pg.log_softmax(a [, axis]) -> array
 * a - logsumexp(a): the logarithm of softmax(a), without its underflow.
 * @param a  array
 * @param axis  integer: along which softmax sums to 1; default all elements
 * @return array of a's shape
 * @error an axis that a has not
 * @example pg.log_softmax(pg.zeros(4)):exp():sum() --> 1.0
 */
static int log_softmax(lua_State *L)
{
    lua_settop(L, 2);
    const peri_array *a = peri_arg_array(L, 1, "a");
    const bool all = lua_isnil(L, 2) || a->ndim == 0;
    const int axis = all ? 0 : peri_arg_axis(L, 2, "axis", a->ndim);
    const int dtype = peri_promote1(a->dtype);
    const peri_array *y = peri_push_array(L, dtype, a->ndim, a->shape);
    const size_t cols = all ? a->size : a->shape[axis];
    if (a->size == 0)
        return 1;
    /* The axis moved to the end, there and back. */
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t from[PERI_MAX_NDIM], to[PERI_MAX_NDIM];
    int k = 0;
    for (int i = 0; i < a->ndim; i++)
        if (all || i != axis) {
            shape[k] = a->shape[i];
            from[k] = a->stride[i];
            to[k++] = y->stride[i];
        }
    if (!all) {
        shape[k] = cols;
        from[k] = a->stride[axis];
        to[k] = y->stride[axis];
    }
    const peri_view in = {a->data, a->dtype, a->ndim, shape, from};
    const peri_view out = {y->data, y->dtype, y->ndim, shape, to};
    const peri_array *rows = peri_push_array(L, dtype, a->ndim, shape);
    const peri_view moved = peri_view_of(rows);
    peri_copy(&moved, &in);
    peri_softmax(PERI_LOG_SOFTMAX, a->size / cols, cols, dtype, rows->data, rows->data);
    peri_copy(&out, &moved);
    lua_pop(L, 1);
    return 1;
}

/*** pg.one_hot(classes, n [, dtype]) -> array
 * Rows of zeros with a one at the class.
 * @param classes  array of any shape, or a list: classes 1..n
 * @param n  integer: how many classes there are
 * @param dtype  string: default "f64"
 * @return array of one axis more, n long
 * @error a class that is none of 1..n
 * @example pg.one_hot({2, 3}, 3):totable()[2][3] --> 1.0
 */
static int one_hot(lua_State *L)
{
    lua_settop(L, 3);
    const size_t n = (size_t)peri_arg_integer(L, 2, "n", 1, INT32_MAX);
    const int dtype = peri_arg_dtype(L, 3, PERI_F64);
    const peri_array *classes = peri_arg_contiguous(L, 1, "classes", PERI_F64, -1);
    if (classes->ndim == PERI_MAX_NDIM)
        peri_argerror(L, 1, "classes: expected less than %d axes", PERI_MAX_NDIM);
    const double *at = classes->data;
    for (size_t i = 0; i < classes->size; i++)
        if (!(at[i] >= 1 && at[i] <= (double)n) || at[i] != (double)(size_t)at[i])
            peri_argerror(L, 1, "classes: element %I is %s, no class of 1..%I%s",
                          (LUAI_UACINT)i + 1, peri_push_number(L, at[i]), (LUAI_UACINT)n,
                          at[i] == 0 ? ": classes count from 1" : "");
    size_t shape[PERI_MAX_NDIM];
    for (int axis = 0; axis < classes->ndim; axis++)
        shape[axis] = classes->shape[axis];
    shape[classes->ndim] = n;
    const peri_array *y = peri_push_zeros(L, dtype, classes->ndim + 1, shape);
    for (size_t i = 0; i < classes->size; i++)
        peri_write(dtype, (char *)y->data + (i * n + (size_t)at[i] - 1) * peri_dtype_size(dtype),
                   1);
    return 1;
}

PERI_OPENER(classes)
{
    static const luaL_Reg functions[] = {
        {"log_softmax", log_softmax}, {"one_hot", one_hot}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
