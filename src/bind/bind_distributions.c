/* SPDX-License-Identifier: MIT
 *
 * Methods of pg.random.new's generators: the usual distributions, with NumPy's streams. A parameter
 * may be an array; then the result has its shape and each number its own parameters. */
#include <math.h>
#include <string.h>

#include "bind/bind_random.h"
#include "kernel/distributions.h"

/* Numbers drawn between two looks at the interrupt flag. */
enum { POLL = 1 << 14 };

/* The largest count that draws stay exact with. */
#define MOST 0x1p52

typedef enum { ANY, NOT_NEGATIVE, POSITIVE, PROBABILITY, CHANCE, COUNT, RATE } range;

typedef struct {
    const char *name;
    range range;
} parameter;

typedef struct {
    bool whole; /* one number is a Lua integer */
    double (*draw1)(peri_rng *, double);
    double (*draw2)(peri_rng *, double, double);
    parameter of[2];
} distribution;

static bool is_in(range r, double x)
{
    switch (r) {
    case ANY:
        return isfinite(x) != 0;
    case NOT_NEGATIVE:
        return x >= 0 && isfinite(x);
    case POSITIVE:
        return x > 0 && isfinite(x);
    case PROBABILITY:
        return x >= 0 && x <= 1;
    case CHANCE:
        return x > 0 && x <= 1;
    case COUNT:
        return x >= 0 && x <= MOST && floor(x) == x;
    case RATE:
        return x >= 0 && x <= MOST;
    }
    return false;
}

static const char *const wanted[] = {[ANY] = "a finite number",
                                     [NOT_NEGATIVE] = "a number of at least 0",
                                     [POSITIVE] = "a number above 0",
                                     [PROBABILITY] = "a probability in [0, 1]",
                                     [CHANCE] = "a probability in (0, 1]",
                                     [COUNT] = "an integer in 0..2^52",
                                     [RATE] = "a number in 0..2^52"};

/* A parameter: one number, or an array with a number for each draw. */
typedef struct {
    const peri_array *array;
    double number;
} given;

static given read(lua_State *L, int arg, const parameter *p)
{
    given g = {NULL, 0};
    if (peri_test_array(L, arg) != NULL || lua_type(L, arg) == LUA_TTABLE) {
        g.array = peri_arg_contiguous(L, arg, p->name, PERI_F64, -1);
        return g;
    }
    g.number = peri_arg_number(L, arg, p->name);
    if (!is_in(p->range, g.number))
        peri_argerror(L, arg, "%s: expected %s, got %s", p->name, wanted[p->range],
                      peri_push_number(L, g.number));
    return g;
}

static void check(lua_State *L, int arg, const parameter *p, const given *g)
{
    const double *x = g->array != NULL ? g->array->data : NULL;
    for (size_t i = 0; x != NULL && i < g->array->size; i++)
        if (!is_in(p->range, x[i]))
            peri_argerror(L, arg, "%s: element %I is %s, expected %s", p->name, (LUAI_UACINT)i + 1,
                          peri_push_number(L, x[i]), wanted[p->range]);
}

static double at(const given *g, size_t i)
{
    return g->array != NULL ? ((const double *)g->array->data)[i] : g->number;
}

/* The shape and dtype written from argument `first` on; -1 where there is none: one number. */
static int read_shape(lua_State *L, int first, size_t shape[PERI_MAX_NDIM], int *dtype)
{
    int next;
    const int ndim = peri_arg_shape(L, first, shape, &next);
    const bool typed = next > first && lua_type(L, next) == LUA_TSTRING;
    if (!typed && !lua_isnoneornil(L, next))
        peri_argerror(L, next, "shape: expected integers or a table of them, got %s",
                      peri_push_got(L, next));
    *dtype = typed ? peri_arg_dtype(L, next, PERI_F64) : (int)PERI_F64;
    return next == first ? -1 : ndim;
}

static void heed(lua_State *L, size_t i)
{
    if (i % POLL == POLL - 1 && peri_stop_requested(&peri_getstate(L)->stop))
        peri_check(L, 0, PERI_ERR_INTERRUPTED, NULL);
}

static int finish(lua_State *L, const peri_array *out, int dtype)
{
    if (!peri_is_f64(dtype))
        peri_push_copy(L, out, dtype); /* the stream of f64, rounded */
    return 1;
}

static int draw_from(lua_State *L, const distribution *d)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    const int count = d->draw1 != NULL ? 1 : 2;
    given g[2] = {{NULL, 0}, {NULL, 0}};
    const peri_array *like = NULL;
    for (int k = 0; k < count; k++) {
        g[k] = read(L, 2 + k, &d->of[k]);
        const peri_array *a = g[k].array;
        if (a != NULL && like != NULL &&
            (a->ndim != like->ndim ||
             memcmp(a->shape, like->shape, (size_t)a->ndim * sizeof *a->shape) != 0))
            peri_argerror(L, 2 + k, "%s: expected shape %s as %s has, got %s", d->of[k].name,
                          peri_push_shape(L, like->ndim, like->shape), d->of[0].name,
                          peri_push_shape(L, a->ndim, a->shape));
        if (a != NULL && like == NULL)
            like = a;
    }
    size_t shape[PERI_MAX_NDIM];
    int dtype = PERI_F64, ndim;
    const int first = 2 + count;
    if (like != NULL) {
        if (lua_type(L, first) == LUA_TSTRING)
            dtype = peri_arg_dtype(L, first, PERI_F64);
        else if (!lua_isnoneornil(L, first))
            peri_argerror(L, first, "shape: an array of parameters brings its own");
        ndim = like->ndim;
        memcpy(shape, like->shape, (size_t)ndim * sizeof *shape);
    } else if ((ndim = read_shape(L, first, shape, &dtype)) < 0) {
        const double x =
            d->draw1 != NULL ? d->draw1(rng, g[0].number) : d->draw2(rng, g[0].number, g[1].number);
        lua_Integer whole;
        if (d->whole && lua_numbertointeger(x, &whole))
            lua_pushinteger(L, whole);
        else
            lua_pushnumber(L, x);
        return 1;
    }
    const peri_array *out = peri_push_array(L, PERI_F64, ndim, shape);
    for (int k = 0; k < count; k++) /* now that no more Lua runs */
        check(L, 2 + k, &d->of[k], &g[k]);
    double *to = out->data;
    for (size_t i = 0; i < out->size; i++) {
        to[i] = d->draw1 != NULL ? d->draw1(rng, at(&g[0], i))
                                 : d->draw2(rng, at(&g[0], i), at(&g[1], i));
        heed(L, i);
    }
    return finish(L, out, dtype);
}

/*** rng:exponential(scale [, ...]) -> number | array
 * Exponential numbers.
 * @param scale  number of at least 0: the mean, 1 / rate, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 * @source Marsaglia & Tsang 2000 (the ziggurat)
 * @example pg.random.new(0):exponential(2, 3).shape --> (3,)
 */
static int exponential(lua_State *L)
{
    static const distribution d = {false, peri_draw_exponential, NULL, {{"scale", NOT_NEGATIVE}}};
    return draw_from(L, &d);
}

/*** rng:gamma(shape, scale [, ...]) -> number | array
 * Gamma numbers, of mean shape * scale.
 * @param shape  number of at least 0, or an array of them
 * @param scale  number of at least 0: 1 / rate, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 * @source Marsaglia & Tsang 2000
 */
static int gamma_(lua_State *L)
{
    static const distribution d = {
        false, NULL, peri_draw_gamma, {{"shape", NOT_NEGATIVE}, {"scale", NOT_NEGATIVE}}};
    return draw_from(L, &d);
}

/*** rng:beta(a, b [, ...]) -> number | array
 * Beta numbers, in [0, 1], of mean a / (a + b).
 * @param a  number above 0, or an array of them
 * @param b  number above 0, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 * @source Johnk 1964
 */
static int beta(lua_State *L)
{
    static const distribution d = {false, NULL, peri_draw_beta, {{"a", POSITIVE}, {"b", POSITIVE}}};
    return draw_from(L, &d);
}

/*** rng:chisquare(df [, ...]) -> number | array
 * Chi-square numbers.
 * @param df  number above 0: the degrees of freedom, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int chisquare(lua_State *L)
{
    static const distribution d = {false, peri_draw_chisquare, NULL, {{"df", POSITIVE}}};
    return draw_from(L, &d);
}

/*** rng:f(df1, df2 [, ...]) -> number | array
 * Numbers of the F distribution.
 * @param df1  number above 0: the degrees of freedom above, or an array of them
 * @param df2  number above 0: those below, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int f_ratio(lua_State *L)
{
    static const distribution d = {
        false, NULL, peri_draw_f, {{"df1", POSITIVE}, {"df2", POSITIVE}}};
    return draw_from(L, &d);
}

/*** rng:student_t(df [, ...]) -> number | array
 * Numbers of Student's t distribution.
 * @param df  number above 0: the degrees of freedom, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int student_t(lua_State *L)
{
    static const distribution d = {false, peri_draw_student_t, NULL, {{"df", POSITIVE}}};
    return draw_from(L, &d);
}

/*** rng:cauchy(loc, scale [, ...]) -> number | array
 * Cauchy numbers.
 * @param loc  number: the centre, or an array of them
 * @param scale  number of at least 0, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int cauchy(lua_State *L)
{
    static const distribution d = {
        false, NULL, peri_draw_cauchy, {{"loc", ANY}, {"scale", NOT_NEGATIVE}}};
    return draw_from(L, &d);
}

/*** rng:laplace(loc, scale [, ...]) -> number | array
 * Laplace (double exponential) numbers, of standard deviation sqrt(2) scale.
 * @param loc  number: the centre, or an array of them
 * @param scale  number of at least 0, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int laplace(lua_State *L)
{
    static const distribution d = {
        false, NULL, peri_draw_laplace, {{"loc", ANY}, {"scale", NOT_NEGATIVE}}};
    return draw_from(L, &d);
}

/*** rng:logistic(loc, scale [, ...]) -> number | array
 * Logistic numbers.
 * @param loc  number: the centre, or an array of them
 * @param scale  number of at least 0, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int logistic(lua_State *L)
{
    static const distribution d = {
        false, NULL, peri_draw_logistic, {{"loc", ANY}, {"scale", NOT_NEGATIVE}}};
    return draw_from(L, &d);
}

/*** rng:lognormal(mean, sd [, ...]) -> number | array
 * Numbers whose logarithms are normal.
 * @param mean  number: of the logarithms, or an array of them
 * @param sd  number of at least 0: of the logarithms, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int lognormal(lua_State *L)
{
    static const distribution d = {
        false, NULL, peri_draw_lognormal, {{"mean", ANY}, {"sd", NOT_NEGATIVE}}};
    return draw_from(L, &d);
}

/*** rng:weibull(shape, scale [, ...]) -> number | array
 * Weibull numbers.
 * @param shape  number of at least 0, or an array of them
 * @param scale  number of at least 0, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int weibull(lua_State *L)
{
    static const distribution d = {
        false, NULL, peri_draw_weibull, {{"shape", NOT_NEGATIVE}, {"scale", NOT_NEGATIVE}}};
    return draw_from(L, &d);
}

/*** rng:poisson(rate [, ...]) -> integer | array
 * Poisson counts.
 * @param rate  number in 0..2^52: the mean, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 * @source Hoermann 1993
 * @example pg.random.new(0):poisson(4, 2, 3).shape --> (2, 3)
 */
static int poisson(lua_State *L)
{
    static const distribution d = {true, peri_draw_poisson, NULL, {{"rate", RATE}}};
    return draw_from(L, &d);
}

/*** rng:binomial(n, p [, ...]) -> integer | array
 * How many of n trials succeed.
 * @param n  integer in 0..2^52: trials, or an array of them
 * @param p  number in [0, 1], or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 * @source Kachitvichyanukul & Schmeiser 1988
 */
static int binomial(lua_State *L)
{
    static const distribution d = {
        true, NULL, peri_draw_binomial, {{"n", COUNT}, {"p", PROBABILITY}}};
    return draw_from(L, &d);
}

/*** rng:negative_binomial(n, p [, ...]) -> integer | array
 * Failures before the n-th success.
 * @param n  number above 0: successes, or an array of them
 * @param p  number in (0, 1]: of a success, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int negative_binomial(lua_State *L)
{
    static const distribution d = {
        true, NULL, peri_draw_negative_binomial, {{"n", POSITIVE}, {"p", CHANCE}}};
    return draw_from(L, &d);
}

/*** rng:geometric(p [, ...]) -> integer | array
 * Trials up to the first success, from 1 on.
 * @param p  number in (0, 1]: of a success, or an array of them
 * @param ...  a shape: integers or one table of them; without one, a number; a dtype may stand last
 */
static int geometric(lua_State *L)
{
    static const distribution d = {true, peri_draw_geometric, NULL, {{"p", CHANCE}}};
    return draw_from(L, &d);
}

/* A vector of numbers at arg, one for each outcome. */
static const peri_array *read_vector(lua_State *L, int arg, const char *name)
{
    const peri_array *p = peri_arg_contiguous(L, arg, name, PERI_F64, 1);
    if (p->size == 0)
        peri_argerror(L, arg, "%s: expected at least one number, got none", name);
    return p;
}

/* A new array of the shape from argument `first` on and then k; *rows: how many vectors. */
static const peri_array *push_vectors(lua_State *L, int first, size_t k, size_t *rows, int *dtype)
{
    size_t shape[PERI_MAX_NDIM];
    int ndim = read_shape(L, first, shape, dtype);
    if (ndim < 0)
        ndim = 0;
    if (ndim == PERI_MAX_NDIM)
        peri_argerror(L, first, "shape: more than %d axes", PERI_MAX_NDIM - 1);
    *rows = 1;
    for (int axis = 0; axis < ndim; axis++)
        *rows *= shape[axis];
    shape[ndim] = k;
    return peri_push_array(L, PERI_F64, ndim + 1, shape);
}

static void check_weights(lua_State *L, const double *p, size_t k)
{
    peri_facts facts = {0};
    size_t positive;
    peri_check(L, 3, peri_random_check_weights(p, k, &positive, &facts), &facts);
}

/*** rng:multinomial(n, p [, ...]) -> array
 * How often each outcome comes in n trials.
 * @param n  integer in 0..2^52: trials
 * @param p  array, k: probabilities that sum to 1
 * @param ...  a shape that the vectors stand in: integers or one table of them; a dtype may stand
 * last
 * @return array, k, or the shape x k
 * @example pg.random.new(0):multinomial(10, {0.2, 0.3, 0.5}):sum() --> 10.0
 */
static int multinomial(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    const parameter trials = {"n", COUNT};
    const double n = peri_arg_number(L, 2, "n");
    if (!is_in(trials.range, n))
        peri_argerror(L, 2, "n: expected %s, got %s", wanted[COUNT], peri_push_number(L, n));
    const peri_array *p = read_vector(L, 3, "p");
    size_t rows;
    int dtype;
    const peri_array *out = push_vectors(L, 4, p->size, &rows, &dtype);
    check_weights(L, p->data, p->size);
    for (size_t i = 0; i < rows; i++) {
        peri_draw_multinomial(rng, n, p->size, p->data, (double *)out->data + i * p->size);
        heed(L, i);
    }
    return finish(L, out, dtype);
}

/*** rng:dirichlet(alpha [, ...]) -> array
 * Vectors of shares that sum to 1, of mean alpha / sum(alpha).
 * @param alpha  array, k: numbers above 0
 * @param ...  a shape that the vectors stand in: integers or one table of them; a dtype may stand
 * last
 * @return array, k, or the shape x k
 * @example pg.random.new(0):dirichlet({1, 2, 3}, 4).shape --> (4, 3)
 */
static int dirichlet(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    const peri_array *alpha = read_vector(L, 2, "alpha");
    size_t rows;
    int dtype;
    const peri_array *out = push_vectors(L, 3, alpha->size, &rows, &dtype);
    const parameter p = {"alpha", POSITIVE};
    const given g = {alpha, 0};
    check(L, 2, &p, &g);
    for (size_t i = 0; i < rows; i++) {
        peri_draw_dirichlet(rng, alpha->size, alpha->data, (double *)out->data + i * alpha->size);
        heed(L, i);
    }
    return finish(L, out, dtype);
}

/* The first place, from 1, whose running sum of p exceeds u times the whole. */
static double locate(const double *p, size_t k, double u)
{
    double whole = 0, sum = 0;
    for (size_t j = 0; j < k; j++)
        whole += p[j];
    for (size_t j = 0; j < k; j++) {
        sum += p[j];
        if (u < sum / whole)
            return (double)j + 1;
    }
    return (double)k;
}

/*** rng:categorical(p [, ...]) -> integer | array
 * Classes 1..k with probabilities p, one uniform number each: as rng:choice(k, n, {replace = true,
 * p = p}).
 * @param p  array, k: probabilities that sum to 1; or n x k: a row for each of n draws
 * @param ...  a shape, where p is a vector: integers or one table of them; without one, an integer;
 * a dtype may stand last
 * @example pg.random.new(0):categorical({{0, 1, 0}, {0, 0, 1}}):totable()[1] --> 2.0
 */
static int categorical(lua_State *L)
{
    peri_rng *rng = peri_arg_rng(L, 1);
    const peri_array *p = peri_arg_contiguous(L, 2, "p", PERI_F64, -1);
    if (p->ndim != 1 && p->ndim != 2)
        peri_argerror(L, 2, "p: expected 1 or 2 axes, got shape %s",
                      peri_push_shape(L, p->ndim, p->shape));
    const size_t k = p->shape[p->ndim - 1];
    if (k == 0)
        peri_argerror(L, 2, "p: expected at least one number, got none");
    size_t shape[PERI_MAX_NDIM];
    int dtype = PERI_F64, ndim;
    if (p->ndim == 2) {
        if (lua_type(L, 3) == LUA_TSTRING)
            dtype = peri_arg_dtype(L, 3, PERI_F64);
        else if (!lua_isnoneornil(L, 3))
            peri_argerror(L, 3, "shape: rows of probabilities bring their own");
        ndim = 1;
        shape[0] = p->shape[0];
    } else {
        ndim = read_shape(L, 3, shape, &dtype);
    }
    const peri_array *out = ndim < 0 ? NULL : peri_push_array(L, PERI_F64, ndim, shape);
    const double *row = p->data;
    for (size_t i = 0; i < p->size; i += k) {
        peri_facts facts = {0};
        size_t positive;
        const peri_status status = peri_random_check_weights(row + i, k, &positive, &facts);
        if (status != PERI_OK && p->ndim == 2)
            facts.arg = lua_pushfstring(L, "row %I of p", (LUAI_UACINT)(i / k) + 1);
        peri_check(L, 2, status, &facts);
    }
    if (out == NULL) {
        lua_pushinteger(L, (lua_Integer)locate(row, k, peri_random_uniform(rng)));
        return 1;
    }
    double *to = out->data;
    peri_random_uniforms(rng, out->size, to);
    for (size_t i = 0; i < out->size; i++)
        to[i] = locate(p->ndim == 2 ? row + i * k : row, k, to[i]);
    return finish(L, out, dtype);
}

const luaL_Reg peri_distributions[] = {
    {"exponential", exponential},
    {"gamma", gamma_},
    {"beta", beta},
    {"chisquare", chisquare},
    {"f", f_ratio},
    {"student_t", student_t},
    {"cauchy", cauchy},
    {"laplace", laplace},
    {"logistic", logistic},
    {"lognormal", lognormal},
    {"weibull", weibull},
    {"poisson", poisson},
    {"binomial", binomial},
    {"negative_binomial", negative_binomial},
    {"geometric", geometric},
    {"multinomial", multinomial},
    {"dirichlet", dirichlet},
    {"categorical", categorical},
    {NULL, NULL},
};
