/* SPDX-License-Identifier: MIT
 *
 * pg.layer_norm and group_norm; in pg._norm their gradients, and batch normalisation, which nets
 * keep statistics for. */
#include "bind/bind.h"
#include "kernel/norm.h"

static const char *const eps_option[] = {"eps", NULL};

/* The x of a norm at arg 1, contiguous and real. */
static peri_array *read_x(lua_State *L, int least)
{
    peri_array *x = peri_arg_array(L, 1, "x");
    if (x->ndim < least)
        peri_argerror(L, 1, "x: expected at least %d axes, got %s", least, peri_push_got(L, 1));
    return peri_arg_contiguous(L, 1, "x", peri_promote1(x->dtype), -1);
}

/* w or b at arg: count numbers, or nil. */
static void *read_row(lua_State *L, int arg, const char *name, int dtype, size_t count)
{
    if (lua_isnoneornil(L, arg))
        return NULL;
    const peri_array *a = peri_arg_contiguous(L, arg, name, dtype, -1);
    if (a->ndim != 1 || a->size != count)
        peri_argerror(L, arg, "%s: expected array %s, got %s", name, peri_push_shape(L, 1, &count),
                      peri_push_got(L, arg));
    return a->data;
}

static double read_eps(lua_State *L, int arg)
{
    peri_options(L, arg, eps_option);
    const double eps = peri_option_number(L, arg, "eps", 1e-5);
    if (!(eps >= 0))
        peri_argerror(L, arg, "eps: expected a number of at least 0, got %s",
                      peri_push_number(L, eps));
    return eps;
}

/* The gradient at arg, as x is. */
static const void *read_g(lua_State *L, int arg, const peri_array *x)
{
    const peri_array *g = peri_arg_contiguous(L, arg, "g", x->dtype, -1);
    if (g->size != x->size)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, g->ndim, g->shape));
    return g->data;
}

/* Pushes two rows of doubles: mean and rstd. */
static double *push_statistics(lua_State *L, size_t count)
{
    return peri_push_scratch(L, peri_mul_size(L, count, 2 * sizeof(double)));
}

/*** pg.layer_norm(x [, w [, b [, opts]]]) -> array
 * Each row along the last axis brought to mean 0 and variance 1, then times w plus b.
 * @param x  array ... x d
 * @param w  array of d: default 1
 * @param b  array of d: default 0
 * @param opts.eps  number: added to the variance, default 1e-5
 * @return array of x's shape
 * @error w or b that are no d numbers
 * @source Ba, Kiros & Hinton 2016, arXiv:1607.06450
 * @example pg.array{1, 3}:layer_norm(nil, nil, {eps = 0}) --> -1 1 [2 f64]
 */
static int layer_norm(lua_State *L)
{
    const peri_array *x = read_x(L, 1);
    const size_t cols = x->shape[x->ndim - 1], rows = cols == 0 ? 0 : x->size / cols;
    const double eps = read_eps(L, 4);
    const void *w = read_row(L, 2, "w", x->dtype, cols), *b = read_row(L, 3, "b", x->dtype, cols);
    const peri_array *y = peri_push_array(L, x->dtype, x->ndim, x->shape);
    double *mean = push_statistics(L, rows);
    peri_layer_norm(rows, cols, x->dtype, x->data, w, b, eps, y->data, mean, mean + rows);
    lua_pop(L, 1);
    return 1;
}

/* layer(x, w, g, eps) -> dx, dw, db */
static int layer_gradient(lua_State *L)
{
    const peri_array *x = read_x(L, 1);
    const size_t cols = x->shape[x->ndim - 1], rows = cols == 0 ? 0 : x->size / cols;
    const void *w = read_row(L, 2, "w", x->dtype, cols), *g = read_g(L, 3, x);
    const double eps = peri_arg_number(L, 4, "eps");
    const peri_array *dx = peri_push_array(L, x->dtype, x->ndim, x->shape);
    const peri_array *dw = peri_push_array(L, x->dtype, 1, &cols);
    const peri_array *db = peri_push_array(L, x->dtype, 1, &cols);
    double *mean = push_statistics(L, rows);
    void *work = peri_push_scratch(L, peri_layer_norm_work(rows, cols, x->dtype));
    peri_layer_norm(rows, cols, x->dtype, x->data, NULL, NULL, eps, dx->data, mean, mean + rows);
    peri_layer_norm_backward(rows, cols, x->dtype, x->data, w, mean, mean + rows, g, dx->data, 0,
                             dw->data, db->data, work);
    lua_pop(L, 2);
    return 3;
}

/* The groups at arg 2, a divisor of x's channels; *pixels: the product of the axes behind. */
static size_t read_groups(lua_State *L, const peri_array *x, size_t *pixels)
{
    const lua_Integer groups = peri_arg_integer(L, 2, "groups", 1, INT32_MAX);
    *pixels = 1;
    for (int axis = 2; axis < x->ndim; axis++)
        *pixels *= x->shape[axis];
    if (x->shape[1] % (size_t)groups != 0)
        peri_argerror(L, 2, "groups: %I does not divide x's %d channels", (LUAI_UACINT)groups,
                      (int)x->shape[1]);
    return (size_t)groups;
}

/*** pg.group_norm(x, groups [, w [, b [, opts]]]) -> array
 * The channels of each image in groups, each group brought to mean 0 and variance 1, then each
 * channel times its w plus its b.
 * @param x  array n x c x ...
 * @param groups  integer that divides c: 1 takes all channels together, c each alone
 * @param w  array of c: default 1
 * @param b  array of c: default 0
 * @param opts.eps  number: added to the variance, default 1e-5
 * @return array of x's shape
 * @error groups that do not divide the channels; w or b that are no c numbers
 * @source Wu & He 2018, arXiv:1803.08494
 * @example pg.array{{1, 3}}:group_norm(1, nil, nil, {eps = 0}):totable()[1][2] --> 1.0
 */
static int group_norm(lua_State *L)
{
    size_t pixels;
    const peri_array *x = read_x(L, 2);
    const size_t groups = read_groups(L, x, &pixels), n = x->shape[0], c = x->shape[1];
    const double eps = read_eps(L, 5);
    const void *w = read_row(L, 3, "w", x->dtype, c), *b = read_row(L, 4, "b", x->dtype, c);
    const peri_array *y = peri_push_array(L, x->dtype, x->ndim, x->shape);
    double *mean = push_statistics(L, n * groups);
    peri_group_norm(n, c, pixels, groups, x->dtype, x->data, w, b, eps, y->data, mean,
                    mean + n * groups);
    lua_pop(L, 1);
    return 1;
}

/* group(x, groups, w, g, eps) -> dx, dw, db */
static int group_gradient(lua_State *L)
{
    size_t pixels;
    const peri_array *x = read_x(L, 2);
    const size_t groups = read_groups(L, x, &pixels), n = x->shape[0], c = x->shape[1];
    const void *w = read_row(L, 3, "w", x->dtype, c), *g = read_g(L, 4, x);
    const double eps = peri_arg_number(L, 5, "eps");
    const peri_array *dx = peri_push_array(L, x->dtype, x->ndim, x->shape);
    const peri_array *dw = peri_push_array(L, x->dtype, 1, &c);
    const peri_array *db = peri_push_array(L, x->dtype, 1, &c);
    double *mean = push_statistics(L, n * groups), *rstd = mean + n * groups;
    double *work = peri_push_scratch(L, peri_mul_size(L, n * c, 2 * sizeof(double)));
    peri_group_norm(n, c, pixels, groups, x->dtype, x->data, NULL, NULL, eps, dx->data, mean, rstd);
    peri_group_norm_backward(n, c, pixels, groups, x->dtype, x->data, w, mean, rstd, g, dx->data, 0,
                             dw->data, db->data, work);
    lua_pop(L, 2);
    return 3;
}

/* The running statistics at arg: an array of c of x's dtype, written in place. */
static void *read_running(lua_State *L, int arg, const char *name, const peri_array *x)
{
    if (lua_isnoneornil(L, arg))
        return NULL;
    const peri_array *a = peri_arg_array(L, arg, name);
    if (a->ndim != 1 || a->size != x->shape[1] || a->dtype != x->dtype || !peri_is_contiguous(a))
        peri_argerror(L, arg, "%s: expected array %s %s, got %s", name,
                      peri_push_shape(L, 1, &x->shape[1]), peri_dtype_name(x->dtype),
                      peri_push_got(L, arg));
    return a->data;
}

typedef struct {
    const peri_array *x;
    size_t n, c, pixels;
    const void *w, *b;
    void *mean, *var;
    double eps, momentum;
    bool train;
} batch;

/* (x, w, b | g, running_mean, running_var, {train=, eps=, momentum=}) */
static batch read_batch(lua_State *L)
{
    static const char *const names[] = {"train", "eps", "momentum", NULL};
    const peri_array *x = read_x(L, 2);
    batch t = {.x = x, .n = x->shape[0], .c = x->shape[1], .pixels = 1};
    for (int axis = 2; axis < x->ndim; axis++)
        t.pixels *= x->shape[axis];
    t.w = read_row(L, 2, "w", x->dtype, t.c);
    t.mean = read_running(L, 4, "running_mean", x);
    t.var = read_running(L, 5, "running_var", x);
    peri_options(L, 6, names);
    t.train = peri_option_boolean(L, 6, "train", false);
    t.eps = peri_option_number(L, 6, "eps", 1e-5);
    t.momentum = peri_option_number(L, 6, "momentum", 0.1);
    if (t.train && t.n * t.pixels == 1)
        peri_argerror(L, 1, "x: one value a channel has no variance to train with; got %s",
                      peri_push_got(L, 1));
    if (!t.train && (t.mean == NULL || t.var == NULL))
        peri_error(L, "without train = true the running statistics are needed");
    return t;
}

/* batch(x, w, b, running_mean, running_var, opts) -> y. With train the running statistics, unless
 * nil, are brought up to date. */
static int batch_norm(lua_State *L)
{
    const batch t = read_batch(L);
    const void *b = read_row(L, 3, "b", t.x->dtype, t.c);
    const peri_array *y = peri_push_array(L, t.x->dtype, t.x->ndim, t.x->shape);
    double *mean = push_statistics(L, t.c), *rstd = mean + t.c;
    if (t.train)
        peri_batch_norm(t.n, t.c, t.pixels, t.x->dtype, t.x->data, t.w, b, t.eps, t.momentum,
                        t.mean, t.var, y->data, mean, rstd);
    else
        peri_batch_norm_eval(t.n, t.c, t.pixels, t.x->dtype, t.x->data, t.w, b, t.eps, t.mean,
                             t.var, y->data, mean, rstd);
    lua_pop(L, 1);
    return 1;
}

/* batch_gradient(x, w, g, running_mean, running_var, opts) -> dx, dw, db; with train the running
 * statistics are not looked at. */
static int batch_gradient(lua_State *L)
{
    const batch t = read_batch(L);
    const void *g = read_g(L, 3, t.x);
    const peri_array *dx = peri_push_array(L, t.x->dtype, t.x->ndim, t.x->shape);
    const peri_array *dw = peri_push_array(L, t.x->dtype, 1, &t.c);
    const peri_array *db = peri_push_array(L, t.x->dtype, 1, &t.c);
    double *mean = push_statistics(L, t.c), *rstd = mean + t.c;
    if (t.train)
        peri_batch_norm(t.n, t.c, t.pixels, t.x->dtype, t.x->data, NULL, NULL, t.eps, 0, NULL, NULL,
                        dx->data, mean, rstd);
    else
        peri_batch_norm_eval(t.n, t.c, t.pixels, t.x->dtype, t.x->data, NULL, NULL, t.eps, t.mean,
                             t.var, NULL, mean, rstd);
    peri_batch_norm_backward(t.n, t.c, t.pixels, t.x->dtype, t.x->data, t.w, mean, rstd, !t.train,
                             g, dx->data, 0, dw->data, db->data);
    lua_pop(L, 1);
    return 3;
}

PERI_OPENER(norms)
{
    static const luaL_Reg functions[] = {
        {"layer_norm", layer_norm}, {"group_norm", group_norm}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}

PERI_OPENER(norm)
{
    static const peri_primitive rows[] = {
        {"layer_gradient", layer_gradient, "layer_norm", PERI_FUNCTION},
        {"group_gradient", group_gradient, "group_norm", PERI_FUNCTION},
        {"batch", batch_norm, "batch_norm", PERI_FUNCTION},
        {"batch_gradient", batch_gradient, "batch_norm", PERI_FUNCTION},
        {NULL, NULL, NULL, 0}};
    peri_primitives_of(L, "norm", rows);
    return 1;
}
