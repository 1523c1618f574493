/* SPDX-License-Identifier: MIT */
#include "kernel/region.h"

void peri_region_range(peri_region *r, const peri_range *range, size_t extent, ptrdiff_t stride)
{
    const int64_t length = (int64_t)extent;
    int64_t step = range->has_step ? range->step : 1;
    int64_t from = step > 0 ? 1 : length, to = step > 0 ? length : 1;
    if (range->has_from)
        from = range->from < 0 ? range->from + length + 1 : range->from;
    if (range->has_to)
        to = range->to < 0 ? range->to + length + 1 : range->to;
    if (step > 0) {
        from = from < 1 ? 1 : from;
        to = to > length ? length : to;
    } else {
        from = from > length ? length : from;
        to = to < 1 ? 1 : to;
    }
    const bool empty = step > 0 ? from > to : from < to;
    /* Steps longer than the axis would overflow below and reach one element anyway. */
    if (step > length)
        step = length + 1;
    if (step < -length)
        step = -(length + 1);
    size_t count = 0;
    if (!empty) {
        count = (size_t)(step == 1 ? to - from : (to - from) / step) + 1;
        r->offset += (ptrdiff_t)(from - 1) * stride;
    }
    peri_region_whole(r, count, stride * (ptrdiff_t)step);
}

/* Both shapes are walked in groups of axes of equal product; within a group the old axes must lie
 * in memory as one. */
bool peri_reshaped_strides(const peri_view *a, int ndim, const size_t shape[], ptrdiff_t stride[])
{
    if (peri_view_size(a) == 0 || peri_view_is_contiguous(a)) {
        ptrdiff_t step = 1;
        for (int axis = ndim - 1; axis >= 0; axis--) {
            stride[axis] = step;
            step *= (ptrdiff_t)(shape[axis] != 0 ? shape[axis] : 1);
        }
        return true;
    }
    size_t old_shape[PERI_MAX_NDIM] = {0};
    ptrdiff_t old_stride[PERI_MAX_NDIM] = {0};
    int old_ndim = 0;
    for (int axis = 0; axis < a->ndim; axis++)
        if (a->shape[axis] != 1) {
            old_shape[old_ndim] = a->shape[axis];
            old_stride[old_ndim++] = a->stride[axis];
        }
    int i = 0, j = 0;
    while (i < old_ndim && j < ndim) {
        size_t have = old_shape[i], want = shape[j];
        const int i0 = i++, j0 = j++;
        while (have != want) {
            if (have < want)
                have *= old_shape[i++];
            else
                want *= shape[j++];
        }
        for (int k = i0; k + 1 < i; k++)
            if (old_stride[k] != old_stride[k + 1] * (ptrdiff_t)old_shape[k + 1])
                return false;
        ptrdiff_t step = old_stride[i - 1];
        for (int k = j - 1; k >= j0; k--) {
            stride[k] = step;
            step *= (ptrdiff_t)shape[k];
        }
    }
    for (; j < ndim; j++)
        stride[j] = 1;
    return true;
}

void peri_permuted(const peri_view *a, const int order[], size_t shape[], ptrdiff_t stride[])
{
    for (int k = 0; k < a->ndim; k++) {
        const int axis = order != NULL ? order[k] : a->ndim - 1 - k;
        shape[k] = a->shape[axis];
        stride[k] = a->stride[axis];
    }
}
