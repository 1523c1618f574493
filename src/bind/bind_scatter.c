/* SPDX-License-Identifier: MIT
 *
 * pg.scatter_add. */
#include <string.h>

#include "bind/bind.h"
#include "bind/out.h"
#include "kernel/rearrange.h"
#include "kernel/scatter.h"

/*** pg.scatter_add(a, v, idx [, axis]) -> array
 * A copy of a with the slices of v added at the given indices along an axis: what a:take(idx, axis)
 * takes out, put back. An index may come several times.
 * @param a  array of any shape
 * @param v  array of the shape of a:take(idx, axis)
 * @param idx  integer, or an array or table of them of any shape; from 1, or from the end when
 * negative
 * @param axis  integer: default 1
 * @return array of a's dtype
 * @error an index outside the axis; a v of another shape
 * @example pg.scatter_add(pg.zeros(3), pg.array{1, 2, 4}, {2, 2, 3}):totable()[2] --> 3.0
 */
static int scatter_add(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "a"), *idx = peri_arg_operand(L, 3, "idx");
    if (a->ndim == 0)
        peri_argerror(L, 1, "a: expected at least 1 axis, got shape ()");
    const int axis = lua_isnoneornil(L, 4) ? 0 : peri_arg_axis(L, 4, "axis", a->ndim);
    const peri_array *v = peri_arg_contiguous(L, 2, "v", a->dtype, -1);
    const size_t extent = a->shape[axis];
    size_t outer = 1, inner = 1;
    bool fits = v->ndim == a->ndim - 1 + idx->ndim;
    for (int k = 0; k < axis; k++) {
        outer *= a->shape[k];
        fits = fits && v->shape[k] == a->shape[k];
    }
    for (int k = 0; fits && k < idx->ndim; k++)
        fits = v->shape[axis + k] == idx->shape[k];
    for (int k = axis + 1; k < a->ndim; k++) {
        inner *= a->shape[k];
        fits = fits && v->shape[k - 1 + idx->ndim] == a->shape[k];
    }
    if (!fits)
        peri_argerror(L, 2, "v: shape %s is not that of a:take(idx, %d)",
                      peri_push_shape(L, v->ndim, v->shape), axis + 1);
    size_t *index = peri_push_scratch(L, peri_mul_size(L, idx->size, sizeof *index));
    const peri_view which = peri_view_of(idx);
    peri_facts facts = {0};
    if (peri_index_read(&which, extent, index, &facts) != PERI_OK)
        peri_argerror(L, 3, "idx: element %I is %s, no index of axis %d, which has %I",
                      (LUAI_UACINT)facts.index[0] + 1, peri_push_number(L, facts.got), axis + 1,
                      (LUAI_UACINT)extent);
    const peri_array *out = peri_push_copy(L, a, -1);
    peri_scatter_add(out->dtype, outer, extent, inner, index, idx->size, v->data, out->data);
    return 1;
}

PERI_OPENER(scatter)
{
    static const luaL_Reg functions[] = {{"scatter_add", scatter_add}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
