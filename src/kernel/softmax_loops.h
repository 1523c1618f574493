/* SPDX-License-Identifier: MIT
 *
 * Rows of softmax and cross-entropy over vectors, written over the names of lanes.h and row_loops.h
 * and included by softmax.c once an element type and level. It leaves NAME(rows), the
 * table of its functions.
 */
#include "kernel/row_loops.h"

static KERNEL void NAME(softmax)(const void *from, size_t n, void *to)
{
    const REAL most = NAME(row_max)(from, n);
    const REAL sum = NAME(row_exp)(from, n, most, to);
    NAME(row_scale)(to, n, 1 / sum);
}

static KERNEL void NAME(log_softmax)(const void *from, size_t n, void *to)
{
    const REAL *x = from;
    REAL *y = to;
    const vec l = NAME(splat)(NAME(row_logsumexp)(x, n));
    for (size_t i = 0; i < n; i += LANES)
        NAME(store_part)(y + i, NAME(load_part)(x + i, n - i) - l, n - i);
}

static KERNEL void NAME(softmax_back)(const void *result, const void *gradient, size_t n, void *to)
{
    const REAL *y = result, *g = gradient;
    REAL *dx = to;
    const vec s = NAME(splat)(NAME(row_dot)(g, y, n));
    for (size_t i = 0; i < n; i += LANES) {
        const vec d = NAME(load_part)(y + i, n - i) * (NAME(load_part)(g + i, n - i) - s);
        NAME(store_part)(dx + i, d, n - i);
    }
}

static KERNEL void NAME(log_softmax_back)(const void *result, const void *gradient, size_t n,
                                          void *to)
{
    const REAL *y = result, *g = gradient;
    REAL *dx = to;
    const vec s = NAME(splat)(NAME(row_sum)(g, n));
    for (size_t i = 0; i < n; i += LANES) {
        const vec p = NAME(probability)(NAME(load_row)(y, i, n));
        NAME(store_part)(dx + i, NAME(load_part)(g + i, n - i) - p * s, n - i);
    }
}

static KERNEL void NAME(logsumexp)(const void *from, size_t n, void *to)
{
    *(REAL *)to = NAME(row_logsumexp)(from, n);
}

/* dx = g exp(x - l) sum t - g t, where t is `low` everywhere, and in addition high at `chosen`, or
 * high T. */
INLINE void NAME(row_cross_back)(const REAL *x, REAL l, size_t n, const REAL *T, size_t chosen,
                                 REAL low, REAL high, REAL sum, REAL g, REAL *dx)
{
    const vec shift = NAME(splat)(l), by = NAME(splat)(g * sum);
    const vec base = NAME(splat)(-g * low), top = NAME(splat)(-g * high);
    for (size_t i = 0; i < n; i += LANES) {
        vec d = NAME(fma)(NAME(probability)(NAME(load_row)(x, i, n) - shift), by, base);
        if (T != NULL)
            d = NAME(fma)(top, NAME(load_part)(T + i, n - i), d);
        NAME(store_part)(dx + i, d, n - i);
    }
    if (T == NULL)
        dx[chosen] -= g * high;
}

static KERNEL void NAME(logsumexp_back)(const void *x, const void *l, const void *g, size_t n,
                                        void *dx)
{
    NAME(row_cross_back)(x, *(const REAL *)l, n, NULL, 0, 0, 0, 1, *(const REAL *)g, dx);
}

static KERNEL void NAME(cross)(const peri_cross_row *r)
{
    const REAL *x = r->x, *T = r->T;
    const size_t n = r->n;
    REAL *dx = r->dx;
    if (T == NULL && r->chosen >= n) {
        if (r->loss != NULL)
            *r->loss = 0;
        if (r->l != NULL && r->forward)
            *(REAL *)r->l = 0;
        if (dx != NULL)
            memset(dx, 0, n * sizeof *dx);
        return;
    }
    const REAL low = (REAL)(r->smoothing / (double)n), high = (REAL)(1 - r->smoothing);
    const REAL sum = T == NULL ? 1 : high * NAME(row_sum)(T, n) + low * (REAL)n;
    const REAL l = r->forward || r->l == NULL ? NAME(row_logsumexp)(x, n) : *(const REAL *)r->l;
    if (r->forward && r->l != NULL)
        *(REAL *)r->l = l;
    if (r->loss != NULL) {
        double loss = (double)high * (T == NULL ? (double)l - (double)x[r->chosen] : 0);
        for (size_t j = 0; j < n && T != NULL; j++) /* a probability of 0 takes nothing from -inf */
            if (T[j] != 0)
                loss += (double)(high * T[j]) * ((double)l - (double)x[j]);
        if (low != 0)
            loss += (double)low * ((double)l * (double)n - (double)NAME(row_sum)(x, n));
        *r->loss = loss;
    }
    if (dx != NULL) {
        const REAL g = r->g != NULL ? *(const REAL *)r->g : (REAL)r->scale;
        NAME(row_cross_back)(x, l, n, T, r->chosen, low, high, sum, g, dx);
    }
}

static const row_functions NAME(rows) = {
    NAME(softmax),   NAME(log_softmax),    NAME(softmax_back), NAME(log_softmax_back),
    NAME(logsumexp), NAME(logsumexp_back), NAME(cross)};
