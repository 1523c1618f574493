/* SPDX-License-Identifier: MIT
 *
 * A view: how every room below the binding, and every C host, sees an array.
 *
 * The element at indices i_0 .. i_(ndim-1), counted from 0, is
 *     ((T *)data)[i_0 * stride[0] + ... + i_(ndim-1) * stride[ndim-1]]
 * where T is double for PERI_F64 and float for PERI_F32. A stride counts elements, not bytes; it
 * may be 0 (a broadcast axis) or negative (a flipped one). With ndim 0 there is one element, at
 * data. An extent may be 0: then nothing may be read, and data may point anywhere.
 *
 * A view owns nothing. It is valid as long as the array it was taken from is.
 */
#ifndef PERIGEE_KERNEL_VIEW_H
#define PERIGEE_KERNEL_VIEW_H

#include <stdbool.h>
#include <stddef.h>

enum { PERI_F64 = 0, PERI_F32 = 1 };

enum { PERI_MAX_NDIM = 32 };

typedef struct {
    void *data;
    int dtype, ndim;
    const size_t *shape;
    const ptrdiff_t *stride;
} peri_view;

/* Bytes of one element: 8 for PERI_F64, 4 for PERI_F32. */
static inline size_t peri_dtype_size(int dtype)
{
    return dtype == PERI_F32 ? sizeof(float) : sizeof(double);
}

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

#endif
