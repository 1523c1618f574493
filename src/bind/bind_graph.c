/* SPDX-License-Identifier: MIT
 *
 * Primitives of pg.graph. A graph that was checked is one userdata, `packed`: its features, its
 * edges as bits or lists, and its pairs where it is small. A list of them is another, `joined`,
 * which keeps them alive and holds the kernel's workspace. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "bind/bind_random.h"
#include "kernel/graph.h"
#include "kernel/graph_layout.h"

/* Their addresses are the registry's keys of the metatables. */
static const peri_handle_kind packed_kind = {.name = "packed graph"},
                              joined_kind = {.name = "joined graphs"};

typedef struct {
    double *work;
    size_t count;
    peri_graph graphs[];
} joined;

static const peri_stop *stop_of(lua_State *L)
{
    return &peri_getstate(L)->stop;
}

static const joined *arg_joined(lua_State *L, int arg)
{
    return peri_arg_handle(L, arg, "graphs", &joined_kind);
}

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* E at arg, n x n of either dtype. */
static const peri_array *arg_square(lua_State *L, int arg, const char *name)
{
    const peri_array *E = peri_arg_array(L, arg, name);
    if (E->ndim != 2 || E->shape[0] != E->shape[1])
        peri_argerror(L, arg, "%s: expected n x n, got shape %s", name,
                      peri_push_shape(L, E->ndim, E->shape));
    if (E->shape[0] > INT32_MAX)
        peri_argerror(L, arg, "%s: at most 2^31 - 1 nodes", name);
    return E;
}

static uint64_t *push_bits(lua_State *L, int arg, const peri_array *E, size_t *edges)
{
    const size_t n = E->shape[0];
    uint64_t *bits = peri_push_scratch(L, peri_mul_size(L, n, peri_graph_words(n) * 8) + 8);
    const peri_view view = peri_view_of(E);
    peri_facts facts = {0};
    peri_check(L, arg, peri_graph_pack(&view, bits, edges, &facts), &facts);
    return bits;
}

/* Names the first element of X, argument 1, that is not finite. */
static void check_finite(lua_State *L, const peri_array *X)
{
    const double *x = X->data;
    const size_t m = X->shape[1];
    for (size_t i = 0; i < X->size; i++)
        if (!isfinite(x[i]))
            peri_argerror(L, 1, "element (%I, %I) of X is not finite", (LUAI_UACINT)(i / m) + 1,
                          (LUAI_UACINT)(i % m) + 1);
}

/* pack(X, E | nil, edges | nil) -> packed, pairs, edges. E is n x n; edges a k x 2 list. */
static int pack(lua_State *L)
{
    lua_settop(L, 3);
    const peri_array *X = peri_arg_contiguous(L, 1, "X", PERI_F64, 2);
    const size_t n = X->shape[0], m = X->shape[1], W = peri_graph_words(n);
    if (m == 0)
        peri_argerror(L, 1, "X: expected at least one feature a node, got shape %s",
                      peri_push_shape(L, X->ndim, X->shape));
    if (n > INT32_MAX || m > INT32_MAX)
        peri_argerror(L, 1, "X: at most 2^31 - 1 nodes and features");
    check_finite(L, X);
    const double *x = X->data;
    const uint64_t *bits = NULL;
    const size_t *start = NULL;
    const uint32_t *to = NULL;
    size_t k = 0;
    const bool dense = lua_isnil(L, 3);
    if (dense) {
        const peri_array *E = arg_square(L, 2, "E");
        if (E->shape[0] != n)
            peri_argerror(L, 2, "E: expected %I x %I, as X has %I rows, got shape %s",
                          (LUAI_UACINT)n, (LUAI_UACINT)n, (LUAI_UACINT)n,
                          peri_push_shape(L, E->ndim, E->shape));
        bits = push_bits(L, 2, E, &k);
    } else {
        const peri_array *list = peri_arg_contiguous(L, 3, "edges", PERI_F64, 2);
        if (list->shape[1] != 2)
            peri_argerror(L, 3, "edges: expected k x 2, a pair of nodes a row, got shape %s",
                          peri_push_shape(L, list->ndim, list->shape));
        k = list->shape[0];
        if (k > UINT32_MAX)
            peri_argerror(L, 3, "edges: at most 2^32 - 1");
        size_t *first = peri_push_scratch(L, (n + 1) * sizeof *first);
        uint32_t *ends = peri_push_scratch(L, (k + 1) * sizeof *ends);
        size_t *work = peri_push_scratch(L, (k + n + 1) * sizeof *work);
        peri_facts facts = {0};
        peri_check(L, 3, peri_graph_lists(list->data, k, n, first, ends, work, &facts), &facts);
        start = first;
        to = ends;
    }
    const size_t flat = peri_graph_flat(n), features = aligned(peri_mul_size(L, n * m, 8)),
                 table = dense ? aligned(n * W * 8) : aligned((n + 1) * sizeof *start),
                 ends = dense ? 0 : aligned(k * sizeof *to), products = aligned(flat * 8);
    const size_t size = features + table + ends + products + peri_graph_words(flat) * 8;
    peri_graph *g = peri_push_handle(L, &packed_kind, sizeof *g + size + 64, 0);
    char *block = (char *)aligned((size_t)(uintptr_t)(g + 1));
    *g = (peri_graph){.n = n, .m = m, .x = memcpy(block, x, n * m * 8)};
    block += features;
    if (dense) {
        g->bits = memcpy(block, bits, n * W * 8);
    } else {
        g->start = memcpy(block, start, (n + 1) * sizeof *start);
        g->to = memcpy(block + table, to, k * sizeof *to);
    }
    block += table + ends;
    if (flat > 0) {
        peri_graph_flatten(g, (double *)block, (uint64_t *)(block + products));
        g->s = (double *)block;
        g->e = (uint64_t *)(block + products);
    }
    lua_pushinteger(L, (lua_Integer)(n * (n > 0 ? n - 1 : 0) / 2));
    lua_pushinteger(L, (lua_Integer)k);
    return 3;
}

/* join(list of packed) -> joined, which keeps them by a table of its own: no script reaches it */
static int join(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const size_t count = lua_rawlen(L, 1);
    const size_t head = aligned(sizeof(joined) + peri_mul_size(L, count, sizeof(peri_graph)));
    size_t work = 0;
    lua_createtable(L, count < INT_MAX ? (int)count : INT_MAX, 0);
    const int own = lua_gettop(L);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        const peri_graph *g = peri_test_handle(L, -1, &packed_kind);
        if (g == NULL)
            peri_argerror(L, 1, "list: expected packed graphs");
        const size_t more = peri_graph_work(g);
        work = more > work ? more : work;
        lua_rawseti(L, own, (lua_Integer)i + 1);
    }
    joined *j = peri_push_handle(L, &joined_kind, head + peri_mul_size(L, work, 8) + 64, 1);
    j->work = (double *)aligned((size_t)(uintptr_t)j + head);
    j->count = count;
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, own, (lua_Integer)i + 1);
        j->graphs[i] = *(const peri_graph *)lua_touserdata(L, -1);
        lua_pop(L, 1);
    }
    lua_pushvalue(L, own);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

static double arg_finite(lua_State *L, int arg, const char *name)
{
    const double v = peri_arg_number(L, arg, name);
    if (!isfinite(v))
        peri_argerror(L, arg, "%s: expected a finite number, got %f", name, v);
    return v;
}

/* loglik(joined, a, b) -> L, dL/da, dL/db, haa, hab, hbb */
static int loglik(lua_State *L)
{
    const joined *j = arg_joined(L, 1);
    const double a = arg_finite(L, 2, "a"), b = arg_finite(L, 3, "b");
    peri_graph_sums sums = {0};
    peri_check(L, 0, peri_graph_loglik(j->graphs, j->count, a, b, &sums, j->work, stop_of(L)),
               NULL);
    lua_pushnumber(L, sums.loglik);
    lua_pushnumber(L, sums.gradient[0]);
    lua_pushnumber(L, sums.gradient[1]);
    lua_pushnumber(L, sums.hessian[0]);
    lua_pushnumber(L, sums.hessian[1]);
    lua_pushnumber(L, sums.hessian[2]);
    return 6;
}

/* ascend(joined, a, b, lr) -> a, b, L of the last graph before its step */
static int ascend(lua_State *L)
{
    const joined *j = arg_joined(L, 1);
    double at[2] = {peri_arg_number(L, 2, "a"), peri_arg_number(L, 3, "b")}, last = 0.0;
    const double lr = arg_finite(L, 4, "lr");
    peri_check(L, 0, peri_graph_ascend(j->graphs, j->count, lr, at, &last, j->work, stop_of(L)),
               NULL);
    lua_pushnumber(L, at[0]);
    lua_pushnumber(L, at[1]);
    lua_pushnumber(L, last);
    return 3;
}

/* logprob(joined, a, b) -> the log-likelihood of each */
static int logprob(lua_State *L)
{
    const joined *j = arg_joined(L, 1);
    const double a = arg_finite(L, 2, "a"), b = arg_finite(L, 3, "b");
    double *out = peri_push_array(L, PERI_F64, 1, &j->count)->data;
    for (size_t i = 0; i < j->count; i++) {
        peri_graph_sums sums = {0};
        peri_check(L, 0, peri_graph_loglik(&j->graphs[i], 1, a, b, &sums, j->work, stop_of(L)),
                   NULL);
        out[i] = sums.loglik;
    }
    return 1;
}

/* range(joined) -> least, greatest product without an edge, least, greatest with one */
static int range(lua_State *L)
{
    const joined *j = arg_joined(L, 1);
    double found[4] = {HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL};
    for (size_t i = 0; i < j->count; i++)
        peri_check(L, 0, peri_graph_range(&j->graphs[i], found, stop_of(L)), NULL);
    for (int i = 0; i < 4; i++)
        lua_pushnumber(L, found[i]);
    return 4;
}

/* pairs(packed) -> s, e */
static int pairs(lua_State *L)
{
    const peri_graph *g = peri_test_handle(L, 1, &packed_kind);
    if (g == NULL)
        peri_argerror(L, 1, "graph: expected a packed graph, got %s", peri_push_got(L, 1));
    const size_t count = g->n * (g->n > 0 ? g->n - 1 : 0) / 2;
    const peri_array *s = peri_push_array(L, PERI_F64, 1, &count);
    const peri_array *e = peri_push_array(L, PERI_F64, 1, &count);
    peri_graph_pairs(g, s->data, e->data);
    return 2;
}

/* draw(X, a, b, rng) -> E */
static int draw(lua_State *L)
{
    const peri_array *X = peri_arg_contiguous(L, 1, "X", PERI_F64, 2);
    const double a = peri_arg_number(L, 2, "a"), b = peri_arg_number(L, 3, "b");
    peri_rng *rng = peri_arg_rng(L, 4);
    check_finite(L, X);
    const size_t n = X->shape[0], shape[] = {n, n};
    const peri_array *E = peri_push_array(L, PERI_F64, 2, shape);
    peri_graph_draw(X->data, n, X->shape[1], a, b, rng, E->data);
    return 1;
}

/* count(E) -> edges, triangles, degrees */
static int count(lua_State *L)
{
    const peri_array *E = arg_square(L, 1, "E");
    const size_t n = E->shape[0];
    size_t k;
    const uint64_t *bits = push_bits(L, 1, E, &k);
    uint64_t *work = peri_push_scratch(L, n * peri_graph_words(n) * 8 + 8);
    lua_pushinteger(L, (lua_Integer)k);
    double triangles;
    const peri_array *degrees = peri_push_array(L, PERI_F64, 1, &n);
    peri_graph_count(bits, n, degrees->data, &triangles, work);
    lua_pushinteger(L, (lua_Integer)triangles);
    lua_insert(L, -2);
    return 3;
}

/* edges(E) -> k x 2 */
static int edges(lua_State *L)
{
    const peri_array *E = arg_square(L, 1, "E");
    size_t k;
    const uint64_t *bits = push_bits(L, 1, E, &k);
    const size_t shape[] = {k, 2};
    const peri_array *out = peri_push_array(L, PERI_F64, 2, shape);
    peri_graph_unpack(bits, E->shape[0], out->data);
    return 1;
}

/* check_edges(edges, n): raises where the list is not one of edges between nodes 1..n. */
static int check_edges(lua_State *L)
{
    const peri_array *list = peri_arg_contiguous(L, 1, "edges", PERI_F64, 2);
    const size_t n = (size_t)peri_arg_integer(L, 2, "n", 0, INT32_MAX);
    if (list->shape[1] != 2)
        peri_argerror(L, 1, "edges: expected k x 2, a pair of nodes a row, got shape %s",
                      peri_push_shape(L, list->ndim, list->shape));
    const size_t k = list->shape[0];
    size_t *start = peri_push_scratch(L, (n + 1) * sizeof *start);
    uint32_t *to = peri_push_scratch(L, peri_mul_size(L, k + 1, sizeof *to));
    size_t *work = peri_push_scratch(L, peri_mul_size(L, k + n + 1, sizeof *work));
    peri_facts facts = {0};
    peri_check(L, 1, peri_graph_lists(list->data, k, n, start, to, work, &facts), &facts);
    lua_pushvalue(L, 1);
    return 1;
}

/* layout(start, edges, iterations) -> positions n x 2 */
static int layout(lua_State *L)
{
    const peri_array *start = peri_arg_contiguous(L, 1, "start", PERI_F64, 2);
    const peri_array *list = peri_arg_contiguous(L, 2, "edges", PERI_F64, 2);
    const size_t n = start->shape[0],
                 iterations = (size_t)peri_arg_integer(L, 3, "iterations", 1, 1000000);
    if (start->shape[1] != 2 || list->shape[1] != 2)
        peri_error(L, "expected n x 2 positions and k x 2 edges");
    const peri_array *pos = peri_push_copy(L, start, PERI_F64);
    double *work = peri_push_scratch(L, 4 * (n + 8) * sizeof *work);
    const double *ends = list->data;
    for (size_t i = 0; i < list->size; i++)
        if (!(ends[i] >= 1 && ends[i] <= (double)n && ends[i] == floor(ends[i])))
            peri_argerror(L, 2, "edges: element (%I, %I) is %f, expected a node in 1..%I",
                          (LUAI_UACINT)(i / 2) + 1, (LUAI_UACINT)(i % 2) + 1, ends[i],
                          (LUAI_UACINT)n);
    peri_check(
        L, 0,
        peri_graph_layout(n, list->data, list->shape[0], iterations, pos->data, work, stop_of(L)),
        NULL);
    lua_pop(L, 1);
    return 1;
}

PERI_OPENER(graph)
{
    static const luaL_Reg functions[] = {
        {"pack", pack},   {"join", join},   {"loglik", loglik},   {"ascend", ascend},
        {"range", range}, {"pairs", pairs}, {"logprob", logprob}, {"draw", draw},
        {"count", count}, {"edges", edges}, {"layout", layout},   {"check_edges", check_edges},
        {NULL, NULL},
    };
    lua_newtable(L);
    peri_set_functions(L, functions, PERI_FUNCTION);
    return 1;
}
