/* SPDX-License-Identifier: MIT
 *
 * The primitives of lua/perigee/optim.lua. */
#include <math.h>

#include "bind/bind.h"
#include "kernel/optim.h"

/* The array at arg, contiguous as it is: it is written in place. With `like`, of its dtype and
 * size. */
static peri_array *check_flat(lua_State *L, int arg, const char *name, const peri_array *like)
{
    peri_array *a = peri_arg_inout(L, arg, name, -1, -1, true);
    if (!peri_is_real(a->dtype))
        peri_argerror(L, arg, "%s: expected f64 or f32, got %s", name, peri_push_got(L, arg));
    if (like != NULL && (a->dtype != like->dtype || a->size != like->size))
        peri_argerror(L, arg, "%s: expected %I elements of %s, got %s", name,
                      (LUAI_UACINT)like->size, peri_dtype_name(like->dtype), peri_push_got(L, arg));
    if (like != NULL && peri_overlaps(a, like))
        peri_argerror(L, arg, "%s: shares memory with params", name);
    return a;
}

/* What weight decay is multiplied by: an array like params, or NULL where there is none at arg. */
static const void *check_mask(lua_State *L, int arg, const peri_array *p)
{
    return lua_isnoneornil(L, arg) ? NULL : check_flat(L, arg, "mask", p)->data;
}

/* same(a, b): whether they are the same elements */
static int optim_same(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 1, "params"), *b = peri_arg_array(L, 2, "params");
    lua_pushboolean(L, a->data == b->data && a->size == b->size && a->dtype == b->dtype);
    return 1;
}

/* adam(params, grads, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled, mask) */
static int optim_adam(lua_State *L)
{
    const peri_array *p = check_flat(L, 1, "params", NULL);
    const peri_array *g = check_flat(L, 2, "grads", p);
    const peri_array *m = check_flat(L, 3, "m", p), *v = check_flat(L, 4, "v", p);
    const peri_adam adam = {.step = luaL_checkinteger(L, 5),
                            .lr = luaL_checknumber(L, 6),
                            .beta1 = luaL_checknumber(L, 7),
                            .beta2 = luaL_checknumber(L, 8),
                            .eps = luaL_checknumber(L, 9),
                            .weight_decay = luaL_checknumber(L, 10),
                            .decoupled = lua_toboolean(L, 11),
                            .mask = check_mask(L, 12, p)};
    peri_optim_adam(p->dtype, p->size, &adam, g->data, p->data, m->data, v->data);
    return 0;
}

/* sgd(params, grads, b, step, lr, momentum, dampening, weight_decay, nesterov, mask) */
static int optim_sgd(lua_State *L)
{
    const peri_array *p = check_flat(L, 1, "params", NULL);
    const peri_array *g = check_flat(L, 2, "grads", p);
    const peri_sgd sgd = {.step = luaL_checkinteger(L, 4),
                          .lr = luaL_checknumber(L, 5),
                          .momentum = luaL_checknumber(L, 6),
                          .dampening = luaL_checknumber(L, 7),
                          .weight_decay = luaL_checknumber(L, 8),
                          .nesterov = lua_toboolean(L, 9),
                          .mask = check_mask(L, 10, p)};
    const peri_array *b = sgd.momentum != 0 ? check_flat(L, 3, "b", p) : NULL;
    peri_optim_sgd(p->dtype, p->size, &sgd, g->data, p->data, b != NULL ? b->data : NULL);
    return 0;
}

/* rmsprop(params, grads, v, m, b, lr, alpha, eps, weight_decay, momentum, centered, mask) */
static int optim_rmsprop(lua_State *L)
{
    const peri_array *p = check_flat(L, 1, "params", NULL);
    const peri_array *g = check_flat(L, 2, "grads", p);
    const peri_array *v = check_flat(L, 3, "v", p);
    const peri_rmsprop o = {.lr = luaL_checknumber(L, 6),
                            .alpha = luaL_checknumber(L, 7),
                            .eps = luaL_checknumber(L, 8),
                            .weight_decay = luaL_checknumber(L, 9),
                            .momentum = luaL_checknumber(L, 10),
                            .centered = lua_toboolean(L, 11),
                            .mask = check_mask(L, 12, p)};
    const peri_array *m = o.centered ? check_flat(L, 4, "m", p) : NULL;
    const peri_array *b = o.momentum != 0 ? check_flat(L, 5, "b", p) : NULL;
    peri_optim_rmsprop(p->dtype, p->size, &o, g->data, p->data, v->data, m != NULL ? m->data : NULL,
                       b != NULL ? b->data : NULL);
    return 0;
}

/*** pg.optim.clip_norm(grads, max_norm [, opts]) -> norm
 * Scales grads in place so that their Euclidean norm is at most max_norm.
 * @param grads  array, contiguous: changed in place
 * @param max_norm  number above 0
 * @param opts.finite  boolean: raise where the norm is nan or infinite (false)
 * @return norm  number: the norm before
 * @source torch.nn.utils.clip_grad_norm_: the factor is max_norm / (norm + 1e-6)
 * @example pg.optim.clip_norm(pg.array{3, 4}, 1) --> 5.0
 */
static int optim_clip_norm(lua_State *L)
{
    const peri_array *g = check_flat(L, 1, "grads", NULL);
    const double most = peri_arg_number(L, 2, "max_norm");
    if (!(most > 0))
        peri_argerror(L, 2, "max_norm: expected a number above 0, got %f", most);
    static const char *const names[] = {"finite", NULL};
    peri_options(L, 3, names);
    const double norm = peri_optim_clip(g->dtype, g->size, most, g->data);
    if (!isfinite(norm) && peri_option_boolean(L, 3, "finite", false))
        peri_error(L, "the norm of the gradient is %s", isnan(norm) ? "nan" : "inf");
    lua_pushnumber(L, norm);
    return 1;
}

PERI_OPENER(optim)
{
    static const peri_primitive functions[] = {
        {"adam", optim_adam, "step", PERI_METHOD},
        {"sgd", optim_sgd, "step", PERI_METHOD},
        {"rmsprop", optim_rmsprop, "step", PERI_METHOD},
        {"same", optim_same, "step", PERI_METHOD},
        {"clip_norm", optim_clip_norm, "optim.clip_norm", PERI_FUNCTION},
        {NULL, NULL, NULL, 0}};
    peri_primitives(L, functions);
    return 1;
}
