/* SPDX-License-Identifier: MIT
 *
 * pg.cumprod. */
#include "bind/bind.h"

/*** pg.cumprod(a [, axis]) -> array
 * Running products along an axis, accumulated in f64.
 * @param a  array
 * @param axis  integer; absent: those of a:reshape(-1)
 * @return array
 * @example pg.range(1, 4):cumprod():max() --> 24.0
 */
static int cumprod(lua_State *L)
{
    lua_settop(L, 2);
    const bool flat = lua_isnil(L, 2);
    const peri_array *a = peri_arg_contiguous(L, 1, "a", -1, -1);
    const int axis = flat ? 0 : peri_arg_axis(L, 2, "axis", a->ndim);
    size_t outer = 1, n = a->size, inner = 1;
    if (!flat) {
        n = a->shape[axis];
        for (int k = 0; k < axis; k++)
            outer *= a->shape[k];
        for (int k = axis + 1; k < a->ndim; k++)
            inner *= a->shape[k];
    }
    const peri_array *out =
        peri_push_array(L, a->dtype, flat ? 1 : a->ndim, flat ? &a->size : a->shape);
    for (size_t i = 0; i < outer; i++)
        for (size_t j = 0; j < inner; j++) {
            double product = 1;
            for (size_t k = 0; k < n; k++) {
                const ptrdiff_t at = (ptrdiff_t)((i * n + k) * inner + j);
                product *= peri_read_at(a->dtype, a->data, at);
                peri_write_at(a->dtype, out->data, at, product);
            }
        }
    return 1;
}

PERI_OPENER(cumprod)
{
    static const luaL_Reg functions[] = {{"cumprod", cumprod}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
