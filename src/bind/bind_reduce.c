/* SPDX-License-Identifier: MIT
 *
 * Reductions: sum, mean, max and their kin over all axes, one or several. */
#include <math.h>

#include "bind/bind.h"
#include "bind/out.h"
#include "bind/tape.h"
#include "kernel/copy.h"
#include "kernel/elementwise.h"
#include "kernel/reduce.h"
#include "kernel/softmax.h"

enum { LONG = 1 << 17 };

/* What (a [, axis | {axes}] [, options]) asks for. */
struct request {
    const peri_array *a;
    bool reduced[PERI_MAX_NDIM];
    bool whole; /* no axis was named */
    bool keepdims;
    int options; /* the argument that holds them */
    double ddof;
};

/* An array, or what can be made one. */
static const peri_array *read_array(lua_State *L)
{
    const peri_array *a = peri_test_array(L, 1);
    if (a != NULL)
        return a;
    return lua_istable(L, 1) ? peri_arg_any(L, 1, "a") : peri_arg_array(L, 1, "a");
}

static void read_request(lua_State *L, const char *const names[], struct request *r)
{
    r->a = read_array(L);
    r->keepdims = false;
    r->ddof = 0;
    peri_arg_axes(L, 2, r->a->ndim, r->reduced, &r->whole, &r->options);
    if (lua_isnoneornil(L, r->options)) {
        r->options = 0;
        return;
    }
    peri_options(L, r->options, names);
    r->keepdims = peri_option_boolean(L, r->options, "keepdims", false);
    r->ddof = peri_option_number(L, r->options, "ddof", 0);
}

/* For what goes along one axis. */
static void refuse_list(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TTABLE && lua_rawlen(L, 2) > 0)
        peri_argerror(L, 2, "axis: expected an integer, got a table");
}

static const char *const plain_names[] = {"keepdims", "out", NULL};
static const char *const ddof_names[] = {"keepdims", "ddof", "out", NULL};

/* The result's array, on top of the stack, and it as a view with an axis for each of a's (shape
 * and stride are given the room). Returns NULL, and *view is of one double, *number, where the
 * result has no axes and no array was asked for. */
static peri_array *push_result(lua_State *L, const struct request *r, bool mask, int dtype,
                               double *number, peri_view *view, size_t shape[PERI_MAX_NDIM],
                               ptrdiff_t stride[PERI_MAX_NDIM])
{
    const peri_array *a = r->a;
    *view = (peri_view){number, PERI_F64, a->ndim, shape, stride};
    if (r->whole && r->options == 0)
        return NULL; /* and no axis is looked at */
    size_t kept[PERI_MAX_NDIM];
    int ndim = 0;
    for (int axis = 0; axis < a->ndim; axis++) {
        shape[axis] = r->reduced[axis] ? 1 : a->shape[axis];
        stride[axis] = 0;
        if (!r->reduced[axis] || r->keepdims)
            kept[ndim++] = shape[axis];
    }
    const bool given = r->options != 0 && peri_option_given(L, r->options, "out");
    if (ndim == 0 && !given)
        return NULL;
    if (mask && given) { /* it may be kept as numbers too */
        peri_option_push(L, r->options, "out");
        const peri_array *numbers = peri_peek_array(L, -1);
        if (numbers != NULL && peri_is_real(numbers->dtype))
            dtype = numbers->dtype;
        lua_pop(L, 1);
    }
    peri_array *out = given ? peri_option_out(L, r->options, dtype, ndim, kept)
                            : peri_push_array(L, dtype, ndim, kept);
    int k = 0;
    for (int axis = 0; axis < a->ndim; axis++) {
        if (r->keepdims)
            stride[axis] = out->stride[axis];
        else if (!r->reduced[axis])
            stride[axis] = out->stride[k++];
    }
    view->data = out->data;
    view->dtype = out->dtype;
    return out;
}

/* The input as a view; a copy of it (kept alive below the result) where the result is written into
 * its memory. */
static peri_view view_input(lua_State *L, const struct request *r, const peri_array *out)
{
    const peri_array *a = r->a;
    if (out != NULL && r->options != 0 && peri_overlaps(a, out)) {
        a = peri_push_copy(L, a, -1);
        lua_insert(L, -2);
    }
    return peri_view_of(a);
}

static const peri_stop *stop_flag(lua_State *L, const peri_array *a)
{
    return a->size >= LONG ? &peri_getstate(L)->stop : NULL;
}

/* Least and largest, and their places, are not defined for nothing. */
static void refuse_empty(lua_State *L, const struct request *r)
{
    if (r->a->size != 0)
        return;
    for (int axis = 0; axis < r->a->ndim; axis++)
        if (r->reduced[axis] && r->a->shape[axis] == 0)
            peri_error(L, "no element to choose from in an array of shape %s",
                       peri_push_shape(L, r->a->ndim, r->a->shape));
}

static const char *const *option_names(const peri_op *op)
{
    return op->id == PERI_VAR || op->id == PERI_STD ? ddof_names : plain_names;
}

/* The usual case, all elements of an array without holes, and no gradient. */
static int reduce_dense(lua_State *L, const peri_op *op, const peri_array *a)
{
    double number = 0;
    const peri_stop *stop = a->size >= LONG ? &peri_getstate(L)->stop : NULL;
    const peri_status status =
        peri_reduce_dense((peri_reduction)op->id, a->dtype, a->size, a->data, 0, &number, stop);
    if (stop != NULL || status != PERI_OK)
        peri_check(L, 0, status, NULL);
    if (op->result == PERI_RESULT_MASK)
        lua_pushboolean(L, number != 0);
    else
        lua_pushnumber(L, number);
    return 1;
}

/* Any reduction: an array, or the number, or the truth. */
static int reduce(lua_State *L)
{
    const peri_op *op = peri_row(L);
    const int given = lua_gettop(L);
    const peri_array *plain = given == 1 ? peri_plain_array(L, 1) : NULL;
    if (plain != NULL && plain->dense && plain->size > 0)
        return reduce_dense(L, op, plain);
    struct request r;
    peri_view to;
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    double number = 0;
    read_request(L, option_names(op), &r);
    if (op->id == PERI_MIN || op->id == PERI_MAX)
        refuse_empty(L, &r);
    const int dtype = peri_op_dtype(op, r.a->dtype);
    const peri_array *out =
        push_result(L, &r, op->result == PERI_RESULT_MASK, dtype, &number, &to, shape, stride);
    const peri_view from = view_input(L, &r, out);
    peri_check(
        L, 0, peri_reduce((peri_reduction)op->id, &from, r.reduced, r.ddof, &to, stop_flag(L, r.a)),
        NULL);
    if (out == NULL && op->result == PERI_RESULT_MASK)
        lua_pushboolean(L, number != 0);
    else if (out == NULL)
        lua_pushnumber(L, number);
    return peri_recorded(L, r.a->node, given);
}

/* ---- places ------------------------------------------------------------------------------ */

/* The usual case, as in reduce_dense. */
static int position_dense(lua_State *L, bool largest, const peri_array *a)
{
    static const bool reduced[1] = {true};
    static const size_t one = 1;
    static const ptrdiff_t step = 1;
    const peri_stop *stop = stop_flag(L, a);
    double number = 0;
    const peri_view from = {a->data, a->dtype, 1, &a->size, &step},
                    to = {&number, PERI_F64, 1, &one, &step};
    const peri_status status = peri_reduce_position(largest, &from, reduced, &to, stop);
    if (stop != NULL || status != PERI_OK)
        peri_check(L, 0, status, NULL);
    lua_pushinteger(L, (lua_Integer)number + 1);
    return 1;
}

static int position(lua_State *L)
{
    const peri_op *op = peri_row(L);
    const bool largest = op->id == PERI_ALONG_ARGMAX;
    struct request r;
    peri_view to;
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    double number = 0;
    const peri_array *plain = lua_gettop(L) == 1 ? peri_plain_array(L, 1) : NULL;
    if (plain != NULL && plain->dense && plain->size > 0)
        return position_dense(L, largest, plain);
    refuse_list(L);
    read_request(L, plain_names, &r);
    refuse_empty(L, &r);
    peri_array *out = push_result(L, &r, false, PERI_F64, &number, &to, shape, stride);
    const peri_view from = view_input(L, &r, out);
    peri_check(L, 0, peri_reduce_position(largest, &from, r.reduced, &to, stop_flag(L, r.a)), NULL);
    if (out == NULL) {
        lua_pushinteger(L, (lua_Integer)number + 1);
        return 1;
    }
    const double one = 1;
    static const ptrdiff_t none[PERI_MAX_NDIM];
    const peri_view places[2] = {peri_view_of(out),
                                 {(void *)(uintptr_t)&one, PERI_F64, out->ndim, out->shape, none}};
    peri_elementwise(PERI_EW_ADD, places, &places[0], NULL);
    return 1;
}

/* ---- as large as the input --------------------------------------------------------------- */

static const char *const out_names[] = {"out", NULL};

/* The options' `out`, or a new array of a's dtype; on top of the stack. Where the two overlap, a
 * copy stands in the place of *a. */
static peri_array *push_like(lua_State *L, peri_array **a, int options, int ndim,
                             const size_t *shape)
{
    return options == 0 ? peri_push_array(L, (*a)->dtype, ndim, shape)
                        : peri_option_out_from(L, options, (*a)->dtype, ndim, shape, 1, a);
}

static int scan(lua_State *L)
{
    const peri_op *op = peri_row(L);
    const bool product = op->id == PERI_ALONG_CUMPROD;
    struct request r;
    const peri_array *plain = lua_gettop(L) == 1 ? peri_plain_array(L, 1) : NULL;
    if (plain != NULL && plain->dense && peri_is_real(plain->dtype)) { /* the usual case */
        const ptrdiff_t step = 1;
        const peri_stop *stop = stop_flag(L, plain);
        const peri_array *out = peri_push_array(L, plain->dtype, 1, &plain->size);
        const peri_view all = {plain->data, plain->dtype, 1, &plain->size, &step};
        const peri_view to = peri_view_of(out);
        const peri_status status = peri_scan(product, &all, 0, &to, stop);
        if (stop != NULL || status != PERI_OK)
            peri_check(L, 0, status, NULL);
        return 1;
    }
    refuse_list(L);
    read_request(L, out_names, &r);
    peri_array *a = peri_arg_operand(L, 1, "a");
    int axis = 0;
    peri_view from;
    if (r.whole) {
        if (!peri_is_contiguous(a))
            a = peri_push_copy(L, a, -1);
        const size_t size = a->size;
        const ptrdiff_t step = 1;
        const peri_array *out = push_like(L, &a, r.options, 1, &size);
        from = (peri_view){a->data, a->dtype, 1, &size, &step};
        const peri_view to = peri_view_of(out);
        peri_check(L, 0, peri_scan(product, &from, 0, &to, stop_flag(L, a)), NULL);
        return 1;
    }
    while (!r.reduced[axis])
        axis++;
    const peri_array *out = push_like(L, &a, r.options, a->ndim, a->shape);
    from = peri_view_of(a);
    const peri_view to = peri_view_of(out);
    peri_check(L, 0, peri_scan(product, &from, axis, &to, stop_flag(L, a)), NULL);
    return 1;
}

/* Whether groups are rows in memory: the reduced axes are the last ones. *cols: elements of one. */
static bool are_rows(const struct request *r, const peri_array *a, size_t *cols)
{
    *cols = 1;
    int axis = a->ndim - 1;
    for (; axis >= 0 && r->reduced[axis]; axis--)
        *cols *= a->shape[axis];
    for (; axis >= 0; axis--)
        if (r->reduced[axis])
            return false;
    return true;
}

/* softmax and log_softmax of groups that lie strewn: what one has in common first, then all. */
static void share_strewn(lua_State *L, const struct request *r, peri_along op,
                         const peri_view *from, const peri_view *to, const peri_stop *stop)
{
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    for (int axis = 0; axis < from->ndim; axis++)
        shape[axis] = r->reduced[axis] ? 1 : from->shape[axis];
    const peri_array *one = peri_push_array(L, from->dtype, from->ndim, shape);
    /* One number of each group, seen in the shape of all. */
    const peri_view small = peri_view_of(one);
    peri_broadcast_strides(&small, from->ndim, from->shape, stride);
    const peri_view spread = {one->data, one->dtype, from->ndim, from->shape, stride};
    const peri_reduction first = op == PERI_ALONG_SOFTMAX ? PERI_MAX : PERI_LOGSUMEXP;
    peri_check(L, 0, peri_reduce(first, from, r->reduced, 0, &small, stop), NULL);
    peri_check(L, 0, peri_elementwise(PERI_EW_SUB, (peri_view[]){*from, spread}, to, stop), NULL);
    if (op == PERI_ALONG_SOFTMAX) {
        peri_check(L, 0, peri_elementwise(PERI_EW_EXP, to, to, stop), NULL);
        peri_check(L, 0, peri_reduce(PERI_SUM, to, r->reduced, 0, &small, stop), NULL);
        peri_check(L, 0, peri_elementwise(PERI_EW_DIV, (peri_view[]){*to, spread}, to, stop), NULL);
    }
    lua_pop(L, 1);
}

static int share(lua_State *L)
{
    const peri_op *op = peri_row(L);
    struct request r;
    size_t cols;
    read_request(L, out_names, &r);
    peri_array *a = peri_arg_operand(L, 1, "a");
    const peri_array *out = push_like(L, &a, r.options, a->ndim, a->shape);
    const peri_view from = peri_view_of(a), to = peri_view_of(out);
    if (a->size == 0)
        return 1;
    if (!are_rows(&r, a, &cols) || !out->dense) {
        share_strewn(L, &r, (peri_along)op->id, &from, &to, stop_flag(L, a));
        return 1;
    }
    if (!a->dense)
        peri_copy(&to, &from);
    peri_softmax(op->id == PERI_ALONG_SOFTMAX ? PERI_SOFTMAX : PERI_LOG_SOFTMAX, a->size / cols,
                 cols, a->dtype, a->dense ? a->data : out->data, out->data);
    peri_check(L, 0, PERI_OK, NULL);
    return 1;
}

PERI_OPENER(reduce)
{
    for (int k = 0; k < PERI_REDUCTIONS; k++)
        peri_array_operation(L, peri_reduction_ops[k].name, reduce, NULL, NULL,
                             &peri_reduction_ops[k]);
#define REGISTER(ID, name, ...)                                                                    \
    peri_array_operation(L, name, FUNCTION, NULL, NULL, &peri_along_ops[PERI_ALONG_##ID]);
#define FUNCTION position
    PERI_EACH_PLACE(REGISTER)
#undef FUNCTION
#define FUNCTION scan
    PERI_EACH_SCAN(REGISTER)
#undef FUNCTION
#define FUNCTION share
    PERI_EACH_SHARE(REGISTER)
#undef FUNCTION
    return 0;
}
