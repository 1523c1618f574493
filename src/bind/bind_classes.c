/* SPDX-License-Identifier: MIT
 *
 * pg.one_hot: classes as rows. */
#include "bind/bind.h"

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
    static const luaL_Reg functions[] = {{"one_hot", one_hot}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
