/* SPDX-License-Identifier: MIT
 *
 * Joining, repeating, selecting and shifting: concat, stack, tile, repeat_, roll, flip, diff, take,
 * compress, nonzero, tril, triu, diag, trace, outer, meshgrid. */
#include <limits.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/out.h"
#include "kernel/copy.h"
#include "kernel/rearrange.h"

static const char *const out_only[] = {"out", NULL};
static const char *const none[] = {NULL};

static void *offset(const peri_array *a, ptrdiff_t elements)
{
    return (char *)a->data + elements * (ptrdiff_t)peri_dtype_size(a->dtype);
}

/* ---- joining ----------------------------------------------------------------------------- */

/*** pg.concat(list [, axis] [, opts]) -> array
 * Arrays joined along an axis they have.
 * @param list  table of arrays: their shapes agree but for the axis
 * @param axis  integer: default 1
 * @param opts.out  array that receives the result
 * @return array of the dtype that holds all: theirs where it is one, else f64 or (without f64) f32
 * @error shapes that do not agree: the message has both
 * @example #pg.concat{pg.ones(2), pg.zeros(3)} --> 5
 */
static int concat(lua_State *L)
{
    const lua_Integer count = peri_arg_list(L, 1, "list");
    const peri_array *first = peri_list_item(L, 1, 1);
    if (first->ndim == 0)
        peri_argerror(L, 1, "list: element 1 has no axes; stack joins such");
    int opts, dtype = -1;
    const int ndim = first->ndim, axis = peri_arg_optional_axis(L, 2, ndim, 0, &opts);
    peri_options(L, opts, out_only);
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, first->shape, (size_t)ndim * sizeof *shape);
    shape[axis] = 0;
    for (lua_Integer k = 1; k <= count; k++) {
        const peri_array *a = peri_list_item(L, 1, k);
        bool fits = a->ndim == ndim;
        for (int other = 0; fits && other < ndim; other++)
            fits = other == axis || a->shape[other] == shape[other];
        if (!fits) {
            const char *got = peri_push_shape(L, a->ndim, a->shape);
            peri_argerror(L, 1,
                          "list: element %I has shape %s, element 1 %s: all but axis %d "
                          "must agree",
                          (LUAI_UACINT)k, got, peri_push_shape(L, ndim, first->shape), axis + 1);
        }
        dtype = dtype < 0 ? a->dtype : peri_common(dtype, a->dtype);
        if (__builtin_add_overflow(shape[axis], a->shape[axis], &shape[axis]))
            peri_error(L, "the result would be too large");
    }
    const peri_array *out = peri_option_out(L, opts, dtype, ndim, shape);
    const int slot = lua_gettop(L);
    bool overlap = false;
    for (lua_Integer k = 1; k <= count && !overlap; k++)
        overlap = peri_overlaps(out, peri_list_item(L, 1, k));
    const peri_array *target = overlap ? peri_push_array(L, dtype, ndim, shape) : out;
    size_t start = 0;
    for (lua_Integer k = 1; k <= count; k++) {
        const peri_array *a = peri_list_item(L, 1, k);
        const peri_view from = peri_view_of(a);
        const peri_view to = {offset(target, (ptrdiff_t)start * target->stride[axis]), dtype, ndim,
                              a->shape, target->stride};
        start += a->shape[axis];
        peri_copy(&to, &from);
    }
    if (overlap) {
        const peri_view from = peri_view_of(target), to = peri_view_of(out);
        peri_copy(&to, &from);
        lua_settop(L, slot);
    }
    return 1;
}

/* Replaces a list that has numbers in it by one with arrays in their place. */
static void numbers_to_arrays(lua_State *L, lua_Integer count)
{
    bool any = false;
    int dtype = -1;
    for (lua_Integer k = 1; k <= count; k++) {
        any = lua_rawgeti(L, 1, k) == LUA_TNUMBER || any;
        const peri_array *a = peri_test_array(L, -1);
        if (a != NULL)
            dtype = dtype < 0 ? a->dtype : peri_promote(dtype, a->dtype);
        lua_pop(L, 1);
    }
    if (!any)
        return;
    lua_createtable(L, count < INT_MAX ? (int)count : 0, 0);
    for (lua_Integer k = 1; k <= count; k++) {
        if (lua_rawgeti(L, 1, k) == LUA_TNUMBER) {
            const peri_array *a =
                peri_push_array(L, peri_promote1(dtype < 0 ? PERI_F64 : dtype), 0, NULL);
            peri_write(a->dtype, a->data, lua_tonumber(L, -2));
            lua_remove(L, -2);
        }
        lua_rawseti(L, -2, k);
    }
    lua_replace(L, 1);
}

/*** pg.stack(list [, axis] [, opts]) -> array
 * Arrays of one shape joined along a new axis.
 * @param list  table of arrays of one shape; a number is an array without axes
 * @param axis  integer: where the new axis stands in the result; default 1
 * @param opts.out  array that receives the result
 * @return array with one axis more, f64 unless all are f32
 * @error shapes that do not agree: the message has both
 * @example pg.stack({pg.ones(2), pg.zeros(2)}, 2).shape --> (2, 2)
 */
static int stack(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TTABLE)
        numbers_to_arrays(L, (lua_Integer)lua_rawlen(L, 1));
    const lua_Integer count = peri_arg_list(L, 1, "list");
    int opts, dtype = -1;
    size_t shape[PERI_MAX_NDIM];
    const peri_array *first = peri_list_item(L, 1, 1);
    const int ndim = first->ndim + 1;
    if (ndim > PERI_MAX_NDIM)
        peri_argerror(L, 1, "list: element 1 has %d axes already", PERI_MAX_NDIM);
    const int axis = peri_arg_optional_axis(L, 2, ndim, 0, &opts);
    peri_options(L, opts, out_only);
    for (int k = 0; k < ndim; k++)
        shape[k] = k == axis ? (size_t)count : first->shape[k - (k > axis)];
    for (lua_Integer k = 1; k <= count; k++) {
        const peri_array *a = peri_list_item(L, 1, k);
        if (a->ndim != first->ndim ||
            (a->ndim > 0 && memcmp(a->shape, first->shape, (size_t)a->ndim * sizeof *shape) != 0)) {
            const char *got = peri_push_shape(L, a->ndim, a->shape);
            peri_argerror(L, 1, "list: element %I has shape %s, element 1 %s: all must agree",
                          (LUAI_UACINT)k, got, peri_push_shape(L, first->ndim, first->shape));
        }
        dtype = dtype < 0 ? a->dtype : peri_common(dtype, a->dtype);
    }
    const peri_array *out = peri_option_out(L, opts, dtype, ndim, shape);
    const int slot = lua_gettop(L);
    bool overlap = false;
    for (lua_Integer k = 1; k <= count && !overlap; k++)
        overlap = peri_overlaps(out, peri_list_item(L, 1, k));
    const peri_array *target = overlap ? peri_push_array(L, dtype, ndim, shape) : out;
    ptrdiff_t stride[PERI_MAX_NDIM];
    size_t inner[PERI_MAX_NDIM];
    for (int k = 0; k < ndim - 1; k++) {
        stride[k] = target->stride[k + (k >= axis)];
        inner[k] = shape[k + (k >= axis)];
    }
    for (lua_Integer k = 1; k <= count; k++) {
        const peri_array *a = peri_list_item(L, 1, k);
        if (a->ndim != ndim - 1 ||
            (a->ndim > 0 && memcmp(a->shape, inner, (size_t)a->ndim * sizeof *inner) != 0))
            peri_argerror(L, 1, "list: changed while it was read");
        const peri_view from = peri_view_of(a);
        const peri_view to = {offset(target, (ptrdiff_t)(k - 1) * target->stride[axis]), dtype,
                              ndim - 1, inner, stride};
        peri_copy(&to, &from);
    }
    if (overlap) {
        const peri_view from = peri_view_of(target), to = peri_view_of(out);
        peri_copy(&to, &from);
        lua_settop(L, slot);
    }
    return 1;
}

/* ---- repeating --------------------------------------------------------------------------- */

/*** pg.tile(a, ...) -> array
 * The whole array repeated along each axis.
 * @param a  array of any shape
 * @param ...  integers, or one table of them: how often along each axis, matched from the last;
 * more numbers than axes put new axes in front
 * @return array of a's dtype
 * @example pg.tile(pg.array{1, 2}, 3).shape --> (6,)
 */
static int tile(lua_State *L)
{
    peri_array *a = peri_arg_any(L, 1, "a");
    size_t times[PERI_MAX_NDIM], shape[PERI_MAX_NDIM], inner[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    int next;
    const int given = peri_arg_shape(L, 2, times, &next);
    if (given == 0)
        peri_argerror(L, 2, "times: expected an integer or a table of integers, got %s",
                      peri_push_got(L, 2));
    const int ndim = given > a->ndim ? given : a->ndim;
    for (int k = 0; k < ndim; k++) {
        const int own = k - (ndim - a->ndim), rep = k - (ndim - given);
        inner[k] = own < 0 ? 1 : a->shape[own];
        stride[k] = own < 0 ? 0 : a->stride[own];
        shape[k] = peri_mul_size(L, inner[k], rep < 0 ? 1 : times[rep]);
    }
    const peri_array *out = peri_push_array(L, a->dtype, ndim, shape);
    const peri_view from = {a->data, a->dtype, ndim, inner, stride}, to = peri_view_of(out);
    peri_tile(&from, &to);
    return 1;
}

/* Replaces the array at slot by its elements in row-major order, copied where they must be. */
static peri_array *flatten(lua_State *L, int slot)
{
    const peri_array *a = peri_arg_any(L, slot, "a");
    if (!peri_is_contiguous(a)) {
        a = peri_push_copy(L, a, -1);
        lua_replace(L, slot);
    }
    const ptrdiff_t unit = 1;
    peri_array *flat = peri_push_view(L, slot, a->data, 1, &a->size, &unit);
    lua_replace(L, slot);
    return flat;
}

/* Pushes the slices of a (at 1) along axis whose positions are index[0..count-1]. The options are
 * at opts, 0 where the function has none. */
static int push_taken(lua_State *L, peri_array *a, int axis, const size_t *index, size_t count,
                      int opts)
{
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, a->shape, (size_t)a->ndim * sizeof *shape);
    shape[axis] = count;
    const peri_array *out = opts == 0
                                ? peri_push_array(L, a->dtype, a->ndim, shape)
                                : peri_option_out_from(L, opts, a->dtype, a->ndim, shape, 1, &a);
    const peri_view from = peri_view_of(a), to = peri_view_of(out);
    peri_take(&from, axis, index, count, &to);
    return 1;
}

/*** pg.repeat_(a, times [, axis]) -> array
 * Each element, or each slice along an axis, repeated in place; NumPy's repeat, which is a word of
 * Lua: pg["repeat"] is the same function.
 * @param a  array of any shape
 * @param times  integer, or an array or table with one for each slice
 * @param axis  integer: default none, which flattens a
 * @return array of a's dtype
 * @example pg.repeat_(pg.array{1, 2}, 2):totable()[2] --> 1.0
 */
static int repeat_(lua_State *L)
{
    peri_array *a = peri_arg_any(L, 1, "a");
    int axis = 0;
    if (lua_isnoneornil(L, 3))
        a = flatten(L, 1);
    else
        axis = peri_arg_axis(L, 3, "axis", a->ndim);
    const size_t n = a->shape[axis];
    size_t total = 0;
    if (lua_type(L, 2) == LUA_TNUMBER) {
        const size_t times = (size_t)peri_arg_integer(L, 2, "times", 0, INT_MAX);
        total = peri_mul_size(L, n, times);
        size_t *index = peri_push_scratch(L, peri_mul_size(L, total, sizeof *index));
        for (size_t i = 0; i < total; i++)
            index[i] = i / times;
        return push_taken(L, a, axis, index, total, 0);
    }
    const peri_array *times = peri_arg_contiguous(L, 2, "times", PERI_F64, 1);
    if (times->size != n)
        peri_argerror(L, 2, "times: expected %I, one for each slice, got %I", (LUAI_UACINT)n,
                      (LUAI_UACINT)times->size);
    const double *t = times->data;
    for (size_t i = 0; i < n; i++) {
        if (!(t[i] >= 0 && t[i] <= INT_MAX && t[i] == (double)(size_t)t[i]))
            peri_argerror(L, 2, "times: element %I is %s, expected an integer of at least 0",
                          (LUAI_UACINT)i + 1, peri_push_number(L, t[i]));
        if (__builtin_add_overflow(total, (size_t)t[i], &total))
            peri_error(L, "the result would be too large");
    }
    size_t *index = peri_push_scratch(L, peri_mul_size(L, total, sizeof *index));
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < (size_t)t[i]; k++)
            index[at++] = i;
    return push_taken(L, a, axis, index, total, 0);
}

/* The contract's name; a function of its own, so that messages call each by its name. */
static int repeat(lua_State *L)
{
    return repeat_(L);
}

/* ---- selecting --------------------------------------------------------------------------- */

/*** pg.take(a, idx [, axis] [, opts]) -> array
 * The slices of a at the given indices along an axis, in their order.
 * @param a  array of any shape
 * @param idx  integer (the axis goes), or an array or table of them of any shape, which takes the
 * axis's place; from 1, or from the end when negative
 * @param axis  integer: default 1
 * @param opts.out  array that receives the result
 * @return array of a's dtype; always a copy
 * @error an index outside the axis, with its place and the axis's extent
 * @example pg.take(pg.array{10, 20, 30}, {3, 1}):totable()[1] --> 30.0
 */
static int take(lua_State *L)
{
    peri_array *a = peri_arg_any(L, 1, "a");
    const bool number = lua_type(L, 2) == LUA_TNUMBER;
    const peri_array *idx = peri_arg_any(L, 2, "idx");
    int opts;
    if (a->ndim == 0)
        peri_argerror(L, 1, "a: expected at least 1 axis, got shape ()");
    const int axis = peri_arg_optional_axis(L, 3, a->ndim, 0, &opts);
    peri_options(L, opts, out_only);
    size_t *index = peri_push_scratch(L, peri_mul_size(L, idx->size, sizeof *index));
    const peri_view which = peri_view_of(idx);
    peri_facts facts = {0};
    if (peri_index_read(&which, a->shape[axis], index, &facts) != PERI_OK) {
        const char *cure = facts.got == 0 ? ": indices count from 1" : "";
        if (number)
            peri_argerror(L, 2, "idx: %s is no index of axis %d, which has %I%s",
                          peri_push_number(L, facts.got), axis + 1, (LUAI_UACINT)a->shape[axis],
                          cure);
        peri_argerror(L, 2, "idx: element %I is %s, no index of axis %d, which has %I%s",
                      (LUAI_UACINT)facts.index[0] + 1, peri_push_number(L, facts.got), axis + 1,
                      (LUAI_UACINT)a->shape[axis], cure);
    }
    const int ndim = a->ndim - 1 + idx->ndim;
    if (ndim > PERI_MAX_NDIM)
        peri_argerror(L, 2, "idx: the result would have more than %d axes", PERI_MAX_NDIM);
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, a->shape, (size_t)axis * sizeof *shape);
    if (idx->ndim > 0)
        memcpy(shape + axis, idx->shape, (size_t)idx->ndim * sizeof *shape);
    memcpy(shape + axis + idx->ndim, a->shape + axis + 1,
           (size_t)(a->ndim - axis - 1) * sizeof *shape);
    if (idx->ndim == 1)
        return push_taken(L, a, axis, index, idx->size, opts);
    /* The kernel knows one axis in the place of idx's: an array of it, seen with the shape. */
    size_t flat[PERI_MAX_NDIM];
    memcpy(flat, a->shape, (size_t)a->ndim * sizeof *flat);
    flat[axis] = idx->size;
    const peri_array *out = peri_push_array(L, a->dtype, ndim, shape);
    ptrdiff_t stride[PERI_MAX_NDIM], step = 1;
    for (int k = a->ndim - 1; k >= 0; k--) {
        stride[k] = step;
        step *= (ptrdiff_t)flat[k];
    }
    const peri_view from = peri_view_of(a);
    const peri_view to = {out->data, a->dtype, a->ndim, flat, stride};
    peri_take(&from, axis, index, idx->size, &to);
    if (peri_option_given(L, opts, "out")) {
        const peri_array *given = peri_option_out(L, opts, a->dtype, ndim, shape);
        const peri_view result = peri_view_of(out), there = peri_view_of(given);
        peri_copy(&there, &result);
    } else if (ndim == 0) {
        lua_pushnumber(L, peri_read(out->dtype, out->data));
    }
    return 1;
}

/*** pg.compress(a, mask [, axis]) -> array
 * The slices of a along an axis where the mask is not 0; or the elements where a mask of a's own
 * shape is not 0, as one axis.
 * @param a  array of any shape
 * @param mask  array or table of 0 and 1: one for each slice, or a's shape
 * @param axis  integer: default 1
 * @return array of a's dtype; always a copy
 * @error a mask of another length
 * @example pg.compress(pg.array{10, 20, 30}, {1, 0, 1}):totable()[2] --> 30.0
 */
static int compress(lua_State *L)
{
    peri_array *a = peri_arg_any(L, 1, "a");
    const peri_array *mask = peri_arg_any(L, 2, "mask");
    const peri_view m = peri_view_of(mask);
    if (lua_isnoneornil(L, 3) && a->ndim != 1 && mask->ndim == a->ndim &&
        memcmp(mask->shape, a->shape, (size_t)a->ndim * sizeof *a->shape) == 0) {
        const size_t count = peri_nonzero_count(&m);
        const peri_array *out = peri_push_array(L, a->dtype, 1, &count);
        const peri_view from = peri_view_of(a), to = peri_view_of(out);
        peri_mask_select(&from, &m, &to);
        return 1;
    }
    if (a->ndim == 0)
        peri_argerror(L, 1, "a: expected at least 1 axis, got shape ()");
    const int axis = lua_isnoneornil(L, 3) ? 0 : peri_arg_axis(L, 3, "axis", a->ndim);
    if (mask->ndim != 1 || mask->size != a->shape[axis]) {
        const char *got = peri_push_shape(L, mask->ndim, mask->shape);
        peri_argerror(L, 2, "mask: shape %s does not fit axis %d of shape %s", got, axis + 1,
                      peri_push_shape(L, a->ndim, a->shape));
    }
    size_t *index = peri_push_scratch(L, peri_mul_size(L, mask->size, sizeof *index));
    const size_t count = peri_mask_read(&m, index);
    return push_taken(L, a, axis, index, count, 0);
}

/*** pg.nonzero(a) -> array, ...
 * Where the elements that are not 0 stand: one array of indices for each axis, in row-major order.
 * @param a  array of at least one axis
 * @return as many arrays as a has axes, each f64 and k long
 * @example #pg.nonzero(pg.array{0, 5, 7}) --> 2
 */
static int nonzero(lua_State *L)
{
    const peri_array *a = peri_arg_any(L, 1, "a");
    if (a->ndim == 0)
        peri_argerror(L, 1, "a: expected at least 1 axis, got shape ()");
    const peri_view v = peri_view_of(a);
    const size_t count = peri_nonzero_count(&v);
    double *out[PERI_MAX_NDIM];
    luaL_checkstack(L, a->ndim + 4, "nonzero");
    for (int axis = 0; axis < a->ndim; axis++)
        out[axis] = peri_push_array(L, PERI_F64, 1, &count)->data;
    peri_nonzero(&v, 1, out);
    return a->ndim;
}

/* ---- shifting ---------------------------------------------------------------------------- */

/*** pg.roll(a, shift [, axis] [, opts]) -> array
 * Elements moved along an axis by shift places; what leaves at one end enters at the other.
 * @param a  array of any shape
 * @param shift  integer: towards higher indices when positive
 * @param axis  integer: default none, which rolls the elements in row-major order
 * @param opts.out  array of a's shape and dtype that receives the result
 * @return array of a's shape and dtype
 * @example pg.roll(pg.array{1, 2, 3}, 1):totable()[1] --> 3.0
 */
static int roll(lua_State *L)
{
    peri_array *a = peri_arg_any(L, 1, "a");
    const ptrdiff_t shift =
        (ptrdiff_t)peri_arg_integer(L, 2, "shift", LUA_MININTEGER, LUA_MAXINTEGER);
    int opts;
    const int axis = peri_arg_optional_axis(L, 3, a->ndim, -1, &opts);
    peri_options(L, opts, out_only);
    const bool given = peri_option_given(L, opts, "out");
    const peri_array *out = peri_option_out_from(L, opts, a->dtype, a->ndim, a->shape, 1, &a);
    if (axis >= 0) {
        const peri_view from = peri_view_of(a), to = peri_view_of(out);
        peri_roll(&from, axis, shift, &to);
        return 1;
    }
    const int slot = lua_gettop(L);
    const peri_array *whole = out;
    if (given)
        whole = peri_push_array(L, a->dtype, a->ndim, a->shape);
    const peri_array *flat = flatten(L, 1);
    const ptrdiff_t unit = 1;
    const peri_view from = peri_view_of(flat);
    const peri_view to = {whole->data, flat->dtype, 1, flat->shape, &unit};
    peri_roll(&from, 0, shift, &to);
    if (given) {
        const peri_view result = peri_view_of(whole), there = peri_view_of(out);
        peri_copy(&there, &result);
    }
    lua_settop(L, slot);
    return 1;
}

/*** pg.flip(a [, axis]) -> array
 * The elements in reverse order along an axis, as a view that shares a's memory.
 * @param a  array of any shape
 * @param axis  integer, or a table of them: default all
 * @return view of a's shape
 * @example pg.flip(pg.array{1, 2, 3}):totable()[1] --> 3.0
 */
static int flip(lua_State *L)
{
    const peri_array *a = peri_arg_any(L, 1, "a");
    bool flipped[PERI_MAX_NDIM], all;
    int opts;
    peri_arg_axes(L, 2, a->ndim, flipped, &all, &opts);
    peri_options(L, opts, none);
    ptrdiff_t stride[PERI_MAX_NDIM], start = 0;
    for (int axis = 0; axis < a->ndim; axis++) {
        stride[axis] = flipped[axis] ? -a->stride[axis] : a->stride[axis];
        if (flipped[axis] && a->size > 0)
            start += (ptrdiff_t)(a->shape[axis] - 1) * a->stride[axis];
    }
    peri_push_view(L, 1, offset(a, start), a->ndim, a->shape, stride);
    return 1;
}

/*** pg.diff(a [, axis] [, opts]) -> array
 * Differences of neighbours along an axis: a[i+1] - a[i].
 * @param a  array of at least one axis
 * @param axis  integer: default -1, the last
 * @param opts.n  integer: how often; default 1
 * @return array of a's dtype, shorter by n along the axis
 * @example pg.diff(pg.array{1, 4, 9}):totable()[2] --> 5.0
 */
static int diff(lua_State *L)
{
    static const char *const names[] = {"n", NULL};
    const peri_array *a = peri_arg_operand(L, 1, "a");
    if (a->ndim == 0)
        peri_argerror(L, 1, "a: expected at least 1 axis, got shape ()");
    int opts;
    const int axis = peri_arg_optional_axis(L, 2, a->ndim, a->ndim - 1, &opts);
    peri_options(L, opts, names);
    const lua_Integer times = peri_option_integer(L, opts, "n", 1, 0, INT_MAX);
    size_t shape[PERI_MAX_NDIM];
    memcpy(shape, a->shape, (size_t)a->ndim * sizeof *shape);
    if (times == 0) {
        peri_push_copy(L, a, -1);
        return 1;
    }
    if ((lua_Unsigned)times >= shape[axis]) {
        shape[axis] = 0;
        peri_push_array(L, a->dtype, a->ndim, shape);
        return 1;
    }
    for (lua_Integer k = 0; k < times; k++) {
        shape[axis]--;
        const peri_array *next = peri_push_array(L, a->dtype, a->ndim, shape);
        const peri_view from = peri_view_of(a), to = peri_view_of(next);
        peri_diff(&from, axis, &to);
        lua_replace(L, 1);
        a = next;
    }
    lua_settop(L, 1);
    return 1;
}

/* ---- matrices ---------------------------------------------------------------------------- */

static int triangle(lua_State *L, bool upper)
{
    peri_array *a = peri_arg_any(L, 1, "a");
    if (a->ndim < 2)
        peri_argerror(L, 1, "a: expected at least 2 axes, got shape %s",
                      peri_push_shape(L, a->ndim, a->shape));
    const bool given = !lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TTABLE;
    const ptrdiff_t k =
        given ? (ptrdiff_t)peri_arg_integer(L, 2, "k", -(lua_Integer)INT_MAX, INT_MAX) : 0;
    const int opts = lua_type(L, 2) == LUA_TTABLE ? 2 : 3;
    peri_options(L, opts, out_only);
    const peri_array *out = peri_option_out_from(L, opts, a->dtype, a->ndim, a->shape, 1, &a);
    const peri_view from = peri_view_of(a), to = peri_view_of(out);
    peri_triangle(&from, k, upper, &to);
    return 1;
}

/*** pg.tril(a [, k] [, opts]) -> array
 * a with zeros above its k-th diagonal, for each matrix of the last two axes.
 * @param a  array, ... x n x m
 * @param k  integer: default 0, the main diagonal; positive above it
 * @param opts.out  array of a's shape and dtype that receives the result
 * @return array of a's shape and dtype
 * @example pg.tril(pg.ones(3, 3)):sum() --> 6.0
 */
static int tril(lua_State *L)
{
    return triangle(L, false);
}

/*** pg.triu(a [, k] [, opts]) -> array
 * a with zeros below its k-th diagonal, for each matrix of the last two axes.
 * @param a  array, ... x n x m
 * @param k  integer: default 0, the main diagonal; positive above it
 * @param opts.out  array of a's shape and dtype that receives the result
 * @return array of a's shape and dtype
 * @example pg.triu(pg.ones(3, 3), 1):sum() --> 3.0
 */
static int triu(lua_State *L)
{
    return triangle(L, true);
}

/*** pg.diag(a [, k]) -> array
 * A vector gives the matrix that has it on its k-th diagonal and zeros elsewhere; a matrix gives
 * its k-th diagonal as a view that shares its memory.
 * @param a  array, n or n x m
 * @param k  integer: default 0, the main diagonal; positive above it
 * @return array, (n + |k|) x (n + |k|), or the diagonal's length
 * @example pg.diag(pg.array{1, 2}).shape --> (2, 2)
 */
static int diag(lua_State *L)
{
    const peri_array *a = peri_arg_any(L, 1, "a");
    if (a->ndim != 1 && a->ndim != 2)
        peri_argerror(L, 1, "a: expected 1 or 2 axes, got shape %s",
                      peri_push_shape(L, a->ndim, a->shape));
    const ptrdiff_t k =
        lua_isnoneornil(L, 2)
            ? 0
            : (ptrdiff_t)peri_arg_integer(L, 2, "k", -(lua_Integer)INT_MAX, INT_MAX);
    const ptrdiff_t down = k < 0 ? -k : 0, right = k > 0 ? k : 0;
    if (a->ndim == 2) {
        const ptrdiff_t rows = (ptrdiff_t)a->shape[0] - down, cols = (ptrdiff_t)a->shape[1] - right;
        const ptrdiff_t length = rows < cols ? rows : cols;
        const size_t shape = length > 0 ? (size_t)length : 0;
        const ptrdiff_t stride = a->stride[0] + a->stride[1];
        const ptrdiff_t start = shape > 0 ? down * a->stride[0] + right * a->stride[1] : 0;
        peri_push_view(L, 1, offset(a, start), 1, &shape, &stride);
        return 1;
    }
    const size_t n = a->shape[0] + (size_t)(down + right), shape[2] = {n, n};
    const peri_array *out = peri_push_zeros(L, a->dtype, 2, shape);
    const ptrdiff_t stride = out->stride[0] + out->stride[1];
    const ptrdiff_t start = down * out->stride[0] + right * out->stride[1];
    const peri_view from = peri_view_of(a);
    const peri_view to = {offset(out, a->size > 0 ? start : 0), a->dtype, 1, a->shape, &stride};
    peri_copy(&to, &from);
    return 1;
}

/*** pg.trace(a) -> number
 * Sum of the diagonal.
 * @param a  array, n x m
 * @example pg.trace(pg.eye(3)) --> 3.0
 */
static int trace(lua_State *L)
{
    const peri_array *a = peri_arg_operand(L, 1, "a");
    if (a->ndim != 2)
        peri_argerror(L, 1, "a: expected 2 axes, got shape %s",
                      peri_push_shape(L, a->ndim, a->shape));
    const peri_view v = peri_view_of(a);
    const double sum = peri_trace(&v);
    lua_pushnumber(L, PERI_REAL_PICK(peri_promote1(a->dtype), sum, (double)(float)sum));
    return 1;
}

/*** pg.outer(a, b [, out]) -> array
 * All products of an element of a with one of b; either is taken as a vector in row-major order.
 * @param a  array of n elements
 * @param b  array of m elements
 * @param out  array, n x m, that receives the result
 * @return array, n x m, f64 unless both are f32
 * @example pg.outer(pg.array{1, 2}, pg.array{3, 4})(2, 1) --> 6.0
 */
static int outer(lua_State *L)
{
    const peri_array *a = peri_arg_operand(L, 1, "a"), *b = peri_arg_operand(L, 2, "b");
    const int dtype = peri_promote(a->dtype, b->dtype);
    lua_settop(L, 3);
    a = flatten(L, 1);
    b = flatten(L, 2);
    const size_t shape[2] = {a->size, b->size};
    const peri_array *out = peri_arg_out(L, 3, dtype, 2, shape);
    if (peri_overlaps(out, a)) {
        a = peri_push_copy(L, a, -1);
        lua_replace(L, 1);
    }
    if (peri_overlaps(out, b)) {
        b = peri_push_copy(L, b, -1);
        lua_replace(L, 2);
    }
    const peri_view x = peri_view_of(a), y = peri_view_of(b), to = peri_view_of(out);
    peri_outer(&x, &y, &to);
    return 1;
}

/*** pg.meshgrid(x, y, ... [, opts]) -> array, array, ...
 * Coordinates of every point of a grid: for x (m) and y (n) two n x m arrays, so that X(i, j) is
 * x[j] and Y(i, j) is y[i].
 * @param x  array, m
 * @param y  array, n
 * @param opts.indexing  string: "xy" (default) as above, or "ij": m x n, X(i, j) is x[i]
 * @return as many arrays as were given, each with one axis for each of them
 * @example pg.meshgrid(pg.ones(3), pg.ones(2)).shape --> (2, 3)
 */
static int meshgrid(lua_State *L)
{
    static const char *const names[] = {"indexing", NULL};
    static const char *const choices[] = {"xy", "ij", NULL};
    int count = lua_gettop(L);
    const bool options = count > 0 && lua_type(L, count) == LUA_TTABLE && lua_rawlen(L, count) == 0;
    const int opts = options ? count : count + 1;
    count -= options;
    if (count > PERI_MAX_NDIM)
        peri_argerror(L, PERI_MAX_NDIM + 1, "more than %d axes", PERI_MAX_NDIM);
    luaL_checkstack(L, count + 8, "meshgrid");
    peri_options(L, opts, names);
    const bool swap = peri_option_choice(L, opts, "indexing", choices, 0) == 0 && count >= 2;
    size_t shape[PERI_MAX_NDIM];
    for (int k = 0; k < count; k++) {
        const peri_array *x = peri_arg_any(L, k + 1, "x");
        if (x->ndim > 1)
            peri_argerror(L, k + 1, "x: expected 1 axis, got shape %s",
                          peri_push_shape(L, x->ndim, x->shape));
        shape[swap && k < 2 ? 1 - k : k] = x->size;
    }
    for (int k = 0; k < count; k++) {
        const peri_array *x = peri_test_array(L, k + 1);
        ptrdiff_t stride[PERI_MAX_NDIM] = {0};
        stride[swap && k < 2 ? 1 - k : k] = x->ndim == 1 ? x->stride[0] : 0;
        const peri_array *out = peri_push_array(L, x->dtype, count, shape);
        const peri_view from = {x->data, x->dtype, count, shape, stride}, to = peri_view_of(out);
        peri_copy(&to, &from);
    }
    return count;
}

PERI_OPENER(rearrange)
{
    static const luaL_Reg alone[] = {
        {"concat", concat}, {"stack", stack}, {"meshgrid", meshgrid}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"tile", tile},         {"repeat_", repeat_}, {"repeat", repeat}, {"take", take},
        {"compress", compress}, {"nonzero", nonzero}, {"roll", roll},     {"flip", flip},
        {"diff", diff},         {"tril", tril},       {"triu", triu},     {"diag", diag},
        {"trace", trace},       {"outer", outer},     {NULL, NULL},
    };
    peri_functions(L, alone);
    peri_array_functions(L, functions);
    return 0;
}
