/* SPDX-License-Identifier: MIT
 *
 * pg.pad. */
#include "bind/bind.h"
#include "kernel/copy.h"
#include "kernel/dtype.h"
#include "kernel/view.h"

/* The integer at index k of the pair on top, which belongs to the axis (from 0). */
static size_t width_of(lua_State *L, int k, int axis)
{
    lua_rawgeti(L, -1, k);
    int exact;
    const lua_Integer width = lua_tointegerx(L, -1, &exact);
    if (lua_type(L, -1) != LUA_TNUMBER || !exact || width < 0 || width > INT32_MAX)
        peri_argerror(L, 2, "widths: axis %d: expected an integer of at least 0, got %s", axis + 1,
                      peri_push_got(L, -1));
    lua_pop(L, 1);
    return (size_t)width;
}

/*** pg.pad(a, widths [, opts]) -> array
 * A larger array with a in its midst.
 * @param a  array
 * @param widths  list of a pair {before, after} for each axis; axes left out are not padded
 * @param opts.value  number: what is around a, default 0
 * @return array of a's dtype
 * @error a pair that is not two integers of at least 0; more pairs than axes
 * @example pg.pad(pg.array{1, 2}, {{1, 2}}):totable()[2] --> 1.0
 */
static int pad(lua_State *L)
{
    static const char *const names[] = {"value", NULL};
    lua_settop(L, 3);
    const peri_array *a = peri_arg_array(L, 1, "a");
    if (lua_type(L, 2) != LUA_TTABLE)
        peri_argerror(L, 2, "widths: expected a list of pairs {before, after}, got %s",
                      peri_push_got(L, 2));
    peri_options(L, 3, names);
    const double value = peri_option_number(L, 3, "value", 0);
    if (!peri_fits(a->dtype, value))
        peri_argerror(L, 3, "value: %s does not hold %s", peri_dtype_name(a->dtype),
                      peri_push_number(L, value));
    const size_t pairs = lua_rawlen(L, 2);
    if (pairs > (size_t)a->ndim)
        peri_argerror(L, 2, "widths: %d pairs for %d axes", (int)pairs, a->ndim);
    size_t shape[PERI_MAX_NDIM], before[PERI_MAX_NDIM] = {0};
    for (int axis = 0; axis < a->ndim; axis++) {
        shape[axis] = a->shape[axis];
        if ((size_t)axis >= pairs)
            continue;
        if (lua_rawgeti(L, 2, axis + 1) != LUA_TTABLE || lua_rawlen(L, -1) != 2)
            peri_argerror(L, 2, "widths: axis %d: expected {before, after}, got %s", axis + 1,
                          peri_push_got(L, -1));
        before[axis] = width_of(L, 1, axis);
        shape[axis] += before[axis] + width_of(L, 2, axis);
        lua_pop(L, 1);
    }
    a = peri_arg_array(L, 1, "a");
    peri_array *y = value == 0 ? peri_push_zeros(L, a->dtype, a->ndim, shape)
                               : peri_push_array(L, a->dtype, a->ndim, shape);
    const peri_view all = peri_view_of(y), inner = peri_view_of(a);
    if (value != 0)
        peri_fill(&all, value);
    ptrdiff_t at = 0;
    for (int axis = 0; axis < a->ndim; axis++)
        at += (ptrdiff_t)before[axis] * y->stride[axis];
    const peri_view place = {(char *)y->data + at * (ptrdiff_t)peri_dtype_size(y->dtype), y->dtype,
                             y->ndim, a->shape, y->stride};
    if (a->size > 0)
        peri_copy(&place, &inner);
    return 1;
}

PERI_OPENER(pad)
{
    static const luaL_Reg functions[] = {{"pad", pad}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
