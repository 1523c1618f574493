/* SPDX-License-Identifier: MIT
 *
 * pg.stats: tail probabilities. */
#include "bind/bind.h"
#include "bind/out.h"
#include "kernel/stats.h"

/*** pg.stats.chi2_sf(x, df) -> number | array
 * The probability that a chi-square variable with df degrees of freedom exceeds x.
 * @param x  number, or array of any shape
 * @param df  number: above 0
 * @return number, or array of x's shape and dtype; relative error about 1e-13
 * @error df is not above 0
 * @source Temme 1979; Loader 2000
 * @example pg.stats.chi2_sf(0, 3) --> 1.0
 */
static int chi2_sf(lua_State *L)
{
    const double df = peri_arg_number(L, 2, "df");
    if (!(df > 0))
        peri_argerror(L, 2, "df: expected a number above 0, got %s", peri_push_number(L, df));
    if (lua_type(L, 1) == LUA_TNUMBER) {
        lua_pushnumber(L, peri_stats_chi2_sf(lua_tonumber(L, 1), df));
        return 1;
    }
    const peri_array *x = peri_arg_contiguous(L, 1, "x", -1, -1);
    const peri_array *out = peri_push_array(L, x->dtype, x->ndim, x->shape);
    const peri_view from = peri_view_of(x), to = peri_view_of(out);
    peri_stats_chi2_sf_each(&from, df, &to);
    return 1;
}

PERI_OPENER(stats)
{
    static const luaL_Reg functions[] = {{"chi2_sf", chi2_sf}, {NULL, NULL}};
    peri_module(L, "stats", functions);
    return 1;
}
