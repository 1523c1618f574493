/* SPDX-License-Identifier: MIT
 *
 * pg.conv2d, conv1d and conv_transpose2d, and behind them the adjoints that their gradients are
 * made of, in pg._conv: each is linear in either argument, so these three are the derivatives of
 * each other. */
#include <string.h>

#include "bind/bind.h"
#include "bind/geometry.h"
#include "kernel/conv.h"
#include "kernel/pool.h"

/* Where things are on the stack: the arguments as they were given, then what the kernel reads. */
enum { X = 1, W = 2, OPTIONS = 3, BIAS = 4, READ_X = 5, READ_W = 6, READ_BIAS = 7 };

static const char *const conv_options[] = {"bias", "stride", "padding", "dilation", "groups", NULL};
static const char *const transposed_options[] = {"bias",           "stride", "padding", "dilation",
                                                 "output_padding", "groups", NULL};

static void read_options(lua_State *L, int axes, const char *const names[], peri_conv *s)
{
    lua_settop(L, OPTIONS);
    peri_options(L, OPTIONS, names);
    peri_option_extents(L, OPTIONS, "stride", axes, 1, 1, s->stride);
    peri_option_extents(L, OPTIONS, "padding", axes, 0, 0, s->padding);
    peri_option_extents(L, OPTIONS, "dilation", axes, 1, 1, s->dilation);
    s->groups = (size_t)peri_option_integer(L, OPTIONS, "groups", 1, 1, (lua_Integer)INT32_MAX);
    peri_option_push(L, OPTIONS, "bias");
}

/* Pushes contiguous copies, where they are needed, of x, w and bias as one dtype, and returns it.
 */
static int push_operands(lua_State *L, size_t channels)
{
    const peri_array *x = peri_test_array(L, X), *w = peri_test_array(L, W);
    int dtype = peri_promote(x->dtype, w->dtype);
    if (!lua_isnil(L, BIAS)) {
        const peri_array *b = peri_test_array(L, BIAS);
        if (b == NULL || b->ndim != 1 || b->shape[0] != channels)
            peri_argerror(L, OPTIONS, "bias: expected array %s, got %s",
                          peri_push_shape(L, 1, &channels), peri_push_got(L, BIAS));
        dtype = peri_promote(dtype, b->dtype);
    }
    for (int from = X; from <= BIAS; from++)
        if (from != OPTIONS) {
            lua_pushvalue(L, from);
            if (!lua_isnil(L, -1))
                peri_arg_contiguous(L, lua_gettop(L), "x", dtype, -1);
        }
    return dtype;
}

static const void *data_at(lua_State *L, int idx)
{
    const peri_array *a = peri_test_array(L, idx);
    return a == NULL ? NULL : a->data;
}

static void check_shape(lua_State *L, const peri_conv *s, size_t *oh, size_t *ow)
{
    peri_facts facts;
    const peri_status status = peri_conv_output(s, oh, ow, &facts);
    if (status == PERI_OK)
        return;
    if (status == PERI_ERR_SHAPE) {
        const int axis = (int)facts.index[0] - 2;
        peri_argerror(L, W,
                      "w: a kernel that reaches over %d does not fit an image of %d with padding",
                      (int)facts.got, (int)((axis == 0 ? s->h : s->w) + 2 * s->padding[axis]));
    }
    const int arg = strcmp(facts.arg, "w") == 0 ? W : strcmp(facts.arg, "x") == 0 ? X : OPTIONS;
    peri_check(L, arg, status, &facts);
}

/* Runs a pass with the operands at READ_X, READ_W and READ_BIAS (or nil) into y, on top. */
static int run(lua_State *L, const peri_conv *s, int dtype, peri_conv_pass pass,
               const peri_array *y)
{
    const size_t slots = (size_t)peri_threads(0);
    const peri_stop *stop = &peri_getstate(L)->stop;
    const void *x = data_at(L, READ_X), *w = data_at(L, READ_W), *b = data_at(L, READ_BIAS);
    void *work = peri_push_work(L, peri_conv_work(s, dtype, pass, PERI_CONV_AUTO, slots));
    peri_status status = PERI_OK;
    switch (pass) {
    case PERI_CONV_FORWARD:
        status = peri_conv_forward(s, dtype, PERI_CONV_AUTO, x, w, b, y->data, work, slots, stop);
        break;
    case PERI_CONV_DATA:
        status =
            peri_conv_backward_data(s, dtype, PERI_CONV_AUTO, x, w, b, y->data, work, slots, stop);
        break;
    case PERI_CONV_WEIGHTS:
        status = peri_conv_backward_weights(s, dtype, PERI_CONV_AUTO, x, w, 0, y->data, work, slots,
                                            stop);
    }
    peri_check(L, 0, status, NULL);
    peri_pop_work(L);
    return 1;
}

static void check_axes(lua_State *L, int arg, const char *name, int ndim, const char *shape)
{
    const peri_array *a = peri_arg_array(L, arg, name);
    if (a->ndim != ndim)
        peri_argerror(L, arg, "%s: expected %d axes, %s, got %s", name, ndim, shape,
                      peri_push_got(L, arg));
}

static int convolve(lua_State *L, int axes)
{
    peri_conv s = {0};
    check_axes(L, X, "x", axes + 2, axes == 2 ? "n x c x h x w" : "n x c x t");
    check_axes(L, W, "w", axes + 2, axes == 2 ? "o x c x kh x kw" : "o x c x k");
    read_options(L, axes, conv_options, &s);
    const peri_array *x = peri_test_array(L, X), *w = peri_test_array(L, W);
    s.n = x->shape[0];
    s.c = x->shape[1];
    s.h = axes == 2 ? x->shape[2] : 1;
    s.w = x->shape[axes + 1];
    s.o = w->shape[0];
    s.kh = axes == 2 ? w->shape[2] : 1;
    s.kw = w->shape[axes + 1];
    if (s.c != w->shape[1] * s.groups)
        peri_error(L, "x has %d channels, w takes %d", (int)s.c, (int)(w->shape[1] * s.groups));
    size_t oh, ow;
    check_shape(L, &s, &oh, &ow);
    const int dtype = push_operands(L, s.o);
    const size_t shape[] = {s.n, s.o, axes == 2 ? oh : ow, ow};
    const peri_array *y = peri_push_array(L, dtype, axes + 2, shape);
    return run(L, &s, dtype, PERI_CONV_FORWARD, y);
}

/*** pg.conv2d(x, w [, opts]) -> array
 * Convolution of images (cross-correlation, as nets have it):
 * y[n,o,i,j] = bias[o] + the sum over c, a, b of w[o,c,a,b] x[n,c,i+a,j+b], with padding 0.
 * @param x  array n x c x h x w
 * @param w  array o x c/groups x kh x kw
 * @param opts.bias  array of o
 * @param opts.stride  integer, or {y, x}: default 1
 * @param opts.padding  integer, or {y, x}: zeros around the image, default 0
 * @param opts.dilation  integer, or {y, x}: the distance of a kernel's elements, default 1
 * @param opts.groups  integer: each group of channels has its own kernels, default 1
 * @return array n x o x oh x ow, oh = (h + 2 padding - dilation (kh - 1) - 1) // stride + 1
 * @error channels that do not fit; a kernel larger than the padded image
 * @source Lavin & Gray 2015, arXiv:1509.09308 (3 x 3 kernels); Georganas et al. 2018,
 * arXiv:1808.05567
 * @example pg.ones(1, 1, 3, 3):conv2d(pg.ones(1, 1, 2, 2)):sum() --> 16.0
 */
static int conv2d(lua_State *L)
{
    return convolve(L, 2);
}

/*** pg.conv1d(x, w [, opts]) -> array
 * Convolution of sequences: pg.conv2d with one axis.
 * @param x  array n x c x t
 * @param w  array o x c/groups x k
 * @param opts.bias  array of o
 * @param opts.stride  integer: default 1
 * @param opts.padding  integer: zeros at both ends, default 0
 * @param opts.dilation  integer: default 1
 * @param opts.groups  integer: default 1
 * @return array n x o x (t + 2 padding - dilation (k - 1) - 1) // stride + 1
 * @error channels that do not fit; a kernel longer than the padded sequence
 * @example pg.array{{{1, 2, 4}}}:conv1d(pg.array{{{-1, 1}}}):sum() --> 3.0
 */
static int conv1d(lua_State *L)
{
    return convolve(L, 1);
}

/*** pg.conv_transpose2d(x, w [, opts]) -> array
 * The adjoint of pg.conv2d by its first argument: each element of x adds its kernel to y. With a
 * stride it makes images larger.
 * @param x  array n x c x h x w
 * @param w  array c x o/groups x kh x kw
 * @param opts.bias  array of o
 * @param opts.stride  integer, or {y, x}: default 1
 * @param opts.padding  integer, or {y, x}: rows and columns taken away around the result, default 0
 * @param opts.output_padding  integer, or {y, x}, less than the stride: rows and columns more at
 * the end, default 0
 * @param opts.dilation  integer, or {y, x}: default 1
 * @param opts.groups  integer: default 1
 * @return array n x o x oh x ow, oh = (h - 1) stride - 2 padding + dilation (kh - 1) + 1 +
 *   output_padding
 * @error channels that do not fit; padding that leaves nothing
 * @source Dumoulin & Visin 2016, arXiv:1603.07285
 * @example pg.ones(1, 1, 2, 2):conv_transpose2d(pg.ones(1, 1, 2, 2), {stride = 2}).shape --> (1, 1,
 * 4, 4)
 */
static int conv_transpose2d(lua_State *L)
{
    peri_conv s = {0};
    size_t extra[2];
    check_axes(L, X, "x", 4, "n x c x h x w");
    check_axes(L, W, "w", 4, "c x o x kh x kw");
    read_options(L, 2, transposed_options, &s);
    peri_option_extents(L, OPTIONS, "output_padding", 2, 0, 0, extra);
    const peri_array *x = peri_test_array(L, X), *w = peri_test_array(L, W);
    s.n = x->shape[0];
    s.o = x->shape[1];
    s.c = w->shape[1] * s.groups;
    s.kh = w->shape[2];
    s.kw = w->shape[3];
    if (s.o != w->shape[0])
        peri_error(L, "x has %d channels, w takes %d", (int)s.o, (int)w->shape[0]);
    for (int axis = 0; axis < 2; axis++) {
        if (extra[axis] >= s.stride[axis])
            peri_argerror(L, OPTIONS, "output_padding: expected less than the stride %d, got %d",
                          (int)s.stride[axis], (int)extra[axis]);
        size_t *to = axis == 0 ? &s.h : &s.w;
        *to = peri_conv_input(x->shape[2 + axis], w->shape[2 + axis], s.stride[axis],
                              s.padding[axis], s.dilation[axis], extra[axis]);
        if (*to == 0)
            peri_argerror(L, OPTIONS, "padding: nothing is left of axis %d", axis + 3);
    }
    size_t oh, ow;
    check_shape(L, &s, &oh, &ow);
    const int dtype = push_operands(L, s.c);
    const size_t shape[] = {s.n, s.c, s.h, s.w};
    const peri_array *y = peri_push_array(L, dtype, 4, shape);
    return run(L, &s, dtype, PERI_CONV_DATA, y);
}

/* ---- adjoints ------------------------------------------------------------------------------ */

/* The extent of y's axis that options ask for must be the one it has: these are called by rules. */
static void finish_shape(lua_State *L, const peri_conv *s, const peri_array *g)
{
    size_t oh, ow;
    check_shape(L, s, &oh, &ow);
    if (g->shape[0] != s->n || g->shape[1] != s->o || g->shape[2] != oh || g->shape[3] != ow)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, g->ndim, g->shape));
}

/* data(g, w, opts, h, w): dx of conv2d(x, w, opts). */
static int data(lua_State *L)
{
    peri_conv s = {0};
    check_axes(L, X, "g", 4, "n x o x oh x ow");
    check_axes(L, W, "w", 4, "o x c x kh x kw");
    s.h = (size_t)peri_arg_integer(L, 4, "h", 1, INT32_MAX);
    s.w = (size_t)peri_arg_integer(L, 5, "w", 1, INT32_MAX);
    read_options(L, 2, transposed_options, &s);
    lua_pop(L, 1);
    lua_pushnil(L);
    const peri_array *g = peri_test_array(L, X), *w = peri_test_array(L, W);
    s.n = g->shape[0];
    s.c = w->shape[1] * s.groups;
    s.o = w->shape[0];
    s.kh = w->shape[2];
    s.kw = w->shape[3];
    finish_shape(L, &s, g);
    const int dtype = push_operands(L, s.c);
    const size_t shape[] = {s.n, s.c, s.h, s.w};
    const peri_array *dx = peri_push_array(L, dtype, 4, shape);
    return run(L, &s, dtype, PERI_CONV_DATA, dx);
}

/* weights(x, g, opts, kh, kw): dw of conv2d(x, w, opts). */
static int weights(lua_State *L)
{
    peri_conv s = {0};
    check_axes(L, X, "x", 4, "n x c x h x w");
    check_axes(L, W, "g", 4, "n x o x oh x ow");
    s.kh = (size_t)peri_arg_integer(L, 4, "kh", 1, INT32_MAX);
    s.kw = (size_t)peri_arg_integer(L, 5, "kw", 1, INT32_MAX);
    read_options(L, 2, transposed_options, &s);
    lua_pop(L, 1);
    lua_pushnil(L);
    const peri_array *x = peri_test_array(L, X), *g = peri_test_array(L, W);
    s.n = x->shape[0];
    s.c = x->shape[1];
    s.h = x->shape[2];
    s.w = x->shape[3];
    s.o = g->shape[1];
    finish_shape(L, &s, g);
    const int dtype = push_operands(L, s.o);
    const size_t shape[] = {s.o, s.c / s.groups, s.kh, s.kw};
    const peri_array *dw = peri_push_array(L, dtype, 4, shape);
    return run(L, &s, dtype, PERI_CONV_WEIGHTS, dw);
}

PERI_OPENER(convolution)
{
    static const luaL_Reg functions[] = {{"conv2d", conv2d},
                                         {"conv1d", conv1d},
                                         {"conv_transpose2d", conv_transpose2d},
                                         {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}

PERI_OPENER(conv)
{
    static const peri_primitive rows[] = {{"data", data, "conv2d", PERI_FUNCTION},
                                          {"weights", weights, "conv2d", PERI_FUNCTION},
                                          {NULL, NULL, NULL, 0}};
    peri_primitives_of(L, "conv", rows);
    return 1;
}
