/* SPDX-License-Identifier: MIT
 *
 * The primitives of pg.ppca; lua/perigee/ppca.lua makes models of them. Arguments come from there
 * already checked for shape. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/ppca.h"

static peri_rows arg_rows(lua_State *L, int arg)
{
    const peri_array *X = peri_arg_contiguous(L, arg, "X", -1, 2);
    return (peri_rows){X->data, X->dtype, X->shape[0], X->shape[1]};
}

static double *arg_doubles(lua_State *L, int arg, const char *name)
{
    return peri_arg_contiguous(L, arg, name, PERI_F64, -1)->data;
}

static double *push_doubles(lua_State *L, int ndim, size_t n, size_t m)
{
    return peri_push_array(L, PERI_F64, ndim, (size_t[]){n, m})->data;
}

static double *scratch(lua_State *L, size_t count)
{
    return peri_push_scratch(L, peri_mul_size(L, count, sizeof(double)));
}

/* mean(X) -> (m); nil where the first element that is not finite is NaN, so missing. */
static int mean(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    peri_facts facts = {0};
    double *out = push_doubles(L, 1, X.m, 0);
    const peri_status status = peri_ppca_mean(&X, out, &facts);
    if (status == PERI_ERR_NONFINITE && isnan(facts.got))
        return 0;
    peri_check(L, 1, status, &facts);
    return 1;
}

/* scatter(X, shift, sum, S): adds to sum and S. */
static int scatter(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    const double *shift = arg_doubles(L, 2, "shift");
    double *sum = arg_doubles(L, 3, "sum"), *S = arg_doubles(L, 4, "S");
    double *work = scratch(L, peri_mul_size(L, PERI_PPCA_BLOCK, X.m));
    peri_facts facts = {0};
    peri_check(L, 1, peri_ppca_scatter(&X, shift, sum, S, work, &peri_getstate(L)->stop, &facts),
               &facts);
    return 0;
}

/* Pushes W and sigma2 made from eigenpairs, or raises where nothing is left for the noise. */
static void push_loadings(lua_State *L, size_t m, size_t d, const double *eigenvalues,
                          const double *U)
{
    size_t largest;
    if (!peri_ppca_has_noise(m, d, eigenvalues, &largest)) {
        if (largest == 0)
            peri_error(L, "d: the data have no variance beyond one direction, so sigma2 is 0");
        peri_error(
            L,
            "d: sigma2 is 0 at d = %I, since the data lie in fewer dimensions; the largest d "
            "with noise left is %I",
            (LUAI_UACINT)d, (LUAI_UACINT)largest);
    }
    double sigma2;
    double *W = push_doubles(L, 2, m, d);
    peri_ppca_loadings(m, d, eigenvalues, U, &sigma2, W);
    lua_pushnumber(L, sigma2);
}

/* fit_moments(n, shift, sum, S, d) -> mu, eigenvalues, W, sigma2. S is destroyed. */
static int fit_moments(lua_State *L)
{
    const size_t n = (size_t)luaL_checkinteger(L, 1);
    const double *shift = arg_doubles(L, 2, "shift"), *sum = arg_doubles(L, 3, "sum");
    const peri_array *S = peri_arg_contiguous(L, 4, "S", PERI_F64, 2);
    const size_t d = (size_t)luaL_checkinteger(L, 5), m = S->shape[0];
    double *U = scratch(L, d * m), *work = scratch(L, peri_ppca_eig_work(m, d));
    int *iwork = peri_push_scratch(L, 12 * m * sizeof(int));
    double *mu = push_doubles(L, 1, m, 0);
    peri_ppca_moments(n, m, shift, sum, S->data, mu);
    double *eigenvalues = push_doubles(L, 1, m, 0);
    peri_facts facts = {0};
    peri_check(L, 0, peri_ppca_eig(m, d, S->data, eigenvalues, U, work, iwork, &facts), &facts);
    push_loadings(L, m, d, eigenvalues, U);
    return 4;
}

/* fit_rows(X, mu, d, svd) -> eigenvalues, W, sigma2: by the singular values of the data, else by
 * the matrix of inner products. */
static int fit_rows(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    const double *mu = arg_doubles(L, 2, "mu");
    const size_t d = (size_t)luaL_checkinteger(L, 3), n = X.n, m = X.m;
    const bool svd = lua_toboolean(L, 4);
    double *U = scratch(L, d * m);
    int *iwork = peri_push_scratch(L, 12 * n * sizeof(int));
    double *work =
        scratch(L, svd ? peri_ppca_eig_svd_work(n, m)
                       : peri_mul_size(L, n, n + d + PERI_PPCA_BLOCK) + peri_ppca_eig_work(n, d));
    double *eigenvalues = push_doubles(L, 1, m, 0);
    peri_facts facts = {0};
    const peri_stop *stop = &peri_getstate(L)->stop;
    peri_check(L, 1,
               svd ? peri_ppca_eig_svd(&X, mu, d, eigenvalues, U, work, iwork, &facts)
                   : peri_ppca_eig_gram(&X, mu, d, eigenvalues, U, work, iwork, stop, &facts),
               &facts);
    push_loadings(L, m, d, eigenvalues, U);
    return 3;
}

/* factor(W, sigma2) -> L. */
static int factor(lua_State *L)
{
    const peri_array *W = peri_arg_contiguous(L, 1, "W", PERI_F64, 2);
    const size_t m = W->shape[0], d = W->shape[1];
    const double sigma2 = luaL_checknumber(L, 2);
    peri_facts facts = {0};
    double *out = push_doubles(L, 2, d, d);
    peri_check(L, 1, peri_ppca_factor(m, d, W->data, sigma2, out, &facts), &facts);
    return 1;
}

/* Which results a projection is asked for: the letters of the argument. */
struct wanted {
    double *Z, *logprob, *fitted, *cov;
    int count;
};

static struct wanted push_wanted(lua_State *L, int arg, const peri_rows *X, size_t d)
{
    struct wanted w = {0};
    for (const char *letter = luaL_checkstring(L, arg); *letter != '\0'; letter++) {
        w.count++;
        if (*letter == 'z')
            w.Z = push_doubles(L, 2, X->n, d);
        else if (*letter == 'p')
            w.logprob = push_doubles(L, 1, X->n, 0);
        else if (*letter == 'x')
            w.fitted = push_doubles(L, 2, X->n, X->m);
        else
            w.cov = peri_push_array(L, PERI_F64, 3, (size_t[]){X->n, d, d})->data;
    }
    return w;
}

/* project(X, mu, W, L, sigma2, letters) -> for z: E[z|x], p: log p(x), x: E[x|z]; nothing where
 * values are missing. */
static int project(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    const double *mu = arg_doubles(L, 2, "mu");
    const peri_array *W = peri_arg_contiguous(L, 3, "W", PERI_F64, 2);
    const double *factor_of_m = arg_doubles(L, 4, "L");
    const double sigma2 = luaL_checknumber(L, 5);
    const size_t d = W->shape[1];
    double *work = scratch(L, peri_mul_size(L, PERI_PPCA_PROJECT_BLOCK, 2 * X.m + d) + X.m * d);
    const struct wanted w = push_wanted(L, 6, &X, d);
    peri_facts facts = {0};
    const peri_status status = peri_ppca_project(&X, mu, W->data, factor_of_m, d, sigma2, w.Z,
                                                 w.logprob, w.fitted, work, &facts);
    if (status == PERI_ERR_NONFINITE && isnan(facts.got))
        return 0;
    peri_check(L, 1, status, &facts);
    return w.count;
}

/* project_missing(X, mu, W, sigma2, letters): as project; x: X with its gaps filled, c: posterior
 * covariances (n,d,d). */
static int project_missing(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    const double *mu = arg_doubles(L, 2, "mu");
    const peri_array *W = peri_arg_contiguous(L, 3, "W", PERI_F64, 2);
    const double sigma2 = luaL_checknumber(L, 4);
    const size_t d = W->shape[1];
    double *work = scratch(L, peri_ppca_row_work(X.m, d));
    const struct wanted w = push_wanted(L, 5, &X, d);
    peri_facts facts = {0};
    peri_check(L, 1,
               peri_ppca_project_missing(&X, mu, W->data, d, sigma2, w.Z, w.logprob, w.fitted,
                                         w.cov, work, &facts),
               &facts);
    return w.count;
}

/* observed(X) -> count, mean: of the entries that are not NaN. */
static int observed(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    peri_facts facts = {0};
    double *count = push_doubles(L, 1, X.m, 0);
    double *means = push_doubles(L, 1, X.m, 0);
    const peri_status status = peri_ppca_observed(&X, count, means, &facts);
    if (status == PERI_ERR_VALUE)
        peri_argerror(L, 1, "X: column %I is all NaN", (LUAI_UACINT)facts.index[0] + 1);
    peri_check(L, 1, status, &facts);
    return 2;
}

/* em(X, mu, W, sigma2) -> sigma2, loglik of the old values; mu and W are replaced. */
static int em(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    double *mu = arg_doubles(L, 2, "mu");
    const peri_array *W = peri_arg_contiguous(L, 3, "W", PERI_F64, 2);
    double sigma2 = luaL_checknumber(L, 4), loglik = 0;
    const size_t d = W->shape[1];
    double *work = scratch(L, peri_ppca_em_work(X.m, d));
    peri_facts facts = {0};
    peri_check(
        L, 0,
        peri_ppca_em(&X, d, mu, W->data, &sigma2, &loglik, work, &peri_getstate(L)->stop, &facts),
        &facts);
    lua_pushnumber(L, sigma2);
    lua_pushnumber(L, loglik);
    return 2;
}

PERI_OPENER(ppca)
{
    static const luaL_Reg functions[] = {
        {"mean", mean},
        {"scatter", scatter},
        {"fit_moments", fit_moments},
        {"fit_rows", fit_rows},
        {"factor", factor},
        {"project", project},
        {"project_missing", project_missing},
        {"observed", observed},
        {"em", em},
        {NULL, NULL},
    };
    lua_newtable(L);
    peri_set_functions(L, functions, PERI_FUNCTION);
    return 1;
}
