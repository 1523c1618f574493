/* SPDX-License-Identifier: MIT
 *
 * pg.cov, pg.corrcoef. */
#include "bind/bind.h"
#include "kernel/copy.h"
#include "kernel/covariance.h"

/* The observations at 1, and at 2 where that is an array, as one contiguous n x m matrix pushed on
 * the stack. *opts is where the options are; *vector: one variable alone. */
static const peri_array *observations(lua_State *L, int *opts, bool *vector)
{
    const bool two = peri_test_array(L, 2) != NULL;
    *opts = two || lua_type(L, 2) != LUA_TTABLE ? 3 : 2;
    if (*opts == 3 && !two && !lua_isnoneornil(L, 2))
        peri_argerror(L, 2, "Y: expected array, got %s", peri_push_got(L, 2));
    lua_settop(L, *opts);
    const peri_array *X = peri_arg_operand(L, 1, "X");
    const peri_array *part[2] = {X, two ? peri_arg_operand(L, 2, "Y") : X};
    size_t n = 0, m = 0;
    int dtype = PERI_F32;
    for (int k = 0; k < 1 + two; k++) {
        const peri_array *p = part[k];
        if (p->ndim != 1 && p->ndim != 2)
            peri_argerror(L, k + 1, "%s: expected 1 or 2 axes, got shape %s", k == 0 ? "X" : "Y",
                          peri_push_shape(L, p->ndim, p->shape));
        if (k == 1 && p->shape[0] != n) {
            const char *got = peri_push_shape(L, p->ndim, p->shape);
            peri_argerror(L, 2, "Y: shape %s and X's %s differ in observations (rows)", got,
                          peri_push_shape(L, X->ndim, X->shape));
        }
        n = p->shape[0];
        m += p->ndim == 1 ? 1 : p->shape[1];
        dtype = peri_promote(dtype, p->dtype);
    }
    *vector = !two && X->ndim == 1;
    if (!two && peri_is_contiguous(X)) {
        const size_t shape[2] = {n, m};
        const ptrdiff_t stride[2] = {(ptrdiff_t)m, 1};
        return peri_push_view(L, 1, X->data, 2, shape, stride);
    }
    const size_t shape[2] = {n, m};
    const peri_array *whole = peri_push_array(L, dtype, 2, shape);
    size_t column = 0;
    for (int k = 0; k < 1 + two; k++) {
        const peri_array *p = part[k];
        const size_t block[2] = {n, p->ndim == 1 ? 1 : p->shape[1]};
        const ptrdiff_t stride[2] = {p->stride[0], p->ndim == 1 ? 1 : p->stride[1]};
        const peri_view from = {p->data, p->dtype, 2, block, stride};
        const peri_view to = {(char *)whole->data + column * peri_dtype_size(dtype), dtype, 2,
                              block, whole->stride};
        peri_copy(&to, &from);
        column += block[1];
    }
    return whole;
}

static int finish(lua_State *L, bool vector, const peri_array *out)
{
    if (vector)
        lua_pushnumber(L, peri_read(out->dtype, out->data));
    return 1;
}

static double *push_work(lua_State *L, size_t m)
{
    peri_mul_size(L, peri_mul_size(L, m, m), 16);
    return peri_push_scratch(L, peri_mul_size(L, peri_covariance_work(m), sizeof(double)));
}

/*** pg.cov(X [, Y] [, opts]) -> array | number
 * Covariances of the columns of X (and Y, as further columns); observations are rows.
 * @param X  array, n x m, or n for one variable
 * @param Y  array, n x k or n
 * @param opts.ddof  number: the divisor is n - ddof; default 1
 * @return array, m x m (with Y, m + k), of their dtype; a number for one variable given 1-d
 * @error X and Y differ in observations
 * @example pg.cov(pg.array{1, 2, 3, 4}, {ddof = 0}) --> 1.25
 */
static int cov(lua_State *L)
{
    static const char *const names[] = {"ddof", NULL};
    int opts;
    bool vector;
    const peri_array *X = observations(L, &opts, &vector);
    peri_options(L, opts, names);
    const double ddof = peri_option_number(L, opts, "ddof", 1);
    const size_t m = X->shape[1], shape[2] = {m, m};
    double *work = push_work(L, m);
    const peri_array *out = peri_push_array(L, X->dtype, 2, shape);
    const peri_view from = peri_view_of(X), to = peri_view_of(out);
    peri_facts facts = {0};
    if (m > 0)
        peri_check(L, 1, peri_covariance(&from, ddof, &to, work, &peri_getstate(L)->stop, &facts),
                   &facts);
    return finish(L, vector, out);
}

/*** pg.corrcoef(X [, Y]) -> array | number
 * Correlations of the columns of X (and Y, as further columns); observations are rows.
 * @param X  array, n x m, or n for one variable
 * @param Y  array, n x k or n
 * @return array, m x m (with Y, m + k), of their dtype, NaN for a constant column; a number for one
 * variable given 1-d
 * @error X and Y differ in observations
 * @example pg.corrcoef(pg.array{1, 2, 3}, pg.array{3, 2, 1})(1, 2) --> -1.0
 */
static int corrcoef(lua_State *L)
{
    static const char *const none[] = {NULL};
    int opts;
    bool vector;
    const peri_array *X = observations(L, &opts, &vector);
    peri_options(L, opts, none);
    const size_t m = X->shape[1], shape[2] = {m, m};
    double *work = push_work(L, m);
    const peri_array *out = peri_push_array(L, X->dtype, 2, shape);
    const peri_view from = peri_view_of(X), to = peri_view_of(out);
    peri_facts facts = {0};
    if (m > 0)
        peri_check(L, 1, peri_correlation(&from, &to, work, &peri_getstate(L)->stop, &facts),
                   &facts);
    return finish(L, vector, out);
}

PERI_OPENER(covariance)
{
    static const luaL_Reg functions[] = {{"cov", cov}, {"corrcoef", corrcoef}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
