/* SPDX-License-Identifier: MIT
 *
 * Primitives of pg.cpt. A model is a Lua table (lua/perigee/cpt.lua); here it is either the list
 * of its dense tables, which are the user's own arrays, or one userdata with the compact form. */
#include <math.h>
#include <string.h>

#include "bind/bind_random.h"
#include "kernel/cpt.h"

static const peri_handle_kind compact_kind = {.name = "cpt tree"};

/* Dense tables have at most as many axes as an array. */
enum { MAX_TABLES = PERI_MAX_NDIM };

/* The header of the userdata; nodes, rows and counts follow it in one block. */
typedef struct {
    peri_cpt model;
    double *counts;
} compact;

typedef struct {
    peri_cpt model;
    const double *tables[MAX_TABLES];
    const double *counts; /* compact only */
} opened;

static const compact *test_compact(lua_State *L, int idx)
{
    return peri_test_handle(L, idx, &compact_kind);
}

/* The model at argument 1, in either form. The tables may have been changed since they were
 * checked, so what their memory needs is looked at again, and they are kept on the stack. */
static void open_model(lua_State *L, opened *o)
{
    const compact *c = test_compact(L, 1);
    memset(o, 0, sizeof *o);
    if (c != NULL) {
        o->model = c->model;
        o->counts = c->counts;
        return;
    }
    if (lua_type(L, 1) != LUA_TTABLE)
        peri_argerror(L, 1, "model: expected a model of pg.cpt, got %s", peri_push_got(L, 1));
    const size_t d = (size_t)lua_rawlen(L, 1);
    if (d == 0 || d > MAX_TABLES)
        peri_error(L, "the model's tables were changed: there are %I", (LUAI_UACINT)d);
    luaL_checkstack(L, MAX_TABLES + 12, "model");
    for (size_t k = 1; k <= d; k++) {
        lua_rawgeti(L, 1, (lua_Integer)k);
        const peri_array *a = peri_test_array(L, -1);
        if (a == NULL || !peri_is_f64(a->dtype) || a->size != (size_t)1 << k ||
            !peri_is_contiguous(a))
            peri_error(L, "the model's table %d was changed", (int)k);
        o->tables[k - 1] = a->data;
    }
    o->model = (peri_cpt){.d = d, .tables = o->tables};
}

static const peri_stop *stop_of(lua_State *L)
{
    return &peri_getstate(L)->stop;
}

/* "tables[3][1][2]": table k and the pixels that pair i stands for. */
static const char *push_pair(lua_State *L, size_t k, size_t i)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    lua_pushfstring(L, "tables[%d]", (int)k);
    luaL_addvalue(&b);
    for (size_t bit = k - 1; bit-- > 0;)
        luaL_addstring(&b, i >> bit & 1 ? "[2]" : "[1]");
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

/* check(tables) -> list: the tables as contiguous f64 arrays, themselves where they are that. */
static int check(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TTABLE || lua_rawlen(L, 1) == 0)
        peri_argerror(L, 1, "tables: expected a sequence of arrays, got %s",
                      lua_type(L, 1) == LUA_TTABLE ? "an empty table" : peri_push_got(L, 1));
    const size_t d = (size_t)lua_rawlen(L, 1);
    if (d > MAX_TABLES)
        peri_argerror(L, 1, "tables: at most %d, got %I", MAX_TABLES, (LUAI_UACINT)d);
    lua_createtable(L, (int)d, 0);
    const int list = lua_gettop(L);
    for (size_t k = 1; k <= d; k++) {
        lua_rawgeti(L, 1, (lua_Integer)k);
        const int at = lua_gettop(L);
        const peri_array *a = peri_test_array(L, at);
        if (a == NULL && lua_type(L, at) != LUA_TTABLE)
            peri_argerror(L, 1, "tables[%d]: expected array, got %s", (int)k, peri_push_got(L, at));
        a = peri_arg_contiguous(L, at, "tables", PERI_F64, -1);
        bool good = (size_t)a->ndim == k;
        for (int axis = 0; axis < a->ndim; axis++)
            good = good && a->shape[axis] == 2;
        if (!good) {
            size_t wanted[MAX_TABLES];
            for (size_t axis = 0; axis < k; axis++)
                wanted[axis] = 2;
            const char *want = peri_push_shape(L, (int)k, wanted);
            peri_argerror(L, 1, "tables[%d]: expected shape %s, got %s", (int)k, want,
                          peri_push_shape(L, a->ndim, a->shape));
        }
        peri_facts facts = {0};
        const double *p = a->data;
        if (peri_cpt_check_table(p, k, &facts) != PERI_OK) {
            const size_t i = facts.index[0];
            const char *place = push_pair(L, k, i);
            if (facts.nindex == 2)
                peri_argerror(L, 1, "%s[%d] is %f, expected a probability in [0, 1]", place,
                              (int)facts.index[1] + 1, facts.got);
            peri_argerror(L, 1, "%s: %f and %f sum to %f, expected 1 within 1e-6", place, p[2 * i],
                          p[2 * i + 1], facts.got);
        }
        lua_rawseti(L, list, (lua_Integer)k);
        if (peri_stop_requested(stop_of(L)))
            peri_check(L, 0, PERI_ERR_INTERRUPTED, NULL);
    }
    return 1;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

/* collect(X, alpha [, counts]) -> compact, stored, images, observations */
static int collect(lua_State *L)
{
    const peri_array *X = peri_arg_array(L, 1, "X");
    const double alpha = peri_arg_number(L, 2, "alpha");
    if (X->ndim != 2)
        peri_argerror(L, 1, "X: expected images as rows, n x d, got shape %s",
                      peri_push_shape(L, X->ndim, X->shape));
    const size_t n = X->shape[0], d = X->shape[1];
    if (n == 0 || d == 0)
        peri_argerror(L, 1, "X: expected at least one image of at least one pixel, got shape %s",
                      peri_push_shape(L, X->ndim, X->shape));
    if (n > INT32_MAX || d > INT32_MAX)
        peri_argerror(L, 1, "X: at most 2^31 - 1 images and pixels");
    if (!(alpha >= 0.0 && isfinite(alpha)))
        peri_argerror(L, 2, "alpha: expected a finite number of at least 0, got %f", alpha);
    const double *weights = NULL;
    if (!lua_isnoneornil(L, 3)) {
        const peri_array *w = peri_arg_contiguous(L, 3, "counts", PERI_F64, 1);
        if (w->size != n)
            peri_argerror(L, 3, "counts: expected one an image, %I, got %I", (LUAI_UACINT)n,
                          (LUAI_UACINT)w->size);
        weights = w->data;
        for (size_t i = 0; i < n; i++)
            if (!(weights[i] >= 1.0 && weights[i] <= 0x1p53 && weights[i] == floor(weights[i])))
                peri_argerror(L, 3, "counts: element %I is %f, expected an integer of at least 1",
                              (LUAI_UACINT)i + 1, weights[i]);
    }
    const size_t W = peri_cpt_words(d), packed = peri_mul_size(L, n, W * 8);
    uint64_t *rows = peri_push_scratch(L, packed);
    double *counts = peri_push_scratch(L, n * sizeof *counts);
    uint64_t *work = peri_push_scratch(L, packed + 8 * n);
    size_t *stack = peri_push_scratch(L, 3 * (d + 1) * sizeof *stack);
    const peri_view view = peri_view_of(X);
    peri_facts facts = {0};
    size_t u = 0;
    peri_check(L, 1, peri_cpt_collect(&view, weights, rows, counts, work, &u, stop_of(L), &facts),
               &facts);

    const size_t head = aligned(sizeof(compact)),
                 nodes = aligned((2 * u - 1) * sizeof(peri_cpt_node)), images = aligned(u * W * 8);
    compact *c = peri_push_handle(L, &compact_kind, head + nodes + images + u * sizeof *counts, 0);
    char *block = (char *)c;
    peri_cpt_node *tree = (peri_cpt_node *)(block + head);
    uint64_t *kept = (uint64_t *)(block + head + nodes);
    c->counts = (double *)(block + head + nodes + images);
    memcpy(kept, rows, u * W * 8);
    memcpy(c->counts, counts, u * sizeof *counts);
    const double stored = peri_cpt_grow(kept, counts, u, d, tree, stack);
    c->model = (peri_cpt){.d = d, .u = u, .nodes = tree, .rows = kept, .alpha = alpha};
    lua_pushnumber(L, 2.0 * stored);
    lua_pushinteger(L, (lua_Integer)u);
    lua_pushnumber(L, tree[0].count);
    return 4;
}

/* images(compact) -> X (u x d, f32), counts */
static int images(lua_State *L)
{
    const compact *c = test_compact(L, 1);
    if (c == NULL)
        return 0;
    const size_t d = c->model.d, u = c->model.u, shape[] = {u, d};
    double *row = peri_push_scratch(L, d * sizeof *row);
    const peri_array *X = peri_push_array(L, PERI_F32, 2, shape);
    float *x = X->data;
    for (size_t i = 0; i < u; i++) {
        peri_cpt_unpack(c->model.rows, i, d, row);
        for (size_t k = 0; k < d; k++)
            x[i * d + k] = (float)row[k];
    }
    const peri_array *counts = peri_push_array(L, PERI_F64, 1, &u);
    memcpy(counts->data, c->counts, u * sizeof *c->counts);
    return 2;
}

/* sample(model, n, rng) -> X */
static int sample(lua_State *L)
{
    opened o;
    open_model(L, &o);
    const lua_Integer n = peri_arg_integer(L, 2, "n", 0, LUA_MAXINTEGER);
    peri_rng *rng = peri_arg_rng(L, 3);
    const size_t shape[] = {(size_t)n, o.model.d};
    const peri_array *X = peri_push_array(L, PERI_F64, 2, shape);
    peri_check(L, 0, peri_cpt_sample(&o.model, rng, shape[0], X->data, stop_of(L)), NULL);
    return 1;
}

/* logprob(model, X) -> array; X is n x d */
static int logprob(lua_State *L)
{
    opened o;
    open_model(L, &o);
    const peri_array *X = peri_arg_array(L, 2, "X");
    if (X->ndim != 2 || X->shape[1] != o.model.d)
        peri_argerror(L, 2, "X: expected images as rows, n x %I, got shape %s",
                      (LUAI_UACINT)o.model.d, peri_push_shape(L, X->ndim, X->shape));
    const peri_view view = peri_view_of(X);
    const peri_array *out = peri_push_array(L, PERI_F64, 1, X->shape);
    peri_facts facts = {0};
    peri_check(L, 2, peri_cpt_logprob(&o.model, &view, out->data, stop_of(L), &facts), &facts);
    return 1;
}

/* conditional(model, prefix) -> p */
static int conditional(lua_State *L)
{
    opened o;
    open_model(L, &o);
    if (peri_test_array(L, 2) == NULL && lua_type(L, 2) != LUA_TTABLE)
        peri_argerror(L, 2, "prefix: expected an array or a table of pixels, got %s",
                      peri_push_got(L, 2));
    if (lua_type(L, 2) == LUA_TTABLE && lua_rawlen(L, 2) == 0) {
        lua_pushnumber(L, peri_cpt_conditional(&o.model, NULL, 0));
        return 1;
    }
    const peri_array *prefix = peri_arg_contiguous(L, 2, "prefix", PERI_F64, 1);
    if (prefix->size >= o.model.d)
        peri_argerror(L, 2, "prefix: expected fewer than d = %I pixels, got %I",
                      (LUAI_UACINT)o.model.d, (LUAI_UACINT)prefix->size);
    const double *pixel = prefix->data;
    for (size_t i = 0; i < prefix->size; i++)
        if (pixel[i] != 0.0 && pixel[i] != 1.0)
            peri_argerror(L, 2, "prefix: element %I is %f, expected a pixel, 0 or 1",
                          (LUAI_UACINT)i + 1, pixel[i]);
    lua_pushnumber(L, peri_cpt_conditional(&o.model, pixel, prefix->size));
    return 1;
}

/* entropy(model) -> nats */
static int entropy(lua_State *L)
{
    opened o;
    open_model(L, &o);
    double nats, *work = peri_push_scratch(L, (4 * o.model.u + 1) * sizeof *work);
    peri_check(L, 0, peri_cpt_entropy(&o.model, &nats, work, stop_of(L)), NULL);
    lua_pushnumber(L, nats);
    return 1;
}

/* support(model, max) -> X, p; or nothing where there are more than max images */
static int support(lua_State *L)
{
    opened o;
    open_model(L, &o);
    const size_t most = (size_t)peri_arg_integer(L, 2, "max", 1, INT32_MAX);
    size_t found, count;
    peri_check(L, 0, peri_cpt_support(&o.model, most, NULL, NULL, &found, stop_of(L)), NULL);
    if (found > most)
        return 0;
    const size_t shape[] = {found, o.model.d};
    const peri_array *X = peri_push_array(L, PERI_F64, 2, shape);
    const peri_array *p = peri_push_array(L, PERI_F64, 1, &found);
    peri_check(L, 0, peri_cpt_support(&o.model, found, X->data, p->data, &count, stop_of(L)), NULL);
    return 2;
}

PERI_OPENER(cpt)
{
    static const peri_primitive functions[] = {
        {"check", check, "cpt.new", PERI_FUNCTION},
        {"collect", collect, "cpt.estimate", PERI_FUNCTION},
        {"images", images, NULL, PERI_METHOD},
        {"sample", sample, NULL, PERI_METHOD},
        {"logprob", logprob, NULL, PERI_METHOD},
        {"conditional", conditional, NULL, PERI_METHOD},
        {"entropy", entropy, NULL, PERI_METHOD},
        {"support", support, NULL, PERI_METHOD},
        {NULL, NULL, NULL, 0},
    };
    peri_primitives(L, functions);
    return 1;
}
