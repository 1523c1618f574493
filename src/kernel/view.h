/* SPDX-License-Identifier: MIT
 *
 * A view: how every room below the binding, and every C host, sees an array.
 *
 * The element at indices i_0 .. i_(ndim-1), counted from 0, is
 *     ((T *)data)[i_0 * stride[0] + ... + i_(ndim-1) * stride[ndim-1]]
 * where T is the C type of the dtype (dtype.h). A stride counts elements, not bytes; it
 * may be 0 (a broadcast axis) or negative (a flipped one). With ndim 0 there is one element, at
 * data. An extent may be 0: then nothing may be read, and data may point anywhere.
 *
 * A view owns nothing. It is valid as long as the array it was taken from is.
 */
#ifndef PERIGEE_KERNEL_VIEW_H
#define PERIGEE_KERNEL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "dtype.h"

enum { PERI_MAX_NDIM = 32 };

typedef struct {
    void *data;
    int dtype, ndim;
    const size_t *shape;
    const ptrdiff_t *stride;
} peri_view;

/* Product of the extents; 1 when ndim is 0. The array exists, so it cannot overflow. */
static inline size_t peri_view_size(const peri_view *v)
{
    size_t size = 1;
    for (int axis = 0; axis < v->ndim; axis++)
        size *= v->shape[axis];
    return size;
}

/* Whether the elements lie in memory one after another in row-major order. */
static inline bool peri_view_is_contiguous(const peri_view *v)
{
    ptrdiff_t expected = 1;
    for (int axis = v->ndim - 1; axis >= 0; axis--) {
        if (v->shape[axis] == 0)
            return true;
        if (v->shape[axis] != 1 && v->stride[axis] != expected)
            return false;
        expected *= (ptrdiff_t)v->shape[axis];
    }
    return true;
}

/* The element `offset` elements from data, one written there, and its address. */
static inline double peri_get(const peri_view *v, ptrdiff_t offset)
{
    return peri_read_at(v->dtype, v->data, offset);
}

static inline void peri_put(const peri_view *v, ptrdiff_t offset, double value)
{
    peri_write_at(v->dtype, v->data, offset, value);
}

static inline void *peri_address(const peri_view *v, ptrdiff_t offset)
{
    return (char *)v->data + offset * (ptrdiff_t)peri_dtype_size(v->dtype);
}

/* ---- walking over axes ------------------------------------------------------------------- */

enum { PERI_WALKERS = 4 };

/* A place among `ndim` axes, and its offset in each of up to four arrays that are walked in step,
 * in row-major order:
 *
 *     peri_walk w = peri_walk_begin(ndim, shape);
 *     peri_walk_along(&w, a.stride);
 *     peri_walk_along(&w, b.stride);
 *     do
 *         use(peri_get(&a, w.at[0]), peri_get(&b, w.at[1]));
 *     while (peri_walk_next(&w));
 *
 * No extent may be 0. Without axes there is one place. A walk over lines is one over ndim - 1. */
typedef struct {
    int ndim, count;
    const size_t *shape;
    const ptrdiff_t *stride[PERI_WALKERS];
    size_t index[PERI_MAX_NDIM];
    ptrdiff_t at[PERI_WALKERS];
} peri_walk;

static inline peri_walk peri_walk_begin(int ndim, const size_t *shape)
{
    peri_walk w;
    w.ndim = ndim;
    w.count = 0;
    w.shape = shape;
    memset(w.index, 0, sizeof w.index);
    memset(w.at, 0, sizeof w.at);
    return w;
}

/* One array more, with these strides. They are kept, not copied. */
static inline void peri_walk_along(peri_walk *w, const ptrdiff_t *stride)
{
    w->stride[w->count++] = stride;
}

/* The next place. After the last one false, and the walk is at the first again. */
static inline bool peri_walk_next(peri_walk *w)
{
    for (int axis = w->ndim - 1; axis >= 0; axis--) {
        const bool wraps = ++w->index[axis] == w->shape[axis];
        const ptrdiff_t steps = wraps ? 1 - (ptrdiff_t)w->shape[axis] : 1;
        for (int k = 0; k < w->count; k++)
            w->at[k] += steps * w->stride[k][axis];
        if (!wraps)
            return true;
        w->index[axis] = 0;
    }
    return false;
}

#endif
