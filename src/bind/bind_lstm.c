/* SPDX-License-Identifier: MIT
 *
 * The primitives of lua/perigee/lstm.lua. A net is a userdata with its sizes; user value 1 keeps
 * its workspace from call to call. Lua has checked shapes and values where a message names a user's
 * argument. */
#include <stdint.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/lstm.h"

static const peri_handle_kind net_kind = {.name = "lstm sizes"}, lengths_kind = {.name = "lengths"},
                              history_kind = {.name = "lstm history"};

/* What a forward run left for a backward one; the memory is user value 1. */
typedef struct {
    peri_lstm_sizes net;
    size_t batch, steps;
    const void *data;
} history;

/* How many steps of each sequence count. */
typedef struct {
    size_t count, steps; /* sequences, and the most steps that one of them has */
    size_t of[];
} lengths;

static const peri_lstm_sizes *check_net(lua_State *L)
{
    return peri_arg_handle(L, 1, "net", &net_kind);
}

/* open(input, hidden, layers, output, dtype) -> net, nparams; nil when the size overflows */
static int lstm_open(lua_State *L)
{
    const peri_lstm_sizes sizes = {.input = (size_t)luaL_checkinteger(L, 1),
                                   .hidden = (size_t)luaL_checkinteger(L, 2),
                                   .layers = (size_t)luaL_checkinteger(L, 3),
                                   .output = (size_t)luaL_checkinteger(L, 4),
                                   .dtype = peri_arg_dtype(L, 5, PERI_F32)};
    const size_t nparams = peri_lstm_nparams(&sizes);
    if (nparams == 0)
        return 0;
    peri_lstm_sizes *net = peri_push_handle(L, &net_kind, sizeof *net, 1);
    *net = sizes;
    lua_pushinteger(L, (lua_Integer)nparams);
    return 2;
}

static void push_part_name(lua_State *L, const peri_lstm_part *part)
{
    static const char *const names[] = {"weight_ih_l%I", "weight_hh_l%I", "bias_ih_l%I",
                                        "bias_hh_l%I"};
    if (part->kind == PERI_LSTM_FC_W)
        lua_pushliteral(L, "fc.weight");
    else if (part->kind == PERI_LSTM_FC_B)
        lua_pushliteral(L, "fc.bias");
    else
        lua_pushfstring(L, names[part->kind], (LUAI_UACINT)part->layer);
}

/* parts(net) -> list of {name, first, last, rows, columns or nil}, positions from 1 */
static int lstm_parts(lua_State *L)
{
    const peri_lstm_sizes *net = check_net(L);
    const size_t n = peri_lstm_nparts(net);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        const peri_lstm_part part = peri_lstm_get_part(net, i);
        const size_t end = part.offset + part.rows * part.columns;
        lua_createtable(L, 5, 0);
        push_part_name(L, &part);
        lua_rawseti(L, -2, 1);
        lua_pushinteger(L, (lua_Integer)part.offset + 1);
        lua_rawseti(L, -2, 2);
        lua_pushinteger(L, (lua_Integer)end);
        lua_rawseti(L, -2, 3);
        lua_pushinteger(L, (lua_Integer)part.rows);
        lua_rawseti(L, -2, 4);
        if (part.kind != PERI_LSTM_B_IH && part.kind != PERI_LSTM_B_HH &&
            part.kind != PERI_LSTM_FC_B) {
            lua_pushinteger(L, (lua_Integer)part.columns);
            lua_rawseti(L, -2, 5);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static void *align(void *block)
{
    return (void *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
}

/* Workspace of at least `bytes`, the last call's where it suffices. It is left on the stack: a
 * finaliser that uses the net may exchange the net's. */
static void *get_work(lua_State *L, size_t bytes)
{
    if (bytes == 0)
        peri_error(L, "the workspace would be too large");
    lua_getiuservalue(L, 1, 1);
    void *block = lua_touserdata(L, -1);
    if (block == NULL || lua_rawlen(L, -1) < bytes + 64) {
        lua_pop(L, 1);
        lua_pushnil(L);
        lua_setiuservalue(L, 1, 1);
        peri_push_scratch(L, bytes + 64);
        block = lua_touserdata(L, -1);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 1);
    }
    return align(block);
}

/* release(net): gives the workspace back to the collector. */
static int lstm_release(lua_State *L)
{
    check_net(L);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

/* ready(a, dtype) -> a itself, or a row-major copy of that dtype */
static int lstm_ready(lua_State *L)
{
    peri_arg_contiguous(L, 1, "a", peri_arg_dtype(L, 2, PERI_F32), -1);
    lua_settop(L, 1);
    return 1;
}

/* lengths(list, steps) -> userdata; or nil, position, value of the first that is none */
static int lstm_lengths(lua_State *L)
{
    const peri_array *list = peri_arg_contiguous(L, 1, "lengths", PERI_F64, 1);
    const lua_Integer steps = luaL_checkinteger(L, 2);
    lengths *l = peri_push_handle(L, &lengths_kind, sizeof *l + list->size * sizeof *l->of, 0);
    l->count = list->size;
    for (size_t i = 0; i < list->size; i++) {
        const double value = ((const double *)list->data)[i];
        if (!(value >= 1 && value <= (double)steps && value == (double)(size_t)value)) {
            lua_pushnil(L);
            lua_pushinteger(L, (lua_Integer)i + 1);
            lua_pushnumber(L, value);
            return 3;
        }
        l->of[i] = (size_t)value;
        l->steps = l->of[i] > l->steps ? l->of[i] : l->steps;
    }
    return 1;
}

/* The lengths at arg of `count` sequences of at most `steps`; NULL where it is absent. */
static const size_t *check_lengths(lua_State *L, int arg, size_t count, size_t steps)
{
    if (lua_isnoneornil(L, arg))
        return NULL;
    const lengths *l = peri_arg_handle(L, arg, "lengths", &lengths_kind);
    if (l->count != count || l->steps > steps)
        peri_argerror(L, arg, "lengths: expected those of %I sequences of %I steps at most",
                      (LUAI_UACINT)count, (LUAI_UACINT)steps);
    return l->of;
}

/* find_bad(a, bits, lengths or nil) -> nil, or the indices of an element of the 3-d a */
static int lstm_find_bad(lua_State *L)
{
    const peri_array *a = peri_arg_contiguous(L, 1, "a", -1, 3);
    const size_t *of = check_lengths(L, 3, a->shape[0], a->shape[1]);
    const size_t at = peri_lstm_find_bad(a->dtype, a->data, a->shape[0], a->shape[1], a->shape[2],
                                         lua_toboolean(L, 2), of);
    if (at == a->size)
        return 0;
    lua_pushinteger(L, (lua_Integer)(at / a->shape[2] / a->shape[1]) + 1);
    lua_pushinteger(L, (lua_Integer)(at / a->shape[2] % a->shape[1]) + 1);
    lua_pushinteger(L, (lua_Integer)(at % a->shape[2]) + 1);
    return 3;
}

/* An array of the net's dtype and of exactly this many elements. */
static void *check_data(lua_State *L, int arg, const char *name, const peri_lstm_sizes *net,
                        size_t size)
{
    const peri_array *a = peri_arg_contiguous(L, arg, name, net->dtype, -1);
    if (a->size != size)
        peri_argerror(L, arg, "%s: expected %I elements, got %s", name, (LUAI_UACINT)size,
                      peri_push_got(L, arg));
    return a->data;
}

/* As check_data, for what is written in place. */
static void *check_flat(lua_State *L, int arg, const char *name, const peri_lstm_sizes *net)
{
    const peri_array *a = peri_arg_array(L, arg, name);
    const size_t size = peri_lstm_nparams(net);
    if (a->dtype != net->dtype || a->size != size || !peri_is_contiguous(a))
        peri_argerror(L, arg, "%s: expected a contiguous array of %I elements of %s, got %s", name,
                      (LUAI_UACINT)size, peri_dtype_name(net->dtype), peri_push_got(L, arg));
    return a->data;
}

/* (batch, steps, net->input) */
static const peri_array *check_x(lua_State *L, int arg, const peri_lstm_sizes *net)
{
    const peri_array *x = peri_arg_contiguous(L, arg, "x", net->dtype, 3);
    if (x->shape[0] < 1 || x->shape[1] < 1 || x->shape[2] != net->input)
        peri_argerror(L, arg, "x: expected batch x time x %I, got %s", (LUAI_UACINT)net->input,
                      peri_push_got(L, arg));
    return x;
}

static void *push_state(lua_State *L, const peri_lstm_sizes *net, size_t N)
{
    return peri_push_array(L, net->dtype, 3, (size_t[]){net->layers, N, net->hidden})->data;
}

/* The state at arg and arg + 1, (L,N,H) each; nothing where it is nil. */
static void check_state(lua_State *L, int arg, const peri_lstm_sizes *net, size_t N, const void **h,
                        const void **c)
{
    const size_t size = peri_mul_size(L, peri_mul_size(L, net->layers, N), net->hidden);
    *h = lua_isnil(L, arg) ? NULL : check_data(L, arg, "h", net, size);
    *c = lua_isnil(L, arg + 1) ? NULL : check_data(L, arg + 1, "c", net, size);
}

/* forward(net, params, x, h or nil, c or nil [, keep]) -> logits, h, c [, history] */
static int lstm_forward(lua_State *L)
{
    lua_settop(L, 6);
    const peri_lstm_sizes *net = check_net(L);
    const void *params = check_flat(L, 2, "params", net);
    const peri_array *x = check_x(L, 3, net);
    const size_t N = x->shape[0], T = x->shape[1];
    const bool keep = lua_toboolean(L, 6);
    const peri_stop *stop = &peri_getstate(L)->stop;
    peri_lstm_input input = {.batch = N, .steps = T, .x = x->data};
    check_state(L, 4, net, N, &input.h0, &input.c0);
    if ((input.h0 == NULL) != (input.c0 == NULL))
        peri_argerror(L, 4, "h and c: expected both or none");
    void *work = get_work(L, keep ? peri_lstm_forward_workspace(net, N, T)
                                  : peri_lstm_workspace(net, N, T, false));
    peri_lstm_output output = {0};
    output.logits = peri_push_array(L, net->dtype, 3, (size_t[]){N, T, net->output})->data;
    output.hn = push_state(L, net, N);
    output.cn = push_state(L, net, N);
    if (!keep) {
        peri_check(L, 0, peri_lstm_run(net, params, &input, stop, &output, work), NULL);
        return 3;
    }
    const size_t bytes = peri_lstm_history(net, N, T);
    if (bytes == 0)
        peri_error(L, "the history would be too large");
    history *kept = peri_push_handle(L, &history_kind, sizeof *kept, 1);
    void *data = align(peri_push_scratch(L, bytes + 64));
    lua_setiuservalue(L, -2, 1);
    peri_check(L, 0, peri_lstm_forward(net, params, &input, data, stop, &output, work), NULL);
    *kept = (history){*net, N, T, data};
    return 4;
}

/* backward(net, params, history, grads or nil, dlogits, dh, dc, want x) -> dx or nil, dh0, dc0;
 * dlogits, dh and dc may each be nil, for 0 */
static int lstm_backward(lua_State *L)
{
    lua_settop(L, 8);
    const peri_lstm_sizes *net = check_net(L);
    const void *params = check_flat(L, 2, "params", net);
    const history *kept = peri_arg_handle(L, 3, "history", &history_kind);
    if (kept->data == NULL || kept->net.input != net->input || kept->net.hidden != net->hidden ||
        kept->net.layers != net->layers || kept->net.output != net->output ||
        kept->net.dtype != net->dtype)
        peri_argerror(L, 3, "history: expected one that this net's forward run left");
    const size_t N = kept->batch, T = kept->steps;
    peri_lstm_gradients g = {0};
    if (!lua_isnil(L, 4))
        g.grads = check_flat(L, 4, "grads", net);
    if (!lua_isnil(L, 5))
        g.dlogits =
            check_data(L, 5, "dlogits", net, peri_mul_size(L, peri_mul_size(L, N, T), net->output));
    check_state(L, 6, net, N, &g.dhn, &g.dcn);
    const bool want_x = lua_toboolean(L, 8);
    void *work = get_work(L, peri_lstm_backward_workspace(net, N, T));
    if (want_x)
        g.dx = peri_push_array(L, net->dtype, 3, (size_t[]){N, T, net->input})->data;
    else
        lua_pushnil(L);
    g.dh0 = push_state(L, net, N);
    g.dc0 = push_state(L, net, N);
    const peri_lstm_input input = {.batch = N, .steps = T};
    peri_check(
        L, 0,
        peri_lstm_backward(net, params, &input, kept->data, &peri_getstate(L)->stop, &g, work),
        NULL);
    return 3;
}

/* Sequences of the order at arg, elements first .. first+count-1 (from 1), as a pushed userdata
 * of indices. */
static const size_t *push_rows(lua_State *L, int arg, size_t N, size_t *count)
{
    const peri_array *order = peri_arg_contiguous(L, arg, "order", PERI_F64, 1);
    const size_t first = (size_t)luaL_checkinteger(L, arg + 1) - 1;
    *count = (size_t)luaL_checkinteger(L, arg + 2);
    if (*count < 1 || first >= order->size || *count > order->size - first)
        peri_argerror(L, arg + 2, "count: out of range");
    size_t *rows = lua_newuserdatauv(L, *count * sizeof *rows, 0);
    for (size_t i = 0; i < *count; i++) {
        const size_t at = first + i;
        const double row = ((const double *)order->data)[at];
        if (!(row >= 1 && row <= (double)N))
            peri_argerror(L, arg, "order: element %I is %f, expected one in 1..%I",
                          (LUAI_UACINT)at + 1, row, (LUAI_UACINT)N);
        rows[i] = (size_t)row - 1;
    }
    return rows;
}

/* loss(net, params, grads or nil, x, y, lengths or nil [, order, first, count]) -> loss, and
 * how many steps of how many outputs it is the mean of */
static int lstm_loss(lua_State *L)
{
    lua_settop(L, 9);
    const peri_lstm_sizes *net = check_net(L);
    const void *params = check_flat(L, 2, "params", net);
    const peri_array *x = check_x(L, 4, net);
    const size_t N = x->shape[0], T = x->shape[1];
    double loss;
    peri_lstm_output output = {.loss = &loss};
    if (!lua_isnil(L, 3)) {
        peri_arg_target_array(L, 3, "grads");
        output.grads = check_flat(L, 3, "grads", net);
    }
    peri_lstm_input input = {.batch = N, .steps = T, .x = x->data};
    input.y = check_data(L, 5, "y", net, peri_mul_size(L, peri_mul_size(L, N, T), net->output));
    input.lengths = check_lengths(L, 6, N, T);
    if (!lua_isnil(L, 7))
        input.rows = push_rows(L, 7, N, &input.batch);
    void *work = get_work(L, peri_lstm_workspace(net, input.batch, T, output.grads != NULL));
    peri_check(L, 0, peri_lstm_run(net, params, &input, &peri_getstate(L)->stop, &output, work),
               NULL);
    lua_pushnumber(L, loss);
    lua_pushnumber(L, peri_lstm_counted(net, &input));
    return 2;
}

/* row_loss(net, params, x, y) -> f64 array, the summed loss of each sequence */
static int lstm_row_loss(lua_State *L)
{
    lua_settop(L, 4);
    const peri_lstm_sizes *net = check_net(L);
    const void *params = check_flat(L, 2, "params", net);
    const peri_array *x = check_x(L, 3, net);
    const size_t N = x->shape[0], T = x->shape[1];
    peri_lstm_input input = {.batch = N, .steps = T, .x = x->data};
    input.y = check_data(L, 4, "y", net, peri_mul_size(L, peri_mul_size(L, N, T), net->output));
    void *work = get_work(L, peri_lstm_workspace(net, N, T, false));
    peri_lstm_output output = {0};
    output.row_loss = peri_push_array(L, PERI_F64, 1, &N)->data;
    peri_check(L, 0, peri_lstm_run(net, params, &input, &peri_getstate(L)->stop, &output, work),
               NULL);
    return 1;
}

/* sample(net, params, uniform) -> array of 0/1 of uniform's shape, count x steps x D */
static int lstm_sample(lua_State *L)
{
    const peri_lstm_sizes *net = check_net(L);
    const void *params = check_flat(L, 2, "params", net);
    const peri_array *u = peri_arg_contiguous(L, 3, "uniform", PERI_F64, 3);
    if (net->input != net->output || u->shape[2] != net->input)
        peri_argerror(L, 3, "uniform: expected count x steps x %I, got %s", (LUAI_UACINT)net->input,
                      peri_push_got(L, 3));
    void *work = get_work(L, peri_lstm_sample_workspace(net, u->shape[0]));
    const peri_array *out = peri_push_array(L, net->dtype, 3, u->shape);
    peri_facts facts = {0};
    const peri_status status = peri_lstm_sample(net, params, u->shape[0], u->shape[1], u->data,
                                                &peri_getstate(L)->stop, out->data, work, &facts);
    if (status == PERI_ERR_NONFINITE)
        peri_error(L,
                   "the net gives nan for sequence %I, step %I: its parameters are not finite, or "
                   "so large that their sums are not",
                   (LUAI_UACINT)facts.index[0] + 1, (LUAI_UACINT)facts.index[1] + 1);
    peri_check(L, 0, status, NULL);
    return 1;
}

PERI_OPENER(lstm)
{
    static const luaL_Reg functions[] = {
        {"open", lstm_open},         {"parts", lstm_parts},       {"release", lstm_release},
        {"ready", lstm_ready},       {"lengths", lstm_lengths},   {"find_bad", lstm_find_bad},
        {"forward", lstm_forward},   {"backward", lstm_backward}, {"loss", lstm_loss},
        {"row_loss", lstm_row_loss}, {"sample", lstm_sample},     {NULL, NULL}};
    lua_newtable(L);
    peri_set_functions(L, functions, PERI_FUNCTION);
    return 1;
}
