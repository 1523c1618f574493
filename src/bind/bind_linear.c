/* SPDX-License-Identifier: MIT
 *
 * Primitives of pg.linear: least squares with what its statistics need, at once or by parts. */
#include <float.h>
#include <math.h>
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

/* check(X, Y): raises at the first element that is not finite. */
static int check_finite(lua_State *L)
{
    for (int arg = 1; arg <= 2; arg++) {
        const peri_array *a = peri_arg_contiguous(L, arg, arg == 1 ? "X" : "y", PERI_F64, 2);
        const double *x = a->data;
        for (size_t i = 0; i < a->size; i++)
            if (!isfinite(x[i])) {
                peri_facts facts = {.arg = arg == 1 ? "X" : "y", .nindex = 2, .got = x[i]};
                facts.index[0] = i / a->shape[1];
                facts.index[1] = i % a->shape[1];
                check(L, PERI_ERR_NONFINITE, &facts, 0);
            }
    }
    return 0;
}

/* add(rows, R): R (width,width) takes the rows (m,width) in. It is written in place, and a script
 * may have made it anything. */
static int add(lua_State *L)
{
    lua_settop(L, 2);
    const peri_array *rows = peri_arg_contiguous(L, 1, "rows", PERI_F64, 2);
    const peri_array *R = peri_arg_inout(L, 2, "R", PERI_F64, 2, true);
    const size_t m = rows->shape[0], width = rows->shape[1];
    if (R->shape[0] != width || R->shape[1] != width)
        peri_error(L, "the accumulator's state was changed: rows of %I numbers, and shape %s",
                   (LUAI_UACINT)width, peri_push_shape(L, 2, R->shape));
    void *work = peri_push_scratch(L, peri_lstsq_add_work(m, width, 0));
    peri_facts facts;
    check(L,
          peri_lstsq_add(m, width, 0, rows->data, rows->data, R->data, work,
                         &peri_getstate(L)->stop, &facts),
          &facts, 0);
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
                                               {"check", check_finite, "add", PERI_FUNCTION},
                                               {"add", add, NULL, PERI_FUNCTION},
                                               {"finish", finish, "fit", PERI_FUNCTION},
                                               {NULL, NULL, NULL, 0}};
    peri_primitives(L, functions);
    return 1;
}
