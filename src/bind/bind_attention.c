/* SPDX-License-Identifier: MIT
 *
 * pg.attention, and its gradient in pg._heads. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/attention.h"
#include "kernel/pool.h"

enum { Q = 1, K = 2, V = 3, OPTIONS = 4 };

typedef struct {
    peri_attention a;
    int dtype, ndim;
    const size_t *lead; /* ndim - 2 extents */
    peri_heads q, k, v, mask;
    bool masked;
} call;

/* Pushes the array at arg as the kernel reads it: in place where its rows are lines. */
static peri_heads push_rows(lua_State *L, int arg, int dtype)
{
    const peri_array *x = peri_test_array(L, arg);
    const int n = x->ndim;
    bool fits = x->dtype == dtype && n <= 4 && (x->shape[n - 1] <= 1 || x->stride[n - 1] == 1);
    for (int axis = 0; axis < n - 1 && fits; axis++)
        fits =
            x->stride[axis] >= 0 && (axis < n - 2 || x->stride[axis] >= (ptrdiff_t)x->shape[n - 1]);
    lua_pushvalue(L, arg);
    if (!fits)
        x = peri_arg_contiguous(L, lua_gettop(L), "x", dtype, -1);
    peri_heads h = {.data = x->data, .row = (size_t)x->stride[n - 2]};
    if (n == 4) {
        h.batch = (size_t)x->stride[0];
        h.head = (size_t)x->stride[1];
    } else if (n == 3) {
        h.batch = (size_t)x->stride[0];
    } else if (n > 4) {
        h.batch = x->shape[n - 2] * x->shape[n - 1];
    }
    return h;
}

/* Pushes 0 where the mask on top is not 0, and -inf where it is. */
static void push_mask(lua_State *L, call *c)
{
    static const char *const wanted =
        "mask: expected an array of 0 and 1 whose shape fits %s, got %s";
    const int at = lua_gettop(L);
    if (lua_type(L, at) != LUA_TTABLE && peri_test_array(L, at) == NULL)
        peri_argerror(L, OPTIONS, "mask: expected an array of 0 and 1, got %s",
                      peri_push_got(L, at));
    const peri_array *m = peri_arg_contiguous(L, at, "mask", PERI_F64, -1);
    size_t full[PERI_MAX_NDIM];
    memcpy(full, c->lead, (size_t)(c->ndim - 2) * sizeof *full);
    full[c->ndim - 2] = c->a.T;
    full[c->ndim - 1] = c->a.S;
    bool fits = m->ndim >= 2 && m->ndim <= c->ndim && (c->ndim <= 4 || m->ndim == 2) &&
                m->shape[m->ndim - 1] == c->a.S;
    for (int axis = 1; axis <= m->ndim && fits; axis++) {
        const size_t extent = m->shape[m->ndim - axis];
        fits = extent == 1 || extent == full[c->ndim - axis];
    }
    if (!fits)
        peri_argerror(L, OPTIONS, wanted, peri_push_shape(L, c->ndim, full), peri_push_got(L, at));
    char *to = peri_push_scratch(L, peri_mul_size(L, m->size, sizeof(double)));
    for (size_t i = 0; i < m->size; i++) {
        const double seen = ((const double *)m->data)[i];
        if (seen != 0 && seen != 1)
            peri_argerror(L, OPTIONS,
                          "mask: element %I is %f, expected 1 for a key that is seen or 0 for one "
                          "that is hidden; nothing is added to the scores",
                          (LUAI_UACINT)i + 1, (LUAI_UACNUMBER)seen);
        peri_write(c->dtype, to + i * peri_dtype_size(c->dtype), seen == 1 ? 0 : -INFINITY);
    }
    const int lead = m->ndim - 2;
    const size_t plane = m->shape[lead] * c->a.S;
    c->mask = (peri_heads){.data = to, .row = m->shape[lead] == 1 ? 0 : c->a.S};
    if (c->ndim == 3 && lead == 1)
        c->mask.batch = m->shape[0] == 1 ? 0 : plane;
    if (c->ndim == 4 && lead >= 1)
        c->mask.head = m->shape[lead - 1] == 1 ? 0 : plane;
    if (c->ndim == 4 && lead == 2)
        c->mask.batch = m->shape[0] == 1 ? 0 : plane * m->shape[1];
    c->masked = true;
}

static call read_call(lua_State *L)
{
    static const char *const names[] = {"causal", "mask", "scale", NULL};
    call c = {.masked = false};
    const peri_array *q = peri_arg_array(L, Q, "q"), *k = peri_arg_array(L, K, "k");
    const peri_array *v = peri_arg_array(L, V, "v");
    peri_options(L, OPTIONS, names);
    c.ndim = q->ndim;
    c.lead = q->shape;
    if (c.ndim < 2)
        peri_argerror(L, Q, "q: expected at least 2 axes, ... x T x d, got %s",
                      peri_push_got(L, Q));
    bool same = k->ndim == c.ndim && v->ndim == c.ndim;
    for (int axis = 0; axis < c.ndim - 2 && same; axis++)
        same = k->shape[axis] == q->shape[axis] && v->shape[axis] == q->shape[axis];
    c.a.T = q->shape[c.ndim - 2];
    c.a.D = q->shape[c.ndim - 1];
    if (!same || k->shape[c.ndim - 1] != c.a.D)
        peri_argerror(L, K, "k: shape %s does not fit q's %s",
                      peri_push_shape(L, k->ndim, k->shape), peri_push_shape(L, c.ndim, q->shape));
    c.a.S = k->shape[c.ndim - 2];
    c.a.E = v->shape[c.ndim - 1];
    if (v->shape[c.ndim - 2] != c.a.S)
        peri_argerror(L, V, "v: shape %s does not fit k's %s",
                      peri_push_shape(L, v->ndim, v->shape), peri_push_shape(L, c.ndim, k->shape));
    c.a.batch = c.a.heads = 1;
    for (int axis = 0; axis < c.ndim - 2; axis++)
        *(c.ndim == 4 && axis == 1 ? &c.a.heads : &c.a.batch) *= q->shape[axis];
    c.a.causal = peri_option_boolean(L, OPTIONS, "causal", false);
    c.a.scale = peri_option_number(L, OPTIONS, "scale", 1 / sqrt((double)(c.a.D > 0 ? c.a.D : 1)));
    if (!isfinite(c.a.scale))
        peri_argerror(L, OPTIONS, "scale: expected a finite number, got %f",
                      (LUAI_UACNUMBER)c.a.scale);
    c.dtype = peri_promote(peri_promote(q->dtype, k->dtype), v->dtype);
    if (peri_option_push(L, OPTIONS, "mask") != LUA_TNIL)
        push_mask(L, &c);
    c.q = push_rows(L, Q, c.dtype);
    c.k = push_rows(L, K, c.dtype);
    c.v = push_rows(L, V, c.dtype);
    return c;
}

/* Pushes an array like q, but for its last two axes. */
static peri_heads push_result(lua_State *L, const call *c, size_t rows, size_t cols)
{
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, c->lead, (size_t)(c->ndim - 2) * sizeof *shape);
    shape[c->ndim - 2] = rows;
    shape[c->ndim - 1] = cols;
    const peri_array *y = peri_push_array(L, c->dtype, c->ndim, shape);
    return (peri_heads){y->data, c->a.heads * rows * cols, rows * cols, cols};
}

/*** pg.attention(q, k, v [, opts]) -> array
 * Scaled dot-product attention: y = softmax(scale q k^T) v, the heads among the leading axes.
 * Nothing of T x S is kept.
 * @param q  array ... x T x d, at least 2 axes
 * @param k  array ... x S x d
 * @param v  array ... x S x e
 * @param opts.causal  boolean: query i meets keys up to i + S - T only, default false
 * @param opts.mask  array of 0 and 1 that fits ... x T x S: 0 hides a key from a query
 * @param opts.scale  number: default 1 / sqrt(d)
 * @return array ... x T x e; 0 for a query that meets no key
 * @error shapes that do not fit
 * @source Vaswani et al. 2017, arXiv:1706.03762; Dao et al. 2022, arXiv:2205.14135
 * @example pg.zeros(2, 1):attention(pg.zeros(2, 1), pg.array{{1}, {3}}):sum() --> 4.0
 */
static int attention(lua_State *L)
{
    const call c = read_call(L);
    const peri_heads y = push_result(L, &c, c.a.T, c.a.E);
    const size_t slots = (size_t)peri_threads(0), elem = peri_dtype_size(c.dtype);
    void *l = peri_push_scratch(L, peri_mul_size(L, c.a.batch * c.a.heads * c.a.T, elem));
    void *work = peri_push_scratch(L, peri_attention_work(&c.a, c.dtype, slots));
    const peri_status status =
        peri_attention_forward(&c.a, c.dtype, &c.q, &c.k, &c.v, c.masked ? &c.mask : NULL, &y, l,
                               work, slots, &peri_getstate(L)->stop);
    peri_check(L, 0, status, NULL);
    lua_pop(L, 2);
    return 1;
}

/* The array at arg, which has y's shape, as rows. */
static peri_heads read_rows(lua_State *L, int arg, const call *c)
{
    const peri_array *x = peri_arg_array(L, arg, arg == 5 ? "y" : "g");
    if (x->ndim != c->ndim || x->shape[c->ndim - 2] != c->a.T || x->shape[c->ndim - 1] != c->a.E)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, x->ndim, x->shape));
    return push_rows(L, arg, c->dtype);
}

/* gradient(q, k, v, opts, y, g) -> dq, dk, dv */
static int gradient(lua_State *L)
{
    lua_settop(L, 6);
    const call c = read_call(L);
    const peri_heads y = read_rows(L, 5, &c), g = read_rows(L, 6, &c);
    const size_t slots = (size_t)peri_threads(0);
    void *work = peri_push_scratch(L, peri_attention_backward_work(&c.a, c.dtype, slots));
    const peri_heads dq = push_result(L, &c, c.a.T, c.a.D), dk = push_result(L, &c, c.a.S, c.a.D);
    const peri_heads dv = push_result(L, &c, c.a.S, c.a.E);
    const peri_status status =
        peri_attention_backward(&c.a, c.dtype, &c.q, &c.k, &c.v, c.masked ? &c.mask : NULL, &y,
                                NULL, &g, &dq, &dk, &dv, work, slots, &peri_getstate(L)->stop);
    peri_check(L, 0, status, NULL);
    return 3;
}

PERI_OPENER(attention)
{
    static const luaL_Reg functions[] = {{"attention", attention}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}

PERI_OPENER(heads)
{
    static const peri_primitive rows[] = {{"gradient", gradient, "attention", PERI_FUNCTION},
                                          {NULL, NULL, NULL, 0}};
    peri_primitives(L, rows);
    return 1;
}
