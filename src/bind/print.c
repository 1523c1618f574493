/* SPDX-License-Identifier: MIT
 *
 * Arrays as text: aligned columns, summarised, with a footer such as [3x4 f64].
 *
 * Every number of one array has the same number of decimals: as many as the neediest of the
 * elements shown wants for `precision` significant digits, none for whole numbers. Where the
 * largest is 1e8 or more, or the smallest needs leading zeros beyond precision, all are written
 * with exponents. A row that stays too wide with 3 + 3 of its columns gives up digits, down to 3.
 * Only the elements shown are read, so the size of an array does not matter.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "bind/bind.h"
#include "format/number.h"
#include "kernel/copy.h"

enum { EDGE = 3, LEAST_DIGITS = 3 };

/* A vector of up to so many numbers is shown whole, in several lines. */
enum { WRAPPED = 200 };

struct layout {
    int precision;    /* significant digits at most */
    size_t threshold; /* above so many elements an axis longer than 2 * EDGE is summarised */
    int width;        /* columns of the terminal */
    bool asked;       /* for this precision: then a wide row stays wide */
    bool tight;       /* whole numbers of 9 digits and more get exponents too */
    bool exponents;
    int decimals;
    int cell; /* characters of the widest number */
    bool summarise;
};

struct printer {
    const peri_array *a;
    struct layout *layout;
    luaL_Buffer *buffer;
    bool narrow; /* the last axis is summarised because its row is too wide */
};

/* The k-th index shown of an axis (or SIZE_MAX for the dots), and how many there are. */
static bool is_cut(const struct layout *l, size_t extent, bool force)
{
    /* Dots in place of one row save nothing; in place of one column they may. */
    return force ? extent > 2 * EDGE : l->summarise && extent > 2 * EDGE + 1;
}

static size_t shown_count(const struct layout *l, size_t extent, bool force)
{
    return is_cut(l, extent, force) ? 2 * EDGE + 1 : extent;
}

static size_t shown_index(const struct layout *l, size_t extent, bool force, size_t k)
{
    if (!is_cut(l, extent, force))
        return k;
    return k < EDGE ? k : k == EDGE ? SIZE_MAX : extent - (2 * EDGE + 1 - k);
}

static int format_number(const struct layout *l, double x, char *text, size_t size)
{
    if (isnan(x))
        return snprintf(text, size, "nan");
    if (isinf(x))
        return snprintf(text, size, x < 0 ? "-inf" : "inf");
    snprintf(text, size, l->exponents ? "%.*e" : "%.*f", l->decimals, x);
    return (int)peri_number_point(text);
}

/* Decimals that x needs with at most `precision` significant digits. */
static int needed_decimals(double x, int precision, bool exponents)
{
    char digits[64];
    if (!isfinite(x) || x == 0)
        return 0;
    snprintf(digits, sizeof digits, "%.*e", precision - 1, x);
    peri_number_point(digits);
    char *e = strchr(digits, 'e');
    const int power = atoi(e + 1);
    char *last = e - 1;
    while (*last == '0')
        last--;
    const char *point = strchr(digits, '.');
    const int fraction = point != NULL && last > point ? (int)(last - point) : 0;
    if (exponents)
        return fraction;
    return fraction - power > 0 ? fraction - power : 0;
}

static void survey(const struct printer *p, int axis, const char *at, int pass, double *least,
                   double *most)
{
    const peri_array *a = p->a;
    struct layout *l = p->layout;
    if (axis == a->ndim) {
        const double x = peri_read(a->dtype, at);
        if (pass == 0) {
            if (isfinite(x) && x != 0) {
                *most = fmax(*most, fabs(x));
                *least = fmin(*least, fabs(x));
            }
            return;
        }
        if (pass == 1) {
            const int decimals = needed_decimals(x, l->precision, l->exponents);
            if (decimals > l->decimals)
                l->decimals = decimals;
            return;
        }
        char text[512];
        const int length = format_number(l, x, text, sizeof text);
        if (length > l->cell)
            l->cell = length;
        return;
    }
    const bool force = axis == a->ndim - 1 && p->narrow;
    const ptrdiff_t step = a->stride[axis] * (ptrdiff_t)peri_dtype_size(a->dtype);
    for (size_t k = 0; k < shown_count(l, a->shape[axis], force); k++) {
        const size_t i = shown_index(l, a->shape[axis], force, k);
        if (i != SIZE_MAX)
            survey(p, axis + 1, at + step * (ptrdiff_t)i, pass, least, most);
    }
}

static void choose_format(const struct printer *p)
{
    struct layout *l = p->layout;
    double least = HUGE_VAL, most = 0;
    l->exponents = false;
    l->decimals = 0;
    l->cell = 0;
    survey(p, 0, p->a->data, 0, &least, &most);
    survey(p, 0, p->a->data, 1, &least, &most);
    const bool whole = l->decimals == 0;
    if (most >= (whole && !l->tight ? 1e15 : 1e8) ||
        (most > 0 && (least < 1e-4 || most / least >= 1e8) && !whole)) {
        l->exponents = true;
        l->decimals = 0;
        survey(p, 0, p->a->data, 1, &least, &most);
    } else if (!whole) {
        /* The largest number decides how many decimals carry information. */
        const int before = most >= 1 ? (int)floor(log10(most)) + 1 : 1;
        const int sensible = l->precision - before > 1 ? l->precision - before : 1;
        const int for_least = least < 1 ? (int)-floor(log10(least)) + l->precision - 3 : 0;
        const int limit = sensible > for_least ? sensible : for_least;
        if (l->decimals > limit)
            l->decimals = limit;
    }
    survey(p, 0, p->a->data, 2, &least, &most);
}

static bool fits(const struct printer *p)
{
    const struct layout *l = p->layout;
    const size_t extent = p->a->shape[p->a->ndim - 1];
    const size_t dots = is_cut(l, extent, p->narrow);
    const size_t numbers = shown_count(l, extent, p->narrow) - dots;
    return numbers * (size_t)(l->cell + 2) + dots * 5 <= (size_t)l->width + 1;
}

static void pad(luaL_Buffer *b, int n)
{
    while (n-- > 0)
        luaL_addchar(b, ' ');
}

static void print_row(const struct printer *p, const char *at)
{
    const peri_array *a = p->a;
    const struct layout *l = p->layout;
    const int axis = a->ndim - 1;
    const size_t extent = a->shape[axis];
    const ptrdiff_t step = a->stride[axis] * (ptrdiff_t)peri_dtype_size(a->dtype);
    for (size_t k = 0; k < shown_count(l, extent, p->narrow); k++) {
        const size_t i = shown_index(l, extent, p->narrow, k);
        if (i == SIZE_MAX) {
            luaL_addstring(p->buffer, "  ...");
            continue;
        }
        char text[512];
        const int length =
            format_number(l, peri_read(a->dtype, at + step * (ptrdiff_t)i), text, sizeof text);
        pad(p->buffer, l->cell - length + (k > 0 ? 2 : 1));
        luaL_addlstring(p->buffer, text, (size_t)length);
    }
    luaL_addchar(p->buffer, '\n');
}

/* A vector in lines of as many numbers as the width takes. */
static void print_lines(const struct printer *p)
{
    const peri_array *a = p->a;
    const struct layout *l = p->layout;
    const size_t each = (size_t)(l->width + 1) / (size_t)(l->cell + 2);
    for (size_t i = 0; i < a->shape[0]; i++) {
        const char *at = (const char *)a->data +
                         (ptrdiff_t)i * a->stride[0] * (ptrdiff_t)peri_dtype_size(a->dtype);
        char text[512];
        const bool first = i % (each > 0 ? each : 1) == 0;
        const int length = format_number(l, peri_read(a->dtype, at), text, sizeof text);
        if (first && i > 0)
            luaL_addchar(p->buffer, '\n');
        pad(p->buffer, l->cell - length + (first ? 1 : 2));
        luaL_addlstring(p->buffer, text, (size_t)length);
    }
    luaL_addchar(p->buffer, '\n');
}

static void print_matrix(const struct printer *p, const char *at)
{
    const peri_array *a = p->a;
    const int axis = a->ndim - 2;
    const ptrdiff_t step = a->stride[axis] * (ptrdiff_t)peri_dtype_size(a->dtype);
    for (size_t k = 0; k < shown_count(p->layout, a->shape[axis], false); k++) {
        const size_t i = shown_index(p->layout, a->shape[axis], false, k);
        if (i == SIZE_MAX)
            luaL_addstring(p->buffer, " ...\n");
        else
            print_row(p, at + step * (ptrdiff_t)i);
    }
}

/* Leading axes one after another, each matrix under a line such as [2, 1, :, :]. */
static void print_stack(const struct printer *p, int axis, const char *at, size_t *index)
{
    const peri_array *a = p->a;
    if (axis == a->ndim - 2) {
        char text[32];
        for (int k = 0; k < axis; k++) {
            snprintf(text, sizeof text, "%s%zu", k > 0 ? ", " : "[", index[k] + 1);
            luaL_addstring(p->buffer, text);
        }
        luaL_addstring(p->buffer, ", :, :]\n");
        print_matrix(p, at);
        return;
    }
    const ptrdiff_t step = a->stride[axis] * (ptrdiff_t)peri_dtype_size(a->dtype);
    for (size_t k = 0; k < shown_count(p->layout, a->shape[axis], false); k++) {
        const size_t i = shown_index(p->layout, a->shape[axis], false, k);
        if (i == SIZE_MAX) {
            luaL_addstring(p->buffer, "...\n");
            continue;
        }
        index[axis] = i;
        print_stack(p, axis + 1, at + step * (ptrdiff_t)i, index);
    }
}

static void push_text(lua_State *L, const peri_array *a, struct layout *l)
{
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    struct printer p = {a, l, &buffer, false};
    bool wrapped = false;
    /* A page of rows is too much as well, however short they are. */
    l->summarise =
        a->size > l->threshold || (a->ndim >= 2 && a->shape[a->ndim - 2] > l->threshold / 20);
    if (a->size > 0) {
        choose_format(&p);
        wrapped = a->ndim == 1 && a->size <= WRAPPED && a->size <= l->threshold && !fits(&p);
        if (a->ndim > 0 && !wrapped && !fits(&p)) {
            p.narrow = true;
            choose_format(&p);
        }
        while (a->ndim > 0 && !wrapped && !l->asked && !fits(&p) &&
               (!l->tight || l->precision > LEAST_DIGITS)) {
            l->precision -= l->tight;
            l->tight = true;
            choose_format(&p);
        }
        if (a->ndim == 0) {
            char text[512];
            luaL_addchar(&buffer, ' ');
            luaL_addlstring(
                &buffer, text,
                (size_t)format_number(l, peri_read(a->dtype, a->data), text, sizeof text));
            luaL_addchar(&buffer, '\n');
        } else if (wrapped) {
            print_lines(&p);
        } else if (a->ndim == 1) {
            print_row(&p, a->data);
        } else if (a->ndim == 2) {
            print_matrix(&p, a->data);
        } else {
            size_t index[PERI_MAX_NDIM];
            print_stack(&p, 0, a->data, index);
        }
    }
    luaL_addchar(&buffer, '[');
    for (int axis = 0; axis < a->ndim; axis++) {
        char text[32];
        snprintf(text, sizeof text, "%s%zu", axis > 0 ? "x" : "", a->shape[axis]);
        luaL_addstring(&buffer, text);
    }
    luaL_addstring(&buffer, a->ndim == 0 ? "scalar" : "");
    luaL_addchar(&buffer, ' ');
    luaL_addstring(&buffer, peri_dtype_name(a->dtype));
    luaL_addchar(&buffer, ']');
    luaL_pushresult(&buffer);
}

static int array_tostring(lua_State *L)
{
    struct layout l = {.precision = 6, .threshold = 1000, .width = 80};
    push_text(L, peri_arg_array(L, 1, "a"), &l);
    return 1;
}

/*** pg.tostring(a [, opts]) -> string
 * An array as text: aligned columns, summarised with "..." where it is large, then a footer with
 * shape and dtype such as [3x4 f64]. tostring(a) and print(a) do the same with the defaults.
 * @param a  array
 * @param opts.precision  integer in 1..17: significant digits at most; default 6, or down to 3
 * where a row would be too wide
 * @param opts.threshold  integer, default 1000: a larger array, or one of more rows than a
 * twentieth of it, shows 3 + 3 of each axis
 * @param opts.width  integer, default 80: a wider row shows 3 + 3 of its columns; a vector of up to
 * 200 numbers goes on in the next line
 * @return string
 * @example pg.tostring(pg.array{1, 2.5}) --> 1.0 2.5 [2 f64]
 */
static int tostring(lua_State *L)
{
    static const char *const names[] = {"precision", "threshold", "width", NULL};
    const peri_array *a = peri_arg_array(L, 1, "a");
    peri_options(L, 2, names);
    const bool asked = peri_option_given(L, 2, "precision");
    struct layout l = {
        .precision = (int)peri_option_integer(L, 2, "precision", 6, 1, 17),
        .threshold = (size_t)peri_option_integer(L, 2, "threshold", 1000, 0, LUA_MAXINTEGER),
        .width = (int)peri_option_integer(L, 2, "width", 80, 10, 100000),
        .asked = asked,
    };
    push_text(L, a, &l);
    return 1;
}

/* _format(format, ...) -> what string.format gives where the decimal point is '.': for lua/perigee
 */
static int format(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    void *before = peri_number_enter();
    const int status = lua_pcall(L, lua_gettop(L) - 1, 1, 0);
    peri_number_leave(before);
    return status == LUA_OK ? 1 : lua_error(L);
}

PERI_OPENER(print)
{
    static const luaL_Reg functions[] = {{"tostring", tostring}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__tostring", array_tostring}, {NULL, NULL}};
    peri_functions(L, functions);
    peri_array_metamethods(L, metamethods);
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &peri_pg_key);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, 2, LUA_STRLIBNAME) == LUA_TTABLE)
        lua_getfield(L, 3, "format");
    lua_pushcclosure(L, format, 1);
    lua_setfield(L, 1, "_format");
    return 0;
}
