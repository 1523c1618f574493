/* SPDX-License-Identifier: MIT
 *
 * The primitives of pg.ppca; lua/perigee/ppca.lua makes models of them. What they are given is
 * checked here: the fields of a model are anybody's. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/ppca.h"

static peri_rows arg_rows(lua_State *L, int arg)
{
    const peri_array *X = peri_arg_contiguous(L, arg, "X", -1, 2);
    return (peri_rows){X->data, X->dtype, X->shape[0], X->shape[1]};
}

/* f64 of exactly `size` elements. */
static double *arg_doubles(lua_State *L, int arg, const char *name, size_t size)
{
    const peri_array *a = peri_arg_contiguous(L, arg, name, PERI_F64, -1);
    if (a->size != size)
        peri_argerror(L, arg, "%s: expected %I values, got shape %s", name, (LUAI_UACINT)size,
                      peri_push_shape(L, a->ndim, a->shape));
    return a->data;
}

/* The same, written in place. */
static double *arg_inout(lua_State *L, int arg, const char *name, size_t size)
{
    const peri_array *a = peri_arg_inout(L, arg, name, PERI_F64, -1, true);
    if (a->size != size)
        peri_error(L, "%s was changed: expected %I values, got shape %s", name, (LUAI_UACINT)size,
                   peri_push_shape(L, a->ndim, a->shape));
    return a->data;
}

static double *push_doubles(lua_State *L, int ndim, size_t n, size_t m)
{
    return peri_push_array(L, PERI_F64, ndim, (size_t[]){n, m})->data;
}

static double *scratch(lua_State *L, size_t count)
{
    return peri_push_scratch(L, peri_mul_size(L, count, sizeof(double)));
}

/* mu, W and sigma2 at arg, arg + 1, arg + 2. A script may have set the fields of a model to
 * anything, so they are held against each other and against X here. */
typedef struct {
    const double *mu, *W;
    double sigma2;
    size_t d;
} parameters;

static parameters arg_parameters(lua_State *L, int arg, size_t m)
{
    const peri_array *mu = peri_arg_contiguous(L, arg, "mu", PERI_F64, -1);
    const peri_array *W = peri_arg_contiguous(L, arg + 1, "W", PERI_F64, 2);
    const double sigma2 = luaL_checknumber(L, arg + 2);
    if (mu->size != m || W->shape[0] != m)
        peri_error(L,
                   "the model's W is %s and its mu %s, expected rows of W and values of mu for %I "
                   "features",
                   peri_push_shape(L, W->ndim, W->shape), peri_push_shape(L, mu->ndim, mu->shape),
                   (LUAI_UACINT)m);
    if (W->shape[1] == 0)
        peri_error(L, "the model's W is %s, expected at least one latent dimension",
                   peri_push_shape(L, W->ndim, W->shape));
    for (size_t i = 0; i < W->size; i++)
        if (!isfinite(((const double *)W->data)[i]))
            peri_error(L, "element (%I, %I) of the model's W is not finite",
                       (LUAI_UACINT)(i / W->shape[1]) + 1, (LUAI_UACINT)(i % W->shape[1]) + 1);
    if (!(sigma2 > 0) || !isfinite(sigma2))
        peri_error(L, "the model's sigma2 is %f, expected a finite number above 0", sigma2);
    return (parameters){mu->data, W->data, sigma2, W->shape[1]};
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
    const double *shift = arg_doubles(L, 2, "shift", X.m);
    double *sum = arg_inout(L, 3, "sum", X.m);
    double *S = arg_inout(L, 4, "S", peri_mul_size(L, X.m, X.m));
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

/* block(X) -> mean (m), S (m,m; upper triangle): sum (x - mean)(x - mean)' */
static int block(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    double *work = scratch(L, peri_mul_size(L, PERI_PPCA_BLOCK + 1, X.m));
    double *out = push_doubles(L, 1, X.m, 0);
    double *S = peri_push_zeros(L, PERI_F64, 2, (size_t[]){X.m, X.m})->data;
    peri_facts facts = {0};
    peri_check(L, 1, peri_ppca_block(&X, out, S, work, &peri_getstate(L)->stop, &facts), &facts);
    return 2;
}

/* join(n, mean, S, n2, mean2, S2): takes the moments of n2 more rows into mean and S. */
static int join(lua_State *L)
{
    const size_t n = (size_t)peri_arg_integer(L, 1, "n", 1, LUA_MAXINTEGER);
    const size_t more = (size_t)peri_arg_integer(L, 4, "n", 1, LUA_MAXINTEGER);
    const size_t m = peri_arg_array(L, 2, "mean")->size, square = peri_mul_size(L, m, m);
    double *mean = arg_inout(L, 2, "mean", m), *S = arg_inout(L, 3, "S", square);
    const double *mean2 = arg_doubles(L, 5, "mean", m), *S2 = arg_doubles(L, 6, "S", square);
    peri_ppca_join(m, n, mean, S, more, mean2, S2);
    return 0;
}

/* fit_moments(n, shift, sum, S, d) -> mu, eigenvalues, W, sigma2. S is destroyed. */
static int fit_moments(lua_State *L)
{
    const size_t n = (size_t)peri_arg_integer(L, 1, "n", 1, LUA_MAXINTEGER);
    const size_t m = peri_arg_array(L, 2, "shift")->size;
    const double *shift = arg_doubles(L, 2, "shift", m), *sum = arg_doubles(L, 3, "sum", m);
    double *S = arg_inout(L, 4, "S", peri_mul_size(L, m, m));
    const size_t d = (size_t)peri_arg_integer(L, 5, "d", 1, (lua_Integer)m);
    double *U = scratch(L, peri_mul_size(L, d, m)), *work = scratch(L, peri_ppca_eig_work(m, d));
    int *iwork = peri_push_scratch(L, peri_mul_size(L, 12 * m, sizeof(int)));
    double *mu = push_doubles(L, 1, m, 0);
    peri_ppca_moments(n, m, shift, sum, S, mu);
    double *eigenvalues = push_doubles(L, 1, m, 0);
    peri_facts facts = {0};
    peri_check(L, 0, peri_ppca_eig(m, d, S, eigenvalues, U, work, iwork, &facts), &facts);
    push_loadings(L, m, d, eigenvalues, U);
    return 4;
}

/* fit_rows(X, mu, d, svd) -> eigenvalues, W, sigma2: by the singular values of the data, else by
 * the matrix of inner products. */
static int fit_rows(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    const double *mu = arg_doubles(L, 2, "mu", X.m);
    const size_t n = X.n, m = X.m, least = n < m ? n : m;
    const size_t d = (size_t)peri_arg_integer(L, 3, "d", 1, (lua_Integer)least);
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

/* project(X, mu, W, sigma2, letters) -> for z: E[z|x], p: log p(x), x: E[x|z]; nothing where
 * values are missing. */
static int project(lua_State *L)
{
    const peri_rows X = arg_rows(L, 1);
    const parameters p = arg_parameters(L, 2, X.m);
    const size_t d = p.d;
    double *factor = scratch(L, peri_mul_size(L, d, d));
    double *work = scratch(L, peri_mul_size(L, PERI_PPCA_PROJECT_BLOCK, 2 * X.m + d) +
                                  peri_mul_size(L, X.m, d));
    const struct wanted w = push_wanted(L, 5, &X, d);
    peri_facts facts = {0};
    peri_check(L, 3, peri_ppca_factor(X.m, d, p.W, p.sigma2, factor, &facts), &facts);
    const peri_status status = peri_ppca_project(&X, p.mu, p.W, factor, d, p.sigma2, w.Z, w.logprob,
                                                 w.fitted, work, &facts);
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
    const parameters p = arg_parameters(L, 2, X.m);
    double *work = scratch(L, peri_ppca_row_work(X.m, p.d));
    const struct wanted w = push_wanted(L, 5, &X, p.d);
    peri_facts facts = {0};
    peri_check(L, 1,
               peri_ppca_project_missing(&X, p.mu, p.W, p.d, p.sigma2, w.Z, w.logprob, w.fitted,
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
    double *mu = arg_inout(L, 2, "mu", X.m);
    const peri_array *loadings = peri_arg_array(L, 3, "W");
    const size_t d = loadings->ndim == 2 ? loadings->shape[1] : 0;
    double *W = arg_inout(L, 3, "W", peri_mul_size(L, X.m, d));
    double sigma2 = luaL_checknumber(L, 4), loglik = 0;
    double *work = scratch(L, peri_ppca_em_work(X.m, d));
    peri_facts facts = {0};
    peri_check(L, 0,
               peri_ppca_em(&X, d, mu, W, &sigma2, &loglik, work, &peri_getstate(L)->stop, &facts),
               &facts);
    lua_pushnumber(L, sigma2);
    lua_pushnumber(L, loglik);
    return 2;
}

PERI_OPENER(ppca)
{
    static const peri_primitive functions[] = {
        {"mean", mean, "fit", PERI_FUNCTION},
        {"scatter", scatter, "fit", PERI_FUNCTION},
        {"block", block, "add", PERI_FUNCTION},
        {"join", join, "merge", PERI_FUNCTION},
        {"fit_moments", fit_moments, "fit", PERI_FUNCTION},
        {"fit_rows", fit_rows, "fit", PERI_FUNCTION},
        {"project", project, "encode", PERI_FUNCTION},
        {"project_missing", project_missing, "encode", PERI_FUNCTION},
        {"observed", observed, "fit", PERI_FUNCTION},
        {"em", em, "fit", PERI_FUNCTION},
        {NULL, NULL, NULL, 0},
    };
    peri_primitives(L, functions);
    return 1;
}
