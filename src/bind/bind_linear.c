/* SPDX-License-Identifier: MIT
 *
 * Primitives of pg.linear: least squares with what its statistics need, at once or by parts. */
#include <float.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/lstsq.h"

/* Pushes x (n,p), rss (p), s (least), root (n,n) and points the result to them. */
static void push_result(lua_State *L, peri_lstsq_result *r, size_t n, size_t p, size_t least)
{
    const size_t shape[2] = {n, p}, square[2] = {n, n};
    r->x = peri_push_array(L, PERI_F64, 2, shape)->data;
    r->rss = peri_push_array(L, PERI_F64, 1, &p)->data;
    r->s = peri_push_array(L, PERI_F64, 1, &least)->data;
    r->root = peri_push_array(L, PERI_F64, 2, square)->data;
}

/* `ones`: columns that stand before those of the user's X. */
static void check(lua_State *L, peri_status status, peri_facts *facts, size_t ones)
{
    const int arg = facts->arg != NULL && facts->arg[0] == 'y' ? 2 : 1;
    if (arg == 2 && facts->nindex == 2 && facts->index[1] == 0)
        facts->nindex = 1;
    if (arg == 1 && facts->nindex == 2)
        facts->index[1] -= ones;
    peri_check(L, arg, status, facts);
}

static void check_rows(lua_State *L, const peri_array *X, const peri_array *Y)
{
    if (Y->shape[0] != X->shape[0])
        peri_argerror(L, 2, "y: expected %I rows, as X has, got shape %s", (LUAI_UACINT)X->shape[0],
                      peri_push_shape(L, 2, Y->shape));
}

/* (X, Y, ones) -> w (n,p), rss (p), s, root (n,n), residuals (m,p), rank, corrections */
static int fit(lua_State *L)
{
    lua_settop(L, 3);
    const peri_array *X = peri_arg_contiguous(L, 1, "X", PERI_F64, 2);
    const peri_array *Y = peri_arg_contiguous(L, 2, "y", PERI_F64, 2);
    const size_t m = X->shape[0], n = X->shape[1], p = Y->shape[1];
    check_rows(L, X, Y);
    const size_t ones = (size_t)peri_arg_integer(L, 3, "ones", 0, 1);
    void *work = peri_push_scratch(L, peri_lstsq_work(m, n, p));
    peri_lstsq_result r = {0};
    peri_facts facts;
    push_result(L, &r, n, p, m < n ? m : n);
    r.residual = peri_push_array(L, PERI_F64, 2, Y->shape)->data;
    check(L,
          peri_lstsq(m, n, p, X->data, Y->data, DBL_EPSILON, &r, work, &peri_getstate(L)->stop,
                     &facts),
          &facts, ones);
    lua_pushinteger(L, (lua_Integer)r.rank);
    lua_pushinteger(L, r.steps);
    return 7;
}

/* (X, Y, state, ones): state (n+p,n+p) takes the rows in. */
static int add(lua_State *L)
{
    lua_settop(L, 4);
    const peri_array *X = peri_arg_contiguous(L, 1, "X", PERI_F64, 2);
    const peri_array *Y = peri_arg_contiguous(L, 2, "y", PERI_F64, 2);
    const size_t ones = (size_t)peri_arg_integer(L, 4, "ones", 0, 1);
    const peri_array *state = peri_arg_inout(L, 3, "state", PERI_F64, 2, true);
    const size_t m = X->shape[0], n = X->shape[1], p = Y->shape[1];
    check_rows(L, X, Y);
    if (state->shape[0] != n + p || state->shape[1] != n + p)
        peri_error(L, "the accumulator's state was changed: %I columns and %I of y, and shape %s",
                   (LUAI_UACINT)n, (LUAI_UACINT)p, peri_push_shape(L, 2, state->shape));
    void *work = peri_push_scratch(L, peri_lstsq_add_work(m, n, p));
    peri_facts facts;
    check(L,
          peri_lstsq_add(m, n, p, X->data, Y->data, state->data, work, &peri_getstate(L)->stop,
                         &facts),
          &facts, ones);
    return 0;
}

/* (state, n, m) -> w (n,p), rss (p), s, root (n,n), rank of the m rows added */
static int finish(lua_State *L)
{
    lua_settop(L, 3);
    const peri_array *state = peri_arg_inout(L, 1, "state", PERI_F64, 2, true);
    if (state->shape[0] != state->shape[1])
        peri_error(L, "the accumulator's state was changed: shape %s",
                   peri_push_shape(L, 2, state->shape));
    const size_t n = (size_t)peri_arg_integer(L, 2, "n", 0, (lua_Integer)state->shape[0]);
    const size_t m = (size_t)peri_arg_integer(L, 3, "m", 0, LUA_MAXINTEGER);
    const size_t p = state->shape[0] - n;
    void *work = peri_push_scratch(L, peri_lstsq_finish_work(n, p));
    peri_lstsq_result r = {0};
    peri_facts facts;
    push_result(L, &r, n, p, n);
    check(L, peri_lstsq_finish(m, n, p, state->data, &r, work, &facts), &facts, 0);
    lua_pushinteger(L, (lua_Integer)r.rank);
    return 5;
}

PERI_OPENER(linear)
{
    static const peri_primitive functions[] = {{"fit", fit, NULL, PERI_FUNCTION},
                                               {"add", add, NULL, PERI_FUNCTION},
                                               {"finish", finish, "fit", PERI_FUNCTION},
                                               {NULL, NULL, NULL, 0}};
    peri_primitives(L, functions);
    return 1;
}
