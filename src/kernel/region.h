/* SPDX-License-Identifier: MIT
 *
 * Parts of arrays and other shapes of them, as views of the same memory: arithmetic on offsets,
 * extents and strides alone.
 *
 * Indices count from 1, negative ones from the end. A range is inclusive and clips to the axis as
 * Lua's string.sub; its step may be negative.
 */
#ifndef PERIGEE_KERNEL_REGION_H
#define PERIGEE_KERNEL_REGION_H

#include <stdint.h>

#include "kernel/view.h"

/* A part: its first element is `offset` elements from the data of what it is a part of. */
typedef struct {
    ptrdiff_t offset;
    int ndim;
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
} peri_region;

/* {from, to, step} where each may be left out; a step that is there is not 0. */
typedef struct {
    bool has_from, has_to, has_step;
    int64_t from, to, step;
} peri_range;

/* The place, from 0, of index i on an axis, or -1 where it has no such. */
static inline ptrdiff_t peri_index_place(int64_t i, size_t extent)
{
    if (i < 0)
        i += (int64_t)extent + 1;
    return i < 1 || (size_t)i > extent ? -1 : (ptrdiff_t)i - 1;
}

/* The region's next axis: all of one with this extent and stride. A region begins as
 * {.offset = 0, .ndim = 0}; each axis of the array adds its part in turn. */
static inline void peri_region_whole(peri_region *r, size_t extent, ptrdiff_t stride)
{
    r->shape[r->ndim] = extent;
    r->stride[r->ndim++] = stride;
}

/* One element of the axis: the region has no such axis then. */
static inline void peri_region_place(peri_region *r, ptrdiff_t place, ptrdiff_t stride)
{
    r->offset += place * stride;
}

/* What the range has of the axis. */
void peri_region_range(peri_region *r, const peri_range *range, size_t extent, ptrdiff_t stride);

/* Strides that give the view another shape of the same number of elements, in row-major order,
 * where it lies; false: there are none. */
bool peri_reshaped_strides(const peri_view *a, int ndim, const size_t shape[], ptrdiff_t stride[]);

/* The axes of a in another order: axis k is a's order[k]; reversed where order is NULL. */
void peri_permuted(const peri_view *a, const int order[], size_t shape[], ptrdiff_t stride[]);

#endif
