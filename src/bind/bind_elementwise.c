/* SPDX-License-Identifier: MIT
 *
 * Operators and elementwise functions, with NumPy's broadcasting. f32 with f64 gives f64; a Lua
 * number promotes nothing, and numbers alone give a number. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "kernel/copy.h"
#include "kernel/elementwise.h"

enum { MOST_INPUTS = 3 };

/* From this size on a kernel is told where the stop flag is. */
enum { LONG = 1 << 17 };

struct input {
    peri_array *array; /* NULL: a number */
    double f64;
    float f32;
};

/* Reads a number, an array or a nested table of numbers. */
static void read_input(lua_State *L, int arg, const char *name, struct input *in)
{
    in->array = NULL;
    switch (lua_type(L, arg)) {
    case LUA_TNUMBER:
        in->f64 = lua_tonumber(L, arg);
        in->f32 = (float)in->f64;
        return;
    case LUA_TTABLE:
        in->array = peri_arg_operand(L, arg, name);
        return;
    default:
        in->array = peri_test_array(L, arg);
        if (in->array == NULL && lua_isnone(L, arg) && arg == 1)
            peri_arg_array(L, arg, name);
        if (in->array == NULL)
            peri_argerror(L, arg, "%s: expected array or number, got %s", name,
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

PERI_NORETURN static void raise_shapes(lua_State *L, peri_ew op, int count, const struct input in[])
{
    luaL_Buffer b;
    luaL_checkstack(L, 12, "error");
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "operands could not be broadcast together with shapes");
    for (int k = 0; k < count; k++) {
        luaL_addchar(&b, ' ');
        if (in[k].array != NULL) {
            peri_push_shape(L, in[k].array->ndim, in[k].array->shape);
            luaL_addvalue(&b);
        } else {
            luaL_addstring(&b, "()");
        }
    }
    if (op == PERI_EW_MUL && fits_product(in[0].array, in[1].array))
        luaL_addstring(&b, "; the matrix product is a:dot(b)");
    luaL_pushresult(&b);
    peri_error(L, "%s", lua_tostring(L, -1));
}

/* The common shape of the inputs by NumPy's rule; *as is an input that has it, or NULL. */
static int common_shape(lua_State *L, peri_ew op, int count, const struct input in[],
                        size_t shape[PERI_MAX_NDIM])
{
    int ndim = 0;
    for (int k = 0; k < count; k++) {
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
                raise_shapes(L, op, count, in);
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

/* Computes op on the inputs, of which one at least is an array, into the array at out_arg or a new
 * one, which is left on top of the stack. out_arg 0: always a new one. */
static void compute(lua_State *L, peri_ew op, struct input in[], int out_arg)
{
    const int count = peri_ew_arity(op);
    size_t common[PERI_MAX_NDIM];
    const size_t *shape;
    int ndim, dtype = PERI_F32;
    bool same = true;
    const peri_array *first = NULL;
    for (int k = 0; k < count; k++) {
        const peri_array *a = in[k].array;
        if (a == NULL)
            continue;
        if (a->dtype == PERI_F64)
            dtype = PERI_F64;
        if (first == NULL)
            first = a;
        else
            same = same && same_shape(a, first->ndim, first->shape);
    }
    assert(first != NULL);
    if (same) {
        ndim = first->ndim;
        shape = first->shape;
    } else {
        ndim = common_shape(L, op, count, in, common);
        shape = common;
    }
    const bool given = out_arg > 0 && !lua_isnoneornil(L, out_arg);
    const peri_array *out = given ? peri_arg_out(L, out_arg, dtype, ndim, shape)
                                  : peri_push_array(L, dtype, ndim, shape);
    if (out->size == 0)
        return;
    peri_view views[MOST_INPUTS];
    ptrdiff_t strides[MOST_INPUTS][PERI_MAX_NDIM];
    for (int k = 0; k < count; k++) {
        const peri_array *a = in[k].array;
        if (a == NULL) {
            void *number = dtype == PERI_F32 ? (void *)&in[k].f32 : (void *)&in[k].f64;
            views[k] = (peri_view){number, dtype, ndim, out->shape, no_stride};
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
    const peri_status status = peri_elementwise(op, views, &to, stop);
    if (status != PERI_OK)
        peri_check(L, 0, status, NULL);
}

/* The result where every input is a number. */
static void compute_number(lua_State *L, peri_ew op, const struct input in[])
{
    static const bool each[MOST_INPUTS] = {true, true, true};
    const void *data[MOST_INPUTS] = {&in[0].f64, NULL, NULL};
    for (int k = 1; k < peri_ew_arity(op); k++)
        data[k] = &in[k].f64;
    double result;
    peri_elementwise_row(op, PERI_F64, 1, data, each, &result);
    lua_pushnumber(L, result);
}

static int unary(lua_State *L, peri_ew op)
{
    struct input in[1];
    read_input(L, 1, "a", &in[0]);
    if (in[0].array != NULL)
        compute(L, op, in, 2);
    else
        compute_number(L, op, in);
    return 1;
}

static int binary(lua_State *L, peri_ew op)
{
    struct input in[2];
    read_input(L, 1, "a", &in[0]);
    read_input(L, 2, "b", &in[1]);
    if (in[0].array != NULL || in[1].array != NULL)
        compute(L, op, in, 3);
    else
        compute_number(L, op, in);
    return 1;
}

/* ---- arithmetic -------------------------------------------------------------------------- */

/*** pg.add(a, b [, out]) -> array
 * The sum a + b, element by element; also a + b.
 * @param a  array or number
 * @param b  array or number; shapes are matched as NumPy broadcasts
 * @param out  array of the result's shape and dtype, written and returned
 * @error shapes that do not fit are both shown
 * @example pg.array{1, 2}:add(10) --> 11 12 [2 f64]
 */
static int add(lua_State *L)
{
    return binary(L, PERI_EW_ADD);
}

/*** pg.sub(a, b [, out]) -> array
 * The difference a - b, element by element; also a - b.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int sub(lua_State *L)
{
    return binary(L, PERI_EW_SUB);
}

/*** pg.mul(a, b [, out]) -> array
 * The product a * b, element by element; also a * b. The matrix product is pg.dot.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int mul(lua_State *L)
{
    return binary(L, PERI_EW_MUL);
}

/*** pg.div(a, b [, out]) -> array
 * The quotient a / b, element by element; also a / b.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int div_(lua_State *L)
{
    return binary(L, PERI_EW_DIV);
}

/*** pg.pow(a, b [, out]) -> array
 * The power a ^ b, element by element; also a ^ b.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int pow_(lua_State *L)
{
    return binary(L, PERI_EW_POW);
}

/*** pg.mod(a, b [, out]) -> array
 * The remainder of a by b with the sign of b, as NumPy's; also a % b.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 * @example pg.mod(-7, 3) --> 2.0
 */
static int mod(lua_State *L)
{
    return binary(L, PERI_EW_MOD);
}

/*** pg.idiv(a, b [, out]) -> array
 * The quotient rounded down, from the exact remainder as NumPy's floor_divide; also a // b.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 * @example pg.idiv(-7, 3) --> -3.0
 */
static int idiv(lua_State *L)
{
    return binary(L, PERI_EW_IDIV);
}

/*** pg.minimum(a, b [, out]) -> array
 * The smaller of each two elements; NaN where one is NaN.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int minimum(lua_State *L)
{
    return binary(L, PERI_EW_MIN);
}

/*** pg.maximum(a, b [, out]) -> array
 * The larger of each two elements; NaN where one is NaN.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int maximum(lua_State *L)
{
    return binary(L, PERI_EW_MAX);
}

/*** pg.atan2(y, x [, out]) -> array
 * The angle of the point (x, y), in (-pi, pi].
 * @param y  array or number
 * @param x  array or number
 * @param out  array of the result's shape and dtype
 */
static int atan2_(lua_State *L)
{
    return binary(L, PERI_EW_ATAN2);
}

/* ---- comparison and logic ---------------------------------------------------------------- */

/*** pg.eq(a, b [, out]) -> array
 * 1 where a and b are equal, else 0. (Lua's == asks whether two values are the same array.)
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 * @example pg.array{1, 2, 3}:eq(2):sum() --> 1.0
 */
static int eq(lua_State *L)
{
    return binary(L, PERI_EW_EQ);
}

/*** pg.ne(a, b [, out]) -> array
 * 1 where a and b differ (NaN differs from itself), else 0.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int ne(lua_State *L)
{
    return binary(L, PERI_EW_NE);
}

/*** pg.lt(a, b [, out]) -> array
 * 1 where a is less than b, else 0.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int lt(lua_State *L)
{
    return binary(L, PERI_EW_LT);
}

/*** pg.le(a, b [, out]) -> array
 * 1 where a is at most b, else 0.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int le(lua_State *L)
{
    return binary(L, PERI_EW_LE);
}

/*** pg.gt(a, b [, out]) -> array
 * 1 where a is greater than b, else 0.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int gt(lua_State *L)
{
    return binary(L, PERI_EW_GT);
}

/*** pg.ge(a, b [, out]) -> array
 * 1 where a is at least b, else 0.
 * @param a  array or number
 * @param b  array or number
 * @param out  array of the result's shape and dtype
 */
static int ge(lua_State *L)
{
    return binary(L, PERI_EW_GE);
}

/* a & b, a | b, a ~ b: what is not 0 counts as true. */
static int and_(lua_State *L)
{
    return binary(L, PERI_EW_AND);
}

static int or_(lua_State *L)
{
    return binary(L, PERI_EW_OR);
}

static int xor_(lua_State *L)
{
    return binary(L, PERI_EW_XOR);
}

/* Lua makes a boolean of what a < b gives, so an array cannot come of it. */
static int refuse_less(lua_State *L)
{
    return peri_raise(L, "arrays have no order: a < b is written a:lt(b), a > b is a:gt(b), which "
                         "give 0 and 1; any() or all() of that is a condition");
}

static int refuse_less_equal(lua_State *L)
{
    return peri_raise(L, "arrays have no order: a <= b is written a:le(b), a >= b is a:ge(b), "
                         "which give 0 and 1; any() or all() of that is a condition");
}

/* ---- functions of one array -------------------------------------------------------------- */

/*** pg.exp(a [, out]) -> array
 * e to the power of each element, within 2 ulp.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 * @example pg.exp(0) --> 1.0
 */
static int exp_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_EXP);
}

/*** pg.expm1(a [, out]) -> array
 * e^a - 1, accurate near 0.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int expm1_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_EXPM1);
}

/*** pg.log(a [, out]) -> array
 * The natural logarithm; -inf at 0, NaN below.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int log_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_LOG);
}

/*** pg.log1p(a [, out]) -> array
 * log(1 + a), accurate near 0.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int log1p_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_LOG1P);
}

/*** pg.log2(a [, out]) -> array
 * The logarithm to base 2.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int log2_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_LOG2);
}

/*** pg.log10(a [, out]) -> array
 * The logarithm to base 10.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int log10_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_LOG10);
}

/*** pg.tanh(a [, out]) -> array
 * The hyperbolic tangent.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int tanh_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_TANH);
}

/*** pg.sigmoid(a [, out]) -> array
 * 1 / (1 + e^-a), accurate at both ends.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 * @example pg.sigmoid(0) --> 0.5
 */
static int sigmoid(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_SIGMOID);
}

/*** pg.log_sigmoid(a [, out]) -> array
 * log(sigmoid(a)), accurate at both ends.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int log_sigmoid(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_LOG_SIGMOID);
}

/*** pg.softplus(a [, out]) -> array
 * log(1 + e^a), accurate at both ends.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int softplus(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_SOFTPLUS);
}

/*** pg.logit(a [, out]) -> array
 * log(a / (1 - a)), the inverse of sigmoid.
 * @param a  array or number, of values in [0, 1]; NaN outside
 * @param out  array of the shape and dtype of a
 */
static int logit(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_LOGIT);
}

/*** pg.sin(a [, out]) -> array
 * The sine of an angle in radians.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int sin_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_SIN);
}

/*** pg.cos(a [, out]) -> array
 * The cosine of an angle in radians.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int cos_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_COS);
}

/*** pg.tan(a [, out]) -> array
 * The tangent of an angle in radians.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int tan_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_TAN);
}

/*** pg.sinh(a [, out]) -> array
 * The hyperbolic sine.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int sinh_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_SINH);
}

/*** pg.cosh(a [, out]) -> array
 * The hyperbolic cosine.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int cosh_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_COSH);
}

/*** pg.erf(a [, out]) -> array
 * The error function.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int erf_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_ERF);
}

/*** pg.lgamma(a [, out]) -> array
 * The logarithm of the absolute value of the gamma function.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int lgamma_(lua_State *L)
{
    return unary(L, (peri_ew)PERI_VM_LGAMMA);
}

/*** pg.sqrt(a [, out]) -> array
 * The square root, correctly rounded; NaN below 0.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int sqrt_(lua_State *L)
{
    return unary(L, PERI_EW_SQRT);
}

/*** pg.square(a [, out]) -> array
 * a * a.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int square(lua_State *L)
{
    return unary(L, PERI_EW_SQUARE);
}

/*** pg.abs(a [, out]) -> array
 * The absolute value.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int abs_(lua_State *L)
{
    return unary(L, PERI_EW_ABS);
}

/*** pg.sign(a [, out]) -> array
 * -1, 0 or 1; NaN for NaN.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int sign(lua_State *L)
{
    return unary(L, PERI_EW_SIGN);
}

/*** pg.floor(a [, out]) -> array
 * The largest integer not above each element.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int floor_(lua_State *L)
{
    return unary(L, PERI_EW_FLOOR);
}

/*** pg.ceil(a [, out]) -> array
 * The smallest integer not below each element.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int ceil_(lua_State *L)
{
    return unary(L, PERI_EW_CEIL);
}

/*** pg.trunc(a [, out]) -> array
 * Each element without its fraction.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int trunc_(lua_State *L)
{
    return unary(L, PERI_EW_TRUNC);
}

/*** pg.round(a [, out]) -> array
 * The nearest integer, of two the even one.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 * @example pg.round(2.5) --> 2.0
 */
static int round_(lua_State *L)
{
    return unary(L, PERI_EW_ROUND);
}

/*** pg.isnan(a [, out]) -> array
 * 1 where an element is NaN, else 0.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int isnan_(lua_State *L)
{
    return unary(L, PERI_EW_ISNAN);
}

/*** pg.isfinite(a [, out]) -> array
 * 1 where an element is neither NaN nor infinite, else 0.
 * @param a  array or number
 * @param out  array of the shape and dtype of a
 */
static int isfinite_(lua_State *L)
{
    return unary(L, PERI_EW_ISFINITE);
}

/* Lua passes the operand of -a and ~a twice, so these look at the first alone. */
static int unm(lua_State *L)
{
    lua_settop(L, 1);
    return unary(L, PERI_EW_NEG);
}

static int not_(lua_State *L)
{
    lua_settop(L, 1);
    return unary(L, PERI_EW_NOT);
}

/* ---- three inputs ------------------------------------------------------------------------ */

/*** pg.where(c, a, b [, out]) -> array
 * a where c is not 0, else b.
 * @param c  array or number
 * @param a  array or number
 * @param b  array or number; all three are broadcast together
 * @param out  array of the result's shape and of the dtype of a and b
 * @example pg.where(pg.array{1, 0}, 5, 7):sum() --> 12.0
 */
static int where(lua_State *L)
{
    struct input in[3];
    read_input(L, 1, "c", &in[0]);
    read_input(L, 2, "a", &in[1]);
    read_input(L, 3, "b", &in[2]);
    if (in[0].array == NULL && in[1].array == NULL && in[2].array == NULL) {
        compute_number(L, PERI_EW_WHERE, in);
        return 1;
    }
    /* The condition promotes nothing: it is 0 or 1 by the time it is converted. */
    const bool values = in[1].array != NULL || in[2].array != NULL;
    const bool wide = (in[1].array != NULL && in[1].array->dtype == PERI_F64) ||
                      (in[2].array != NULL && in[2].array->dtype == PERI_F64);
    if (in[0].array != NULL && values && !wide && in[0].array->dtype == PERI_F64) {
        struct input test[2] = {in[0], {.array = NULL, .f64 = 0, .f32 = 0}};
        compute(L, PERI_EW_NE, test, 0);
        in[0].array = peri_push_copy(L, lua_touserdata(L, -1), PERI_F32);
        lua_replace(L, 1);
        lua_pop(L, 1);
    }
    compute(L, PERI_EW_WHERE, in, 4);
    return 1;
}

/*** pg.clip(a, lo, hi [, out]) -> array
 * Each element moved into [lo, hi]; NaN stays.
 * @param a  array or number
 * @param lo  array or number; nil: no lower bound
 * @param hi  array or number; nil: no upper bound
 * @param out  array of the result's shape and dtype
 * @example pg.clip(5, 0, 1) --> 1.0
 */
static int clip(lua_State *L)
{
    struct input in[3];
    read_input(L, 1, "a", &in[0]);
    for (int k = 1; k <= 2; k++) {
        if (lua_isnoneornil(L, k + 1)) {
            const double bound = k == 1 ? -HUGE_VAL : HUGE_VAL;
            in[k] = (struct input){NULL, bound, (float)bound};
        } else {
            read_input(L, k + 1, k == 1 ? "lo" : "hi", &in[k]);
        }
    }
    if (in[0].array != NULL || in[1].array != NULL || in[2].array != NULL)
        compute(L, PERI_EW_CLIP, in, 4);
    else
        compute_number(L, PERI_EW_CLIP, in);
    return 1;
}

/* ---- whole arrays ------------------------------------------------------------------------ */

/* Broadcasts two inputs against each other and asks the kernel; both are arrays here. */
static bool close_together(lua_State *L, struct input in[2], double rtol, double atol,
                           bool equal_nan)
{
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t strides[2][PERI_MAX_NDIM];
    const int ndim = common_shape(L, PERI_EW_EQ, 2, in, shape);
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
    read_input(L, arg, name, in);
    if (in->array == NULL)
        in->array = peri_arg_operand(L, arg, name);
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
    struct input in[2];
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
    struct input in[2];
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
        {"add", add},
        {"sub", sub},
        {"mul", mul},
        {"div", div_},
        {"pow", pow_},
        {"mod", mod},
        {"idiv", idiv},
        {"minimum", minimum},
        {"maximum", maximum},
        {"atan2", atan2_},
        {"eq", eq},
        {"ne", ne},
        {"lt", lt},
        {"le", le},
        {"gt", gt},
        {"ge", ge},
        {"exp", exp_},
        {"expm1", expm1_},
        {"log", log_},
        {"log1p", log1p_},
        {"log2", log2_},
        {"log10", log10_},
        {"tanh", tanh_},
        {"sigmoid", sigmoid},
        {"log_sigmoid", log_sigmoid},
        {"softplus", softplus},
        {"logit", logit},
        {"sin", sin_},
        {"cos", cos_},
        {"tan", tan_},
        {"sinh", sinh_},
        {"cosh", cosh_},
        {"erf", erf_},
        {"lgamma", lgamma_},
        {"sqrt", sqrt_},
        {"square", square},
        {"abs", abs_},
        {"sign", sign},
        {"floor", floor_},
        {"ceil", ceil_},
        {"trunc", trunc_},
        {"round", round_},
        {"isnan", isnan_},
        {"isfinite", isfinite_},
        {"where", where},
        {"clip", clip},
        {"allclose", allclose},
        {"array_equal", array_equal},
        {NULL, NULL},
    };
    static const luaL_Reg metamethods[] = {
        {"__unm", unm},   {"__band", and_},      {"__bor", or_},       {"__bxor", xor_},
        {"__bnot", not_}, {"__lt", refuse_less}, {"__concat", concat}, {"__le", refuse_less_equal},
        {NULL, NULL},
    };
    /* These are the functions themselves, so that an error has their name where Lua's string
     * library calls them ("2" * a). */
    static const char *const operators[][2] = {
        {"__add", "add"}, {"__sub", "sub"}, {"__mul", "mul"},   {"__div", "div"},
        {"__pow", "pow"}, {"__mod", "mod"}, {"__idiv", "idiv"},
    };
    peri_array_functions(L, functions);
    peri_array_metamethods(L, metamethods);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_array_meta);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    for (size_t k = 0; k < sizeof operators / sizeof *operators; k++) {
        lua_getfield(L, -1, operators[k][1]);
        lua_setfield(L, -3, operators[k][0]);
    }
    lua_pop(L, 2);
    return 0;
}
