/* SPDX-License-Identifier: MIT
 *
 * Rows of scores over vectors, written over the names of lanes.h and row_loops.h and included by
 * attention.c once an element type and level. It leaves NAME(attention), the table of them.
 */
#include "kernel/row_loops.h"

/* x = scale x + mask */
INLINE void NAME(finish_scores)(const score_row *r, REAL *x)
{
    const vec scale = NAME(splat)((REAL)r->scale);
    for (size_t i = 0; i < r->n; i += LANES) {
        vec s = NAME(load_part)(x + i, r->n - i) * scale;
        if (r->mask != NULL)
            s += NAME(load_part)((const REAL *)r->mask + i, r->n - i);
        NAME(store_part)(x + i, s, r->n - i);
    }
}

static KERNEL double NAME(score_forward)(const score_row *r, void *row, void *l)
{
    REAL *x = row;
    NAME(finish_scores)(r, x);
    const REAL most = NAME(row_max)(x, r->n);
    if (most == -(REAL)INFINITY) {
        memset(x, 0, r->n * sizeof *x);
        *(REAL *)l = most;
        return 0;
    }
    const REAL sum = NAME(row_exp)(x, r->n, most, x);
    *(REAL *)l = most + (REAL)log((double)sum);
    return 1 / (double)sum;
}

static KERNEL void NAME(score_backward)(const score_row *r, void *row, const void *l, double delta,
                                        void *gradient)
{
    REAL *x = row, *d = gradient;
    if (l == NULL || *(const REAL *)l != -(REAL)INFINITY)
        NAME(finish_scores)(r, x);
    const REAL all = l == NULL ? NAME(row_logsumexp)(x, r->n) : *(const REAL *)l;
    if (all == -(REAL)INFINITY) {
        memset(x, 0, r->n * sizeof *x);
        memset(d, 0, r->n * sizeof *d);
        return;
    }
    const vec shift = NAME(splat)(all), mean = NAME(splat)((REAL)delta);
    for (size_t i = 0; i < r->n; i += LANES) {
        const vec p = NAME(probability)(NAME(load_row)(x, i, r->n) - shift);
        NAME(store_part)(x + i, p, r->n - i);
        NAME(store_part)(d + i, p * (NAME(load_part)(d + i, r->n - i) - mean), r->n - i);
    }
}

static KERNEL void NAME(score_scale)(void *y, size_t n, double by)
{
    NAME(row_scale)(y, n, (REAL)by);
}

static KERNEL double NAME(score_dot)(const void *x, const void *y, size_t n)
{
    return (double)NAME(row_dot)(x, y, n);
}

static const row_functions NAME(attention) = {NAME(score_forward), NAME(score_backward),
                                              NAME(score_scale), NAME(score_dot)};
