/* SPDX-License-Identifier: MIT
 *
 * pg.digamma, pg.polygamma. */
#include "bind/bind.h"
#include "kernel/polygamma.h"

static int push_values(lua_State *L, int arg, int n)
{
    if (lua_type(L, arg) == LUA_TNUMBER) {
        lua_pushnumber(L, peri_polygamma(n, lua_tonumber(L, arg)));
        return 1;
    }
    const peri_array *a = peri_arg_operand(L, arg, "a");
    const peri_array *out = peri_push_array(L, peri_promote1(a->dtype), a->ndim, a->shape);
    if (a->size == 0)
        return 1;
    const peri_view from = peri_view_of(a), to = peri_view_of(out);
    peri_walk w = peri_walk_begin(a->ndim, a->shape);
    peri_walk_along(&w, a->stride);
    peri_walk_along(&w, out->stride);
    do
        peri_put(&to, w.at[1], peri_polygamma(n, peri_get(&from, w.at[0])));
    while (peri_walk_next(&w));
    return 1;
}

/*** pg.digamma(a) -> array
 * The derivative of lgamma; NaN at 0 and the negative integers.
 * @param a  array or number
 * @example pg.digamma(1) --> -0.57721566490153
 */
static int digamma(lua_State *L)
{
    return push_values(L, 1, 0);
}

/*** pg.polygamma(a, n) -> array
 * The n-th derivative of digamma.
 * @param a  array or number
 * @param n  integer in 0..20
 * @example pg.polygamma(1, 1) --> 1.6449340668482
 */
static int polygamma(lua_State *L)
{
    return push_values(L, 1, (int)peri_arg_integer(L, 2, "n", 0, 20));
}

PERI_OPENER(polygamma)
{
    static const luaL_Reg functions[] = {
        {"digamma", digamma}, {"polygamma", polygamma}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
