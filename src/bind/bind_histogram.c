/* SPDX-License-Identifier: MIT
 *
 * pg.histogram, pg.bincount. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/out.h"
#include "kernel/histogram.h"

/* The facts of a row-major position become indices where a has 2 to 4 axes. */
static void unravel(peri_facts *facts, const peri_array *a)
{
    if (facts->nindex != 1 || a->ndim < 2 || a->ndim > 4)
        return;
    size_t place = facts->index[0];
    facts->nindex = a->ndim;
    for (int axis = a->ndim - 1; axis >= 0; axis--) {
        facts->index[axis] = place % a->shape[axis];
        place /= a->shape[axis];
    }
}

/* Pushes the option weights as a contiguous array of x's shape, or nothing where it is absent. */
static const peri_array *option_weights(lua_State *L, int opts, const peri_array *x)
{
    if (peri_option_push(L, opts, "weights") == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    const peri_array *w = peri_test_array(L, -1);
    if (w == NULL || w->ndim != x->ndim ||
        memcmp(w->shape, x->shape, (size_t)x->ndim * sizeof *x->shape) != 0) {
        const char *got = peri_push_got(L, -1);
        peri_argerror(L, opts, "weights: expected an array of shape %s, got %s",
                      peri_push_shape(L, x->ndim, x->shape), got);
    }
    if (!peri_is_contiguous(w)) {
        w = peri_push_copy(L, w, -1);
        lua_remove(L, -2);
    }
    return w;
}

/* Reads range={lo, hi}; false where it is absent. */
static bool option_range(lua_State *L, int opts, double *lo, double *hi)
{
    const int type = peri_option_push(L, opts, "range");
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    bool right = type == LUA_TTABLE && lua_rawlen(L, -1) == 2;
    if (right) {
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        right = lua_type(L, -2) == LUA_TNUMBER && lua_type(L, -1) == LUA_TNUMBER;
        *lo = lua_tonumber(L, -2);
        *hi = lua_tonumber(L, -1);
        right = right && isfinite(*lo) && isfinite(*hi) && *lo <= *hi;
        lua_pop(L, 2);
    }
    if (!right)
        peri_argerror(L, opts, "range: expected {lo, hi}, finite and ascending, got %s",
                      peri_push_got(L, -1));
    lua_pop(L, 1);
    return true;
}

/*** pg.histogram(a [, bins] [, opts]) -> counts, edges
 * How many elements lie in each bin; a bin holds its lower edge, the last one its upper edge too.
 * @param a  array of any shape
 * @param bins  integer, how many equal bins (default 10), or an array or table of ascending edges
 * @param opts.range  {lo, hi}: what equal bins span; default the least and the largest element
 * @param opts.weights  array of a's shape: what each element counts; default 1
 * @param opts.density  boolean: scale the counts so that the histogram's area is 1
 * @return counts  array, k, f64
 * @return edges  array, k + 1, f64
 * @error a holds NaN or an infinity and no range is given; edges do not ascend
 * @example pg.histogram(pg.array{1, 2, 2, 4}, 3):totable()[2] --> 2.0
 */
static int histogram(lua_State *L)
{
    static const char *const names[] = {"range", "weights", "density", NULL};
    peri_arg_operand(L, 1, "a");
    const peri_array *a = peri_arg_contiguous(L, 1, "a", -1, -1);
    const bool list =
        (lua_type(L, 2) == LUA_TTABLE && lua_rawlen(L, 2) > 0) || peri_test_array(L, 2) != NULL;
    const int opts = lua_type(L, 2) == LUA_TTABLE && !list ? 2 : 3;
    peri_options(L, opts, names);
    const peri_view x = peri_view_of(a);
    const bool density = peri_option_boolean(L, opts, "density", false);

    double lo, hi;
    const bool ranged = option_range(L, opts, &lo, &hi);
    const peri_array *edges;
    if (list) {
        if (ranged)
            peri_argerror(L, opts, "range: bins are edges already");
        edges = peri_arg_contiguous(L, 2, "bins", PERI_F64, 1);
        const double *e = edges->data;
        if (edges->size < 2)
            peri_argerror(L, 2, "bins: expected at least 2 edges, got %I",
                          (LUAI_UACINT)edges->size);
        for (size_t k = 0; k < edges->size; k++)
            if (isnan(e[k]) || (k > 0 && !(e[k] >= e[k - 1])))
                peri_argerror(L, 2, "bins: edge %I is %s, expected ascending edges",
                              (LUAI_UACINT)k + 1, peri_push_number(L, e[k]));
        lua_pushvalue(L, 2);
    } else {
        const size_t nbins = opts == 2 || lua_isnoneornil(L, 2)
                                 ? 10
                                 : (size_t)peri_arg_integer(L, 2, "bins", 1, (lua_Integer)1 << 40);
        peri_facts facts = {0};
        if (!ranged) {
            const peri_status status = peri_histogram_range(&x, &lo, &hi, &facts);
            facts.arg = "a";
            unravel(&facts, a);
            peri_check(L, 1, status, &facts);
        }
        const size_t shape = nbins + 1;
        edges = peri_push_array(L, PERI_F64, 1, &shape);
        peri_histogram_edges(lo, hi, nbins, edges->data);
    }
    const int edges_at = lua_gettop(L);
    const peri_array *weights = option_weights(L, opts, a);
    const size_t nbins = edges->size - 1;
    const peri_array *counts = peri_push_array(L, PERI_F64, 1, &nbins);
    const peri_view w = weights != NULL ? peri_view_of(weights) : x;
    peri_histogram(&x, weights != NULL ? &w : NULL, edges->data, nbins, !list, counts->data);
    if (density)
        peri_histogram_density(edges->data, nbins, counts->data);
    lua_pushvalue(L, edges_at);
    return 2;
}

/*** pg.bincount(x [, opts]) -> array
 * How often each integer occurs: element k of the result counts the elements that equal k.
 * @param x  array of integers of at least 1 (of at least opts.first)
 * @param opts.first  integer: what the first element of the result counts; default 1
 * @param opts.weights  array of x's shape: what each element counts; default 1
 * @param opts.minlength  integer: least length of the result; default 0
 * @return array, k, f64
 * @error an element that is not an integer, or below opts.first
 * @example pg.bincount(pg.array{1, 3, 3}):totable()[3] --> 2.0
 */
static int bincount(lua_State *L)
{
    static const char *const names[] = {"first", "weights", "minlength", NULL};
    peri_arg_operand(L, 1, "x");
    const peri_array *x = peri_arg_contiguous(L, 1, "x", -1, -1);
    peri_options(L, 2, names);
    const lua_Integer most = (lua_Integer)1 << 40;
    const double first = (double)peri_option_integer(L, 2, "first", 1, -most, most);
    const size_t minlength = (size_t)peri_option_integer(L, 2, "minlength", 0, 0, most);
    const peri_array *weights = option_weights(L, 2, x);
    const peri_view v = peri_view_of(x);
    double largest;
    peri_facts facts = {0};
    if (peri_bincount_max(&v, first, &largest, &facts) != PERI_OK) {
        const char *cure = facts.got == 0 && first == 1 ? "; {first = 0} counts from 0"
                           : facts.got > 0x1p53         ? ", and of at most 2^53"
                                                        : "";
        peri_argerror(L, 1, "x: element %I is %s, expected an integer of at least %s%s",
                      (LUAI_UACINT)facts.index[0] + 1, peri_push_number(L, facts.got),
                      peri_push_number(L, first), cure);
    }
    size_t nbins = x->size > 0 ? (size_t)(largest - first) + 1 : 0;
    nbins = nbins < minlength ? minlength : nbins;
    const peri_array *counts = peri_push_array(L, PERI_F64, 1, &nbins);
    const peri_view w = weights != NULL ? peri_view_of(weights) : v;
    peri_bincount(&v, weights != NULL ? &w : NULL, first, nbins, counts->data);
    return 1;
}

PERI_OPENER(histogram)
{
    static const luaL_Reg functions[] = {
        {"histogram", histogram}, {"bincount", bincount}, {NULL, NULL}};
    peri_array_functions(L, functions);
    return 0;
}
