/* SPDX-License-Identifier: MIT
 *
 * Operators and elementwise functions, with NumPy's broadcasting. f32 with f64 gives f64; a Lua
 * number promotes nothing, and numbers alone give a number. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/tape.h"
#include "kernel/activation.h"
#include "kernel/copy.h"
#include "kernel/elementwise.h"

enum { MOST_INPUTS = 3 };

/* From this size on a kernel is told where the stop flag is. */
enum { LONG = 1 << 17 };

struct input {
    peri_array *array; /* NULL: a number */
    double f64;
    float f32;
    unsigned char u8;
};

/* The name of input k, for messages: a word of the row's arguments. */
typedef struct {
    char text[16];
} input_name;

static input_name name_input(const peri_op *op, int k)
{
    input_name name = {{0}};
    const char *from = op->arguments;
    for (; k > 0; k--)
        from += strcspn(from, ",") + 1;
    from += strspn(from, " [");
    memcpy(name.text, from, strcspn(from, ", ]") % sizeof name.text);
    return name;
}

static int arity(const peri_op *op)
{
    assert(op->arity <= MOST_INPUTS);
    return op->arity;
}

static void set_number(struct input *in, double x)
{
    in->array = NULL;
    in->f64 = x;
    in->f32 = (float)x;
}

/* Reads a number, an array or a nested table of numbers. */
static void read_input(lua_State *L, int arg, const peri_op *op, int k, struct input *in)
{
    in->array = peri_plain_array(L, arg);
    if (in->array != NULL)
        return;
    switch (lua_type(L, arg)) {
    case LUA_TNUMBER:
        set_number(in, lua_tonumber(L, arg));
        return;
    case LUA_TTABLE:
        in->array = peri_arg_any(L, arg, name_input(op, k).text);
        return;
    default:
        in->array = peri_test_array(L, arg);
        if (in->array != NULL)
            return;
        if (lua_isnone(L, arg) && arg == 1)
            peri_arg_array(L, arg, name_input(op, k).text);
        peri_argerror(L, arg, "%s: expected array or number, got %s", name_input(op, k).text,
                      peri_push_got(L, arg));
    }
}

/* Where *, of shapes that do not broadcast, was meant as a product of matrices. */
static bool fits_product(const peri_array *a, const peri_array *b)
{
    if (a->ndim == 0 || b->ndim == 0 || (a->ndim == 1 && b->ndim == 1))
        return false;
    return a->shape[a->ndim - 1] == b->shape[b->ndim == 1 ? 0 : b->ndim - 2];
}

PERI_NORETURN static void raise_shapes(lua_State *L, const peri_op *op, const struct input in[])
{
    luaL_Buffer b;
    luaL_checkstack(L, 12, "error");
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "operands could not be broadcast together with shapes");
    for (int k = 0; k < arity(op); k++) {
        luaL_addchar(&b, ' ');
        if (in[k].array != NULL) {
            peri_push_shape(L, in[k].array->ndim, in[k].array->shape);
            luaL_addvalue(&b);
        } else {
            luaL_addstring(&b, "()");
        }
    }
    if (op->id == PERI_EW_MUL && fits_product(in[0].array, in[1].array))
        luaL_addstring(&b, "; the matrix product is a:dot(b)");
    luaL_pushresult(&b);
    peri_error(L, "%s", lua_tostring(L, -1));
}

/* The common shape of the inputs by NumPy's rule; *as is an input that has it, or NULL. */
static int common_shape(lua_State *L, const peri_op *op, const struct input in[],
                        size_t shape[PERI_MAX_NDIM])
{
    int ndim = 0;
    for (int k = 0; k < arity(op); k++) {
        const peri_array *a = in[k].array;
        if (a == NULL)
            continue;
        if (a->ndim > ndim) {
            const int more = a->ndim - ndim;
            memmove(shape + more, shape, (size_t)ndim * sizeof *shape);
            for (int axis = 0; axis < more; axis++)
                shape[axis] = 1;
            ndim = a->ndim;
        }
        size_t *mine = shape + (ndim - a->ndim);
        for (int axis = 0; axis < a->ndim; axis++) {
            if (mine[axis] == 1)
                mine[axis] = a->shape[axis];
            else if (a->shape[axis] != 1 && a->shape[axis] != mine[axis])
                raise_shapes(L, op, in);
        }
    }
    return ndim;
}

static bool same_shape(const peri_array *a, int ndim, const size_t *shape)
{
    if (a->ndim != ndim)
        return false;
    for (int axis = 0; axis < ndim; axis++)
        if (a->shape[axis] != shape[axis])
            return false;
    return true;
}

/* Whether a kernel may write out while it reads a: apart, or the same elements in step. */
static bool in_step(const peri_array *a, const peri_array *out)
{
    if (!peri_overlaps(a, out))
        return true;
    return a->data == out->data && a->dtype == out->dtype && same_shape(a, out->ndim, out->shape) &&
           memcmp(a->stride, out->stride, (size_t)a->ndim * sizeof *a->stride) == 0;
}

static const ptrdiff_t no_stride[PERI_MAX_NDIM];

/* What the numbers among the inputs are in the dtype `common`, and where: they promote nothing. One
 * that a stored dtype cannot be is compared in f64, and refused where it would be stored. */
static int fit_numbers(lua_State *L, const peri_op *op, const struct input in[], int common)
{
    for (int k = op->id == PERI_EW_WHERE; k < arity(op); k++) {
        if (in[k].array != NULL || peri_fits(common, in[k].f64))
            continue;
        if (op->result == PERI_RESULT_SAME)
            peri_check_number(L, k + 1, name_input(op, k).text, in[k].f64, common);
        if (op->loops == PERI_LOOPS_ALL && !peri_fits(PERI_U8, in[k].f64))
            return PERI_F64;
    }
    return common;
}

static void *number_as(struct input *in, int dtype)
{
    switch ((peri_dtype)dtype) {
    case PERI_F64:
        return &in->f64;
    case PERI_F32:
        return &in->f32;
    case PERI_BOOL:
    case PERI_U8:
        in->u8 = peri_to_u8(in->f64);
        return &in->u8;
    }
    return NULL;
}

/* The result on top, recorded where a gradient is being taken of an input. */
static int finish(lua_State *L, const peri_op *op, uint64_t nodes)
{
    if (nodes == 0)
        return 1;
    const int given = lua_gettop(L) - 1;
    return peri_recorded(L, nodes, given < op->arity ? given : op->arity);
}

/* The array at out_arg where a kernel may write it while it reads the inputs, all as they are. */
static peri_array *ready_out(lua_State *L, int out_arg, const struct input in[], int count,
                             int dtype, const peri_array *first)
{
    peri_array *out = peri_plain_array(L, out_arg);
    if (out == NULL || !out->dense || out->dtype != dtype ||
        !same_shape(out, first->ndim, first->shape))
        return NULL;
    for (int k = 0; k < count; k++)
        if (in[k].array != NULL && !in_step(in[k].array, out))
            return NULL;
    peri_check_write(L, out);
    return out;
}

/* compute() in the usual case, without the steps that it does not need: arrays of one shape and of
 * one dtype that has loops, whose elements follow one another, perhaps a number beside one, and no
 * gradient. False: it is not that, and nothing was done. */
static bool compute_dense(lua_State *L, const peri_op *op, struct input in[], int out_arg)
{
    const int count = arity(op), first_value = op->id == PERI_EW_WHERE;
    const peri_array *first = NULL;
    const void *data[MOST_INPUTS] = {NULL};
    bool each[MOST_INPUTS] = {true, true, true}, numbers = false;
    for (int k = 0; k < count; k++) {
        const peri_array *a = in[k].array;
        if (a == NULL) {
            numbers = true;
            continue;
        }
        if (!a->dense || a->node != 0)
            return false;
        if (first == NULL || (k == first_value && k > 0))
            first = a;
        else if (a->dtype != first->dtype)
            return false;
        if (k > 0 && in[0].array != NULL && !same_shape(a, in[0].array->ndim, in[0].array->shape)) {
            if (count != 2 || a->size != 1 || a->ndim > first->ndim)
                return false;
            each[k] = false; /* one element for all */
        }
        data[k] = a->data;
    }
    if (first == NULL || first->size == 0 || (numbers && count != 2))
        return false;
    const int dtype = first->dtype;
    if (!peri_is_real(dtype) && (numbers || op->loops != PERI_LOOPS_ALL))
        return false;
    for (int k = 0; numbers && k < count; k++)
        if (in[k].array == NULL) {
            data[k] = number_as(&in[k], dtype);
            each[k] = false;
        }
    const int result = peri_op_dtype(op, dtype);
    const peri_array *out;
    if (lua_gettop(L) >= out_arg && !lua_isnil(L, out_arg)) {
        out = ready_out(L, out_arg, in, count, result, first);
        if (out == NULL)
            return false;
        lua_pushvalue(L, out_arg);
    } else {
        out = peri_push_array(L, result, first->ndim, first->shape);
    }
    const peri_stop *stop = out->size >= LONG ? &peri_getstate(L)->stop : NULL;
    const peri_status status =
        op->id == PERI_EW_WHERE
            ? peri_elementwise_where(in[0].array->dtype, dtype, out->size, data, out->data, stop)
            : peri_elementwise_dense((peri_ew)op->id, dtype, out->size, data, each, out->data,
                                     stop);
    if (status != PERI_OK)
        peri_check(L, 0, status, NULL);
    return true;
}

/* Computes op on the inputs, of which one at least is an array, into the array at out_arg or a new
 * one, which is left on top of the stack: the one place where a result is finished. */
static int compute(lua_State *L, const peri_op *op, struct input in[], int out_arg)
{
    if (compute_dense(L, op, in, out_arg))
        return 1;
    const int count = arity(op), first_value = op->id == PERI_EW_WHERE;
    size_t room[PERI_MAX_NDIM];
    const size_t *shape;
    int ndim, common = -1;
    bool same = true;
    uint64_t nodes = 0;
    const peri_array *first = NULL;
    for (int k = 0; k < count; k++) {
        const peri_array *a = in[k].array;
        if (a == NULL)
            continue;
        nodes |= a->node;
        if (k >= first_value)
            common = common < 0 ? a->dtype : peri_common(common, a->dtype);
        if (first == NULL)
            first = a;
        else
            same = same && same_shape(a, first->ndim, first->shape);
    }
    assert(first != NULL);
    if (common < 0) /* a condition between two numbers */
        common = peri_promote1(first->dtype);
    if (!peri_is_real(common))
        common = fit_numbers(L, op, in, common);
    const int dtype = peri_ew_dtype((peri_ew)op->id, common);
    if (same) {
        ndim = first->ndim;
        shape = first->shape;
    } else {
        ndim = common_shape(L, op, in, room);
        shape = room;
    }
    const bool given = out_arg > 0 && !lua_isnoneornil(L, out_arg);
    int result = peri_op_dtype(op, common);
    if (given && op->result == PERI_RESULT_MASK) { /* a mask may be kept as numbers too */
        const peri_array *out = peri_test_array(L, out_arg);
        result = out != NULL && peri_is_real(out->dtype) ? out->dtype : result;
    }
    const peri_array *out = given ? peri_arg_out(L, out_arg, result, ndim, shape)
                                  : peri_push_array(L, result, ndim, shape);
    if (out->size == 0)
        return finish(L, op, nodes);
    peri_view views[MOST_INPUTS];
    ptrdiff_t strides[MOST_INPUTS][PERI_MAX_NDIM];
    for (int k = 0; k < count; k++) {
        const peri_array *a = in[k].array;
        if (a == NULL) {
            const int as = k < first_value ? (int)PERI_F64 : dtype;
            views[k] = (peri_view){number_as(&in[k], as), as, ndim, out->shape, no_stride};
            continue;
        }
        if (given && !in_step(a, out)) {
            a = peri_push_copy(L, a, -1);
            lua_insert(L, -2);
        }
        views[k] = peri_view_of(a);
        if (!same) {
            peri_broadcast_strides(&views[k], ndim, out->shape, strides[k]);
            views[k].ndim = ndim;
            views[k].shape = out->shape;
            views[k].stride = strides[k];
        }
    }
    const peri_view to = peri_view_of(out);
    const peri_stop *stop = out->size >= LONG ? &peri_getstate(L)->stop : NULL;
    const peri_status status = peri_elementwise((peri_ew)op->id, views, &to, stop);
    if (status != PERI_OK)
        peri_check(L, 0, status, NULL);
    return finish(L, op, nodes);
}

/* The result where every input is a number. */
static int compute_number(lua_State *L, const peri_op *op, const struct input in[])
{
    double x[MOST_INPUTS];
    for (int k = 0; k < arity(op); k++)
        x[k] = in[k].f64;
    lua_pushnumber(L, peri_elementwise_number((peri_ew)op->id, x));
    return 1;
}

/* round(a, decimals [, out]): the nearest multiple of a power of ten, as NumPy's, which scales,
 * rounds and scales back. */
static int round_to(lua_State *L, struct input in[])
{
    const double decimals = lua_tonumber(L, 2);
    if (decimals != floor(decimals) || fabs(decimals) > 308)
        peri_argerror(L, 2, "decimals: expected an integer in -308..308, got %s",
                      peri_push_got(L, 2));
    const double by = pow(10, fabs(decimals));
    const peri_ew there = decimals < 0 ? PERI_EW_DIV : PERI_EW_MUL,
                  back = decimals < 0 ? PERI_EW_MUL : PERI_EW_DIV;
    set_number(&in[1], by);
    if (in[0].array == NULL) {
        const double x = decimals < 0 ? in[0].f64 / by : in[0].f64 * by, whole = rint(x);
        lua_pushnumber(L, decimals < 0 ? whole * by : whole / by);
        return 1;
    }
    lua_settop(L, 3);
    compute(L, &peri_ew_ops[there], in, 3);
    lua_replace(L, 3);
    in[0].array = peri_test_array(L, 3);
    compute(L, &peri_ew_ops[PERI_EW_ROUND], in, 3);
    lua_pop(L, 1);
    return compute(L, &peri_ew_ops[back], in, 3);
}

static int unary(lua_State *L)
{
    const peri_op *op = peri_row(L);
    struct input in[MOST_INPUTS] = {{0}};
    read_input(L, 1, op, 0, &in[0]);
    if (op->id == PERI_EW_ROUND && lua_type(L, 2) == LUA_TNUMBER)
        return round_to(L, in);
    return in[0].array != NULL ? compute(L, op, in, 2) : compute_number(L, op, in);
}

/* gelu(a [, out]) or gelu(a, {approximate = "tanh"}) */
static int gelu(lua_State *L)
{
    static const char *const names[] = {"approximate", NULL}, *const forms[] = {"none", "tanh",
                                                                                NULL};
    if (lua_type(L, 2) != LUA_TTABLE)
        return unary(L);
    peri_options(L, 2, names);
    if (peri_option_choice(L, 2, "approximate", forms, 0) == 0) {
        lua_settop(L, 1);
        return unary(L);
    }
    if (lua_type(L, 1) == LUA_TNUMBER) {
        double x = lua_tonumber(L, 1);
        peri_activate(PERI_ACT_GELU_TANH, 1, PERI_F64, 0, &x, &x);
        lua_pushnumber(L, x);
        return 1;
    }
    lua_pushvalue(L, 1); /* what is recorded keeps the array itself */
    const peri_array *given = peri_arg_array(L, 1, "a");
    const peri_array *x =
        peri_arg_contiguous(L, lua_gettop(L), "a", peri_promote1(given->dtype), -1);
    const peri_array *y = peri_push_array(L, x->dtype, x->ndim, x->shape);
    peri_activate(PERI_ACT_GELU_TANH, x->size, x->dtype, 0, x->data, y->data);
    return peri_recorded(L, given->node, 2);
}

/* Lua passes the operand of -a and ~a twice. */
static int unary_operator(lua_State *L)
{
    lua_settop(L, 1);
    return unary(L);
}

static int binary(lua_State *L)
{
    const peri_op *op = peri_row(L);
    struct input in[MOST_INPUTS] = {{0}};
    read_input(L, 1, op, 0, &in[0]);
    read_input(L, 2, op, 1, &in[1]);
    return in[0].array != NULL || in[1].array != NULL ? compute(L, op, in, 3)
                                                      : compute_number(L, op, in);
}

/* What an input is that was left out. */
static double otherwise(const peri_op *op, int k)
{
    switch (op->id) {
    case PERI_EW_LEAKY_RELU:
        return 0.01;
    case PERI_EW_ELU:
        return 1;
    default:
        return k == 1 ? -HUGE_VAL : HUGE_VAL; /* bounds that do not bind */
    }
}

/* Functions some of whose inputs may be nil. */
static int lenient(lua_State *L)
{
    const peri_op *op = peri_row(L);
    struct input in[MOST_INPUTS] = {{0}};
    bool numbers = true;
    for (int k = 0; k < arity(op); k++) {
        if (k > 0 && lua_isnoneornil(L, k + 1))
            set_number(&in[k], otherwise(op, k));
        else
            read_input(L, k + 1, op, k, &in[k]);
        numbers = numbers && in[k].array == NULL;
    }
    return numbers ? compute_number(L, op, in) : compute(L, op, in, op->arity + 1);
}

static int ternary(lua_State *L)
{
    const peri_op *op = peri_row(L);
    struct input in[MOST_INPUTS] = {{0}};
    bool numbers = true;
    for (int k = 0; k < 3; k++) {
        read_input(L, k + 1, op, k, &in[k]);
        numbers = numbers && in[k].array == NULL;
    }
    return numbers ? compute_number(L, op, in) : compute(L, op, in, 4);
}

/* What else helps where an operand is an array without axes that a gradient is being taken of. */
static const char *order_cure(lua_State *L)
{
    for (int k = 1; k <= 2; k++) {
        const peri_array *a = peri_peek_array(L, k);
        if (a != NULL && a->ndim == 0 && peri_tracked(peri_getstate(L), a))
            return "; inside a gradient a:item() is the value";
    }
    return "";
}

/* Lua makes a boolean of what a < b gives, so an array cannot come of it. */
static int refuse_less(lua_State *L)
{
    return peri_raise(L,
                      "arrays have no order: a < b is written a:lt(b), a > b is a:gt(b), which "
                      "give 0 and 1; any() or all() of that is a condition%s",
                      order_cure(L));
}

static int refuse_less_equal(lua_State *L)
{
    return peri_raise(L,
                      "arrays have no order: a <= b is written a:le(b), a >= b is a:ge(b), "
                      "which give 0 and 1; any() or all() of that is a condition%s",
                      order_cure(L));
}

/* ---- whole arrays ------------------------------------------------------------------------ */

/* Broadcasts two inputs against each other and asks the kernel; both are arrays here. */
static bool close_together(lua_State *L, struct input in[], double rtol, double atol,
                           bool equal_nan)
{
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t strides[2][PERI_MAX_NDIM];
    const int ndim = common_shape(L, &peri_ew_ops[PERI_EW_EQ], in, shape);
    peri_view v[2];
    for (int k = 0; k < 2; k++) {
        v[k] = peri_view_of(in[k].array);
        peri_broadcast_strides(&v[k], ndim, shape, strides[k]);
        v[k].ndim = ndim;
        v[k].shape = shape;
        v[k].stride = strides[k];
    }
    return peri_elementwise_all_close(&v[0], &v[1], rtol, atol, equal_nan);
}

static void read_array(lua_State *L, int arg, const char *name, struct input *in)
{
    in->array = peri_arg_any(L, arg, name);
}

/*** pg.allclose(a, b [, opts]) -> boolean
 * Whether |a - b| <= atol + rtol |b| everywhere.
 * @param a  array or number
 * @param b  array or number
 * @param opts.rtol  number: 1e-5 by default
 * @param opts.atol  number: 1e-8 by default
 * @param opts.equal_nan  boolean: NaN counts as equal to NaN; false by default
 * @example pg.allclose(pg.ones(3), 1 + 1e-9) --> true
 */
static int allclose(lua_State *L)
{
    static const char *const names[] = {"rtol", "atol", "equal_nan", NULL};
    struct input in[MOST_INPUTS] = {{0}};
    read_array(L, 1, "a", &in[0]);
    read_array(L, 2, "b", &in[1]);
    peri_options(L, 3, names);
    const double rtol = peri_option_number(L, 3, "rtol", 1e-5);
    const double atol = peri_option_number(L, 3, "atol", 1e-8);
    const bool equal_nan = peri_option_boolean(L, 3, "equal_nan", false);
    lua_pushboolean(L, close_together(L, in, rtol, atol, equal_nan));
    return 1;
}

/*** pg.array_equal(a, b) -> boolean
 * Whether shapes and all elements are equal; the dtype may differ, NaN equals nothing.
 * @param a  array or number
 * @param b  array or number
 * @example pg.array_equal(pg.zeros(2), pg.zeros(3)) --> false
 */
static int array_equal(lua_State *L)
{
    struct input in[MOST_INPUTS] = {{0}};
    read_array(L, 1, "a", &in[0]);
    read_array(L, 2, "b", &in[1]);
    lua_pushboolean(L, same_shape(in[0].array, in[1].array->ndim, in[1].array->shape) &&
                           close_together(L, in, 0, 0, false));
    return 1;
}

/* "text" .. a */
static int concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

PERI_OPENER(elementwise)
{
    static const luaL_Reg functions[] = {
        {"allclose", allclose},
        {"array_equal", array_equal},
        {NULL, NULL},
    };
    static const luaL_Reg metamethods[] = {
        {"__lt", refuse_less},
        {"__concat", concat},
        {"__le", refuse_less_equal},
        {NULL, NULL},
    };
    peri_array_functions(L, functions);
    peri_array_metamethods(L, metamethods);
    for (int k = 0; k < PERI_EW_COUNT; k++) {
        const peri_op *op = &peri_ew_ops[k];
        const bool some = strchr(op->arguments, '[') != NULL || op->id == PERI_EW_CLIP;
        lua_CFunction f = some                     ? lenient
                          : op->id == PERI_EW_GELU ? gelu
                          : op->arity == 1         ? unary
                          : op->arity == 2         ? binary
                                                   : ternary;
        peri_array_operation(L, op->name, f, op->metamethod, op->arity == 1 ? unary_operator : f,
                             op);
    }
    return 0;
}
