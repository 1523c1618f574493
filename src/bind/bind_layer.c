/* SPDX-License-Identifier: MIT
 *
 * pg._layer: what layers and losses of nets are made of beside pg's own functions: a dense layer,
 * activations, cross-entropy and binary cross-entropy, each with its gradient, and an embedding's
 * gradient. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/activation.h"
#include "kernel/dense.h"
#include "kernel/embedding.h"
#include "kernel/softmax.h"

/* ---- activations --------------------------------------------------------------------------- */

/* The name of an activation at arg; absent: none. */
static peri_act read_activation(lua_State *L, int arg)
{
    static const char *const names[] = {
        [PERI_ACT_NONE] = "none", [PERI_ACT_RELU] = "relu", [PERI_ACT_LEAKY_RELU] = "leaky_relu",
        [PERI_ACT_ELU] = "elu",   [PERI_ACT_GELU] = "gelu", [PERI_ACT_GELU_TANH] = "gelu_tanh",
        [PERI_ACT_SILU] = "silu", [PERI_ACT_TANH] = "tanh", [PERI_ACT_SIGMOID] = "sigmoid",
        [PERI_ACT_COUNT] = NULL};
    if (lua_isnoneornil(L, arg))
        return PERI_ACT_NONE;
    const char *name = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
    int act = 0;
    while (names[act] != NULL && strcmp(names[act], name) != 0)
        act++;
    if (names[act] == NULL) {
        const char *near = peri_nearest(name, names);
        peri_argerror(L, arg, "activation: there is no %s%s%s", peri_push_got(L, arg),
                      near != NULL ? "; did you mean " : "", near != NULL ? near : "");
    }
    return (peri_act)act;
}

static double read_slope(lua_State *L, int arg, peri_act act)
{
    if (lua_isnoneornil(L, arg))
        return act == PERI_ACT_LEAKY_RELU ? 0.01 : 1;
    return peri_arg_number(L, arg, "slope");
}

/* The array at arg, contiguous and real; with `like` of its dtype and size. */
static peri_array *read_array(lua_State *L, int arg, const char *name, const peri_array *like)
{
    const peri_array *a = peri_arg_array(L, arg, name);
    if (like != NULL && a->size != like->size)
        peri_argerror(L, arg, "%s: shape %s does not fit %s", name,
                      peri_push_shape(L, a->ndim, a->shape),
                      peri_push_shape(L, like->ndim, like->shape));
    return peri_arg_contiguous(L, arg, name, like != NULL ? like->dtype : peri_promote1(a->dtype),
                               -1);
}

/* activate(x, name [, slope]) -> y */
static int activate(lua_State *L)
{
    const peri_array *x = read_array(L, 1, "x", NULL);
    const peri_act act = read_activation(L, 2);
    const double slope = read_slope(L, 3, act);
    const peri_array *y = peri_push_array(L, x->dtype, x->ndim, x->shape);
    peri_activate(act, x->size, x->dtype, slope, x->data, y->data);
    return 1;
}

/* activate_gradient(x, g, name [, slope]) -> dx */
static int activate_gradient(lua_State *L)
{
    const peri_array *x = read_array(L, 1, "x", NULL), *g = read_array(L, 2, "g", x);
    const peri_act act = read_activation(L, 3);
    const double slope = read_slope(L, 4, act);
    const peri_array *dx = peri_push_array(L, x->dtype, x->ndim, x->shape);
    peri_activate_backward(act, x->size, x->dtype, slope, x->data, g->data, dx->data);
    return 1;
}

/* ---- dense --------------------------------------------------------------------------------- */

/* x ... x in and w out x in at 1 and 2, of one dtype; rows of x. */
static size_t read_dense(lua_State *L, const peri_array **x, const peri_array **w)
{
    const peri_array *a = peri_arg_array(L, 1, "x"), *b = peri_arg_array(L, 2, "w");
    if (b->ndim != 2)
        peri_argerror(L, 2, "w: expected 2 axes, out x in, got %s", peri_push_got(L, 2));
    if (a->ndim < 1 || a->shape[a->ndim - 1] != b->shape[1])
        peri_argerror(L, 1, "x: last axis is %d, expected %d",
                      a->ndim < 1 ? 1 : (int)a->shape[a->ndim - 1], (int)b->shape[1]);
    if (a->dtype != b->dtype && peri_is_real(a->dtype))
        peri_error(L, "x is %s and the weights are %s; x:astype(\"%s\")", peri_dtype_name(a->dtype),
                   peri_dtype_name(b->dtype), peri_dtype_name(b->dtype));
    *w = peri_arg_contiguous(L, 2, "w", peri_promote1(b->dtype), 2);
    *x = peri_arg_contiguous(L, 1, "x", (*w)->dtype, -1);
    size_t rows = 1;
    for (int axis = 0; axis < (*x)->ndim - 1; axis++)
        rows *= (*x)->shape[axis];
    if (rows > INT32_MAX || (*w)->shape[0] > INT32_MAX || (*w)->shape[1] > INT32_MAX)
        peri_error(L, "an extent is over %d", INT32_MAX);
    return rows;
}

/* linear(x, w [, b [, activation [, slope]]]) -> y; and, with an activation, what it was applied to
 */
static int linear(lua_State *L)
{
    const peri_array *x, *w;
    lua_settop(L, 5);
    const size_t rows = read_dense(L, &x, &w), out = w->shape[0];
    const void *b = NULL;
    if (!lua_isnil(L, 3)) {
        const peri_array *bias = peri_arg_contiguous(L, 3, "b", x->dtype, -1);
        if (bias->ndim != 1 || bias->size != out)
            peri_argerror(L, 3, "b: expected array %s, got %s", peri_push_shape(L, 1, &out),
                          peri_push_got(L, 3));
        b = bias->data;
    }
    const peri_act act = read_activation(L, 4);
    const double slope = read_slope(L, 5, act);
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, x->shape, (size_t)x->ndim * sizeof *shape);
    shape[x->ndim - 1] = out;
    const peri_array *y = peri_push_array(L, x->dtype, x->ndim, shape), *z = NULL;
    if (act != PERI_ACT_NONE)
        z = peri_push_array(L, x->dtype, x->ndim, shape);
    const peri_status status =
        peri_dense_forward(rows, w->shape[1], out, x->dtype, x->data, w->data, b, act, slope,
                           z == NULL ? NULL : z->data, y->data, &peri_getstate(L)->stop);
    peri_check(L, 0, status, NULL);
    return act == PERI_ACT_NONE ? 1 : 2;
}

/* linear_gradient(x, w, g) -> dx, dw, db, g that of z */
static int linear_gradient(lua_State *L)
{
    const peri_array *x, *w;
    const size_t rows = read_dense(L, &x, &w), out = w->shape[0];
    const peri_array *g = peri_arg_contiguous(L, 3, "g", x->dtype, -1);
    if (g->size != rows * out)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, g->ndim, g->shape));
    const peri_array *dx = peri_push_array(L, x->dtype, x->ndim, x->shape);
    const peri_array *dw = peri_push_array(L, x->dtype, 2, w->shape);
    const peri_array *db = peri_push_array(L, x->dtype, 1, &out);
    const peri_status status =
        peri_dense_backward(rows, w->shape[1], out, x->dtype, x->data, w->data, g->data, dx->data,
                            0, dw->data, db->data, &peri_getstate(L)->stop);
    peri_check(L, 0, status, NULL);
    return 3;
}

/* embedding_gradient(g, index, rows) -> dw: index counts from 1 */
static int embedding_gradient(lua_State *L)
{
    peri_facts facts;
    const peri_array *index = peri_arg_contiguous(L, 2, "index", PERI_F64, -1);
    const size_t rows = (size_t)peri_arg_integer(L, 3, "rows", 1, INT32_MAX), n = index->size;
    const peri_array *g = read_array(L, 1, "g", NULL);
    if (n == 0 || g->size % n != 0)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, g->ndim, g->shape));
    size_t *at = peri_push_scratch(L, peri_mul_size(L, n, sizeof *at));
    peri_check(L, 2, peri_read_classes(n, PERI_F64, index->data, rows, NAN, at, &facts), &facts);
    const size_t shape[] = {rows, g->size / n};
    const peri_array *dw = peri_push_array(L, g->dtype, 2, shape);
    peri_embedding_backward(n, rows, shape[1], g->dtype, g->data, at, 0, dw->data);
    return 1;
}

/* ---- losses -------------------------------------------------------------------------------- */

typedef struct {
    const peri_array *z;
    size_t rows, cols;
    peri_target target;
} cross;

/* z ... x V at 1, classes ... or probabilities ... x V at 2, options at 3. Pushes one value. */
static cross read_cross(lua_State *L)
{
    static const char *const names[] = {"smoothing", "ignore", NULL};
    const peri_array *z = read_array(L, 1, "z", NULL), *t = peri_arg_array(L, 2, "classes");
    if (z->ndim < 1 || z->shape[z->ndim - 1] == 0)
        peri_argerror(L, 1, "z: expected at least one class, got %s", peri_push_got(L, 1));
    cross c = {.z = z, .cols = z->shape[z->ndim - 1]};
    c.rows = z->size / c.cols;
    peri_options(L, 3, names);
    c.target.smoothing = peri_option_number(L, 3, "smoothing", 0);
    if (!(c.target.smoothing >= 0 && c.target.smoothing <= 1))
        peri_argerror(L, 3, "smoothing: expected a number in [0, 1], got %s",
                      peri_push_number(L, c.target.smoothing));
    const double ignore = peri_option_number(L, 3, "ignore", NAN);
    bool same = t->ndim >= z->ndim - 1;
    for (int axis = 0; axis < z->ndim - 1 && same; axis++)
        same = t->shape[axis] == z->shape[axis];
    if (same && t->ndim == z->ndim && t->shape[t->ndim - 1] == c.cols) {
        lua_pushvalue(L, 2);
        c.target.T = peri_arg_contiguous(L, lua_gettop(L), "classes", z->dtype, -1)->data;
        return c;
    }
    if (!same || t->ndim != z->ndim - 1)
        peri_argerror(L, 2,
                      "classes: shape %s does not fit z's %s: a class for each row, or a "
                      "probability for each element",
                      peri_push_shape(L, t->ndim, t->shape), peri_push_shape(L, z->ndim, z->shape));
    peri_facts facts;
    t = peri_arg_contiguous(L, 2, "classes", PERI_F64, -1);
    size_t *at = peri_push_scratch(L, peri_mul_size(L, c.rows, sizeof *at));
    if (peri_read_classes(c.rows, PERI_F64, t->data, c.cols, ignore, at, &facts) != PERI_OK)
        peri_argerror(L, 2, "classes: element %I is %s, no class of 1..%I%s",
                      (LUAI_UACINT)facts.index[0] + 1, peri_push_number(L, facts.got),
                      (LUAI_UACINT)c.cols, facts.got == 0 ? ": classes count from 1" : "");
    c.target.classes = at;
    return c;
}

/* cross_entropy(z, classes [, opts]) -> loss of each row */
static int cross_entropy(lua_State *L)
{
    const cross c = read_cross(L);
    const peri_array *y = peri_push_array(L, c.z->dtype, c.z->ndim - 1, c.z->shape);
    double *loss = peri_push_scratch(L, peri_mul_size(L, c.rows, sizeof *loss));
    peri_cross_entropy(c.rows, c.cols, c.z->dtype, c.z->data, &c.target, loss, NULL, 0, NULL);
    for (size_t i = 0; i < c.rows; i++)
        peri_write(y->dtype, (char *)y->data + i * peri_dtype_size(y->dtype), loss[i]);
    lua_pop(L, 1);
    return 1;
}

/* cross_gradient(z, classes, opts, g) -> dz, g that of each row's loss */
static int cross_gradient(lua_State *L)
{
    const cross c = read_cross(L);
    const peri_array *g = peri_arg_contiguous(L, 4, "g", c.z->dtype, -1);
    if (g->size != c.rows)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, g->ndim, g->shape));
    const peri_array *dz = peri_push_array(L, c.z->dtype, c.z->ndim, c.z->shape);
    peri_cross_entropy_backward(c.rows, c.cols, c.z->dtype, c.z->data, &c.target, NULL, g->data,
                                dz->data);
    return 1;
}

/* bce(z, y [, scale]) -> the sum of softplus(z) - z y; and with scale, scale (sigmoid(z) - y) */
static int bce(lua_State *L)
{
    const peri_array *z = read_array(L, 1, "z", NULL), *y = read_array(L, 2, "y", z);
    const bool both = !lua_isnoneornil(L, 3);
    const double scale = both ? peri_arg_number(L, 3, "scale") : 0;
    double *work = peri_push_scratch(L, peri_bce_work(z->size) * sizeof *work);
    lua_pushnil(L);
    void *dz = both ? peri_push_array(L, z->dtype, z->ndim, z->shape)->data : NULL;
    lua_pushnumber(L, peri_bce(z->size, z->dtype, z->data, y->data, NULL, scale, dz, work));
    lua_insert(L, -2);
    return 2;
}

PERI_OPENER(layer)
{
    static const peri_primitive rows[] = {
        {"activate", activate, NULL, PERI_FUNCTION},
        {"activate_gradient", activate_gradient, NULL, PERI_FUNCTION},
        {"linear", linear, "linear", PERI_FUNCTION},
        {"linear_gradient", linear_gradient, "linear", PERI_FUNCTION},
        {"embedding_gradient", embedding_gradient, "embedding", PERI_FUNCTION},
        {"cross_entropy", cross_entropy, "cross_entropy", PERI_FUNCTION},
        {"cross_gradient", cross_gradient, "cross_entropy", PERI_FUNCTION},
        {"bce", bce, "bce_with_logits", PERI_FUNCTION},
        {NULL, NULL, NULL, 0}};
    peri_primitives_of(L, "layer", rows);
    return 1;
}
