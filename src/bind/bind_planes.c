/* SPDX-License-Identifier: MIT
 *
 * pg.max_pool2d, avg_pool2d, upsample2d, and their adjoints in pg._plane. */
#include <string.h>

#include "bind/bind.h"
#include "bind/geometry.h"
#include "kernel/pool.h"
#include "kernel/pooling.h"

/* The array of four axes at arg, contiguous and real. */
static peri_array *images(lua_State *L, int arg, const char *name)
{
    peri_array *x = peri_arg_array(L, arg, name);
    if (x->ndim != 4)
        peri_argerror(L, arg, "%s: expected 4 axes, n x c x h x w, got %s", name,
                      peri_push_got(L, arg));
    return peri_arg_contiguous(L, arg, name, peri_promote1(x->dtype), 4);
}

/* k and the options of a pool at arg, arg + 1, for images of h x w. */
static void read_window(lua_State *L, int arg, bool average, size_t h, size_t w, size_t planes,
                        peri_pooling *s, size_t *oh, size_t *ow)
{
    static const char *const names[] = {"stride", "padding", "count_include_pad", NULL};
    static const char *const names_max[] = {"stride", "padding", NULL};
    peri_facts facts;
    size_t k[2];
    peri_arg_extents(L, arg, "k", 1, k);
    peri_options(L, arg + 1, average ? names : names_max);
    *s = (peri_pooling){.planes = planes, .h = h, .w = w, .kh = k[0], .kw = k[1]};
    if (peri_option_given(L, arg + 1, "stride"))
        peri_option_extents(L, arg + 1, "stride", 2, 1, 1, s->stride);
    else
        memcpy(s->stride, k, sizeof k);
    peri_option_extents(L, arg + 1, "padding", 2, 0, 0, s->padding);
    s->inside = average && !peri_option_boolean(L, arg + 1, "count_include_pad", true);
    const peri_status status = peri_pool_output(s, oh, ow, &facts);
    if (status == PERI_ERR_SHAPE) {
        const int axis = (int)facts.index[0];
        peri_argerror(L, arg, "k: a window of %d does not fit an image of %d with padding",
                      (int)facts.got, (int)((axis == 0 ? h : w) + 2 * s->padding[axis]));
    }
    const bool option = facts.arg != NULL && facts.arg[0] != 'k' && facts.arg[0] != 'x';
    peri_check(L, option ? arg + 1 : arg, status, &facts);
}

static int pool(lua_State *L, bool average)
{
    peri_pooling s;
    size_t oh, ow;
    const peri_array *x = images(L, 1, "x");
    read_window(L, 2, average, x->shape[2], x->shape[3], x->shape[0] * x->shape[1], &s, &oh, &ow);
    const size_t shape[] = {x->shape[0], x->shape[1], oh, ow};
    const size_t slots = (size_t)peri_threads(0);
    const peri_array *y = peri_push_array(L, x->dtype, 4, shape);
    void *work = peri_push_scratch(L, peri_pool_work(&s, x->dtype, slots));
    if (average)
        peri_avg_pool(&s, x->dtype, x->data, y->data, work, slots);
    else
        peri_max_pool(&s, x->dtype, x->data, y->data, NULL, work, slots);
    lua_pop(L, 1);
    return 1;
}

/*** pg.max_pool2d(x, k [, opts]) -> array
 * The largest element of each window of k x k; NaN where one is NaN.
 * @param x  array n x c x h x w
 * @param k  integer, or {y, x}: the window
 * @param opts.stride  integer, or {y, x}: from window to window, default k
 * @param opts.padding  integer, or {y, x}: what is around the image never wins, default 0, at most
 *   half of the window
 * @return array n x c x oh x ow, oh = (h + 2 padding - k) // stride + 1
 * @error a window larger than the padded image
 * @example pg.range(1, 16):reshape(1, 1, 4, 4):max_pool2d(2):sum() --> 44.0
 */
static int max_pool2d(lua_State *L)
{
    return pool(L, false);
}

/*** pg.avg_pool2d(x, k [, opts]) -> array
 * The mean of each window of k x k.
 * @param x  array n x c x h x w
 * @param k  integer, or {y, x}: the window
 * @param opts.stride  integer, or {y, x}: from window to window, default k
 * @param opts.padding  integer, or {y, x}: zeros around the image, default 0, at most half of the
 *   window
 * @param opts.count_include_pad  boolean: false divides by the elements inside the image alone,
 *   default true
 * @return array n x c x oh x ow, oh = (h + 2 padding - k) // stride + 1
 * @error a window larger than the padded image
 * @example pg.range(1, 16):reshape(1, 1, 4, 4):avg_pool2d(2):sum() --> 34.0
 */
static int avg_pool2d(lua_State *L)
{
    return pool(L, true);
}

/* max(x, g, k, opts), avg(g, h, w, k, opts): dx. */
static int max_adjoint(lua_State *L)
{
    peri_pooling s;
    size_t oh, ow;
    const peri_array *x = images(L, 1, "x"), *g = images(L, 2, "g");
    read_window(L, 3, false, x->shape[2], x->shape[3], x->shape[0] * x->shape[1], &s, &oh, &ow);
    if (g->size != s.planes * oh * ow)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, g->ndim, g->shape));
    g = peri_arg_contiguous(L, 2, "g", x->dtype, 4);
    const size_t slots = (size_t)peri_threads(0);
    const peri_array *dx = peri_push_array(L, x->dtype, 4, x->shape);
    const size_t bytes = peri_mul_size(L, g->size, peri_dtype_size(x->dtype));
    void *y = peri_push_scratch(L, bytes);
    uint16_t *which = peri_push_scratch(L, g->size * sizeof *which);
    void *work = peri_push_scratch(L, peri_pool_work(&s, x->dtype, slots));
    peri_max_pool(&s, x->dtype, x->data, y, which, work, slots);
    peri_max_pool_backward(&s, x->dtype, g->data, which, dx->data);
    lua_pop(L, 3);
    return 1;
}

/* places(x, k, opts) -> where in x, row-major from 1, each window's largest element stands */
static int max_places(lua_State *L)
{
    peri_pooling s;
    size_t oh, ow;
    const peri_array *x = images(L, 1, "x");
    read_window(L, 2, false, x->shape[2], x->shape[3], x->shape[0] * x->shape[1], &s, &oh, &ow);
    const size_t slots = (size_t)peri_threads(0), shape[] = {x->shape[0], x->shape[1], oh, ow};
    const peri_array *out = peri_push_array(L, PERI_F64, 4, shape);
    void *y = peri_push_scratch(L, peri_mul_size(L, out->size, peri_dtype_size(x->dtype)));
    uint16_t *which = peri_push_scratch(L, out->size * sizeof *which);
    void *work = peri_push_scratch(L, peri_pool_work(&s, x->dtype, slots));
    peri_max_pool(&s, x->dtype, x->data, y, which, work, slots);
    double *to = out->data;
    for (size_t i = 0; i < out->size; i++) {
        const size_t plane = i / (oh * ow), row = i / ow % oh, col = i % ow;
        const size_t at_row = row * s.stride[0] + which[i] / s.kw - s.padding[0];
        const size_t at_col = col * s.stride[1] + which[i] % s.kw - s.padding[1];
        to[i] = (double)((plane * s.h + at_row) * s.w + at_col + 1);
    }
    lua_pop(L, 3);
    return 1;
}

static int avg_adjoint(lua_State *L)
{
    peri_pooling s;
    size_t oh, ow;
    const peri_array *g = images(L, 1, "g");
    const size_t h = (size_t)peri_arg_integer(L, 2, "h", 0, INT32_MAX);
    const size_t w = (size_t)peri_arg_integer(L, 3, "w", 0, INT32_MAX);
    read_window(L, 4, true, h, w, g->shape[0] * g->shape[1], &s, &oh, &ow);
    if (g->size != s.planes * oh * ow)
        peri_error(L, "the gradient has shape %s", peri_push_shape(L, g->ndim, g->shape));
    const size_t slots = (size_t)peri_threads(0), shape[] = {g->shape[0], g->shape[1], h, w};
    const peri_array *dx = peri_push_array(L, g->dtype, 4, shape);
    void *work = peri_push_scratch(L, peri_pool_work(&s, g->dtype, slots));
    peri_avg_pool_backward(&s, g->dtype, g->data, dx->data, work, slots);
    lua_pop(L, 1);
    return 1;
}

static void read_mode(lua_State *L, int arg, peri_upsampling *s)
{
    static const char *const names[] = {"mode", "align_corners", NULL};
    static const char *const modes[] = {"nearest", "bilinear", NULL};
    peri_options(L, arg, names);
    s->bilinear = peri_option_choice(L, arg, "mode", modes, 0) == 1;
    s->align_corners = peri_option_boolean(L, arg, "align_corners", false);
    if (s->align_corners && !s->bilinear)
        peri_argerror(L, arg, "align_corners: only mode = \"bilinear\" has corners to align");
}

/*** pg.upsample2d(x, factor | {h, w} [, opts]) -> array
 * Images made larger (or smaller), as torch.nn.functional.interpolate does.
 * @param x  array n x c x h x w
 * @param factor  integer; or {h, w}: the size of the result
 * @param opts.mode  "nearest" (default): the element at floor(i h / oh); "bilinear": between the
 * four neighbours
 * @param opts.align_corners  boolean: bilinear alone; true puts the corners on the corners, false
 *   (default) the edges of the pixels on each other
 * @return array n x c x oh x ow
 * @error a size below 1; an image without pixels
 * @example pg.array{{{{1, 2}}}}:upsample2d(2):sum() --> 12.0
 */
static int upsample2d(lua_State *L)
{
    const peri_array *x = images(L, 1, "x");
    size_t size[2];
    const bool factor = lua_type(L, 2) == LUA_TNUMBER;
    peri_arg_extents(L, 2, factor ? "factor" : "size", 1, size);
    peri_upsampling s = {.planes = x->shape[0] * x->shape[1], .h = x->shape[2], .w = x->shape[3]};
    read_mode(L, 3, &s);
    if (s.h * s.w == 0)
        peri_argerror(L, 1, "x: expected images of at least 1 x 1, got %s", peri_push_got(L, 1));
    s.H = factor ? peri_mul_size(L, size[0], s.h) : size[0];
    s.W = factor ? peri_mul_size(L, size[1], s.w) : size[1];
    const size_t slots = (size_t)peri_threads(0), shape[] = {x->shape[0], x->shape[1], s.H, s.W};
    const peri_array *y = peri_push_array(L, x->dtype, 4, shape);
    void *work = peri_push_scratch(L, peri_upsample_work(&s, x->dtype, slots));
    peri_upsample(&s, x->dtype, x->data, y->data, work, slots);
    lua_pop(L, 1);
    return 1;
}

/* upsample(g, h, w, opts): dx. */
static int upsample_adjoint(lua_State *L)
{
    const peri_array *g = images(L, 1, "g");
    peri_upsampling s = {.planes = g->shape[0] * g->shape[1],
                         .h = (size_t)peri_arg_integer(L, 2, "h", 1, INT32_MAX),
                         .w = (size_t)peri_arg_integer(L, 3, "w", 1, INT32_MAX),
                         .H = g->shape[2],
                         .W = g->shape[3]};
    read_mode(L, 4, &s);
    const size_t slots = (size_t)peri_threads(0), shape[] = {g->shape[0], g->shape[1], s.h, s.w};
    const peri_array *dx = peri_push_array(L, g->dtype, 4, shape);
    void *work = peri_push_scratch(L, peri_upsample_work(&s, g->dtype, slots));
    peri_upsample_backward(&s, g->dtype, g->data, dx->data, work, slots);
    lua_pop(L, 1);
    return 1;
}

PERI_OPENER(planes)
{
    static const luaL_Reg functions[] = {{"max_pool2d", max_pool2d},
                                         {"avg_pool2d", avg_pool2d},
                                         {"upsample2d", upsample2d},
                                         {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}

PERI_OPENER(plane)
{
    static const peri_primitive rows[] = {
        {"max", max_adjoint, "max_pool2d", PERI_FUNCTION},
        {"places", max_places, "max_pool2d", PERI_FUNCTION},
        {"avg", avg_adjoint, "avg_pool2d", PERI_FUNCTION},
        {"upsample", upsample_adjoint, "upsample2d", PERI_FUNCTION},
        {NULL, NULL, NULL, 0}};
    peri_primitives_of(L, "plane", rows);
    return 1;
}
