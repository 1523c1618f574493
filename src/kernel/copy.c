/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include <string.h>

enum { TILE = 32 };

/* Both views with extents of 1 dropped and neighbouring axes joined where both allow it, so that
 * the innermost loop is as long as it can be. */
struct plan {
    int ndim;
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t to[PERI_MAX_NDIM], from[PERI_MAX_NDIM];
};

static struct plan make_plan(const peri_view *out, const peri_view *a)
{
    struct plan p = {0};
    for (int axis = 0; axis < out->ndim; axis++) {
        if (out->shape[axis] == 1)
            continue;
        const int last = p.ndim - 1;
        const ptrdiff_t extent = (ptrdiff_t)out->shape[axis];
        if (last >= 0 && p.to[last] == out->stride[axis] * extent &&
            p.from[last] == a->stride[axis] * extent) {
            p.shape[last] *= out->shape[axis];
            p.to[last] = out->stride[axis];
            p.from[last] = a->stride[axis];
        } else {
            p.shape[p.ndim] = out->shape[axis];
            p.to[p.ndim] = out->stride[axis];
            p.from[p.ndim] = a->stride[axis];
            p.ndim++;
        }
    }
    return p;
}

/* One line of n elements; the strides of 1 are spelled out so that the compiler sees them. */
#define DEFINE_LINE(name, to_t, from_t)                                                            \
    static void name(to_t *restrict to, ptrdiff_t ts, const from_t *restrict from, ptrdiff_t fs,   \
                     size_t n)                                                                     \
    {                                                                                              \
        if (ts == 1 && fs == 1)                                                                    \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] = (to_t)from[i];                                                             \
        else if (ts == 1 && fs == 0)                                                               \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] = (to_t)from[0];                                                             \
        else                                                                                       \
            for (size_t i = 0; i < n; i++, to += ts, from += fs)                                   \
                *to = (to_t)*from;                                                                 \
    }
DEFINE_LINE(line_64_64, double, double)
DEFINE_LINE(line_64_32, double, float)
DEFINE_LINE(line_32_64, float, double)
DEFINE_LINE(line_32_32, float, float)
#undef DEFINE_LINE

static void line(int to_dtype, void *to, ptrdiff_t ts, int from_dtype, const void *from,
                 ptrdiff_t fs, size_t n)
{
    if (to_dtype == from_dtype && ts == 1 && fs == 1)
        memcpy(to, from, n * peri_dtype_size(to_dtype));
    else if (to_dtype == PERI_F64 && from_dtype == PERI_F64)
        line_64_64(to, ts, from, fs, n);
    else if (to_dtype == PERI_F64)
        line_64_32(to, ts, from, fs, n);
    else if (from_dtype == PERI_F64)
        line_32_64(to, ts, from, fs, n);
    else
        line_32_32(to, ts, from, fs, n);
}

/* The two innermost axes, in tiles, so that a transposed copy uses each cache line it loads. */
static void sheet(const struct plan *p, int to_dtype, char *to, int from_dtype, const char *from)
{
    const int i_axis = p->ndim - 2, j_axis = p->ndim - 1;
    const size_t n = p->shape[i_axis], m = p->shape[j_axis];
    const ptrdiff_t tw = (ptrdiff_t)peri_dtype_size(to_dtype);
    const ptrdiff_t fw = (ptrdiff_t)peri_dtype_size(from_dtype);
    const bool plain = p->from[j_axis] <= 1 && p->from[j_axis] >= -1;
    const size_t j_tile = plain ? m : TILE;
    for (size_t i0 = 0; i0 < n; i0 += TILE)
        for (size_t j0 = 0; j0 < m; j0 += j_tile) {
            const size_t rows = n - i0 < TILE ? n - i0 : TILE;
            const size_t columns = m - j0 < j_tile ? m - j0 : j_tile;
            for (size_t i = i0; i < i0 + rows; i++)
                line(to_dtype,
                     to + tw * ((ptrdiff_t)i * p->to[i_axis] + (ptrdiff_t)j0 * p->to[j_axis]),
                     p->to[j_axis], from_dtype,
                     from + fw * ((ptrdiff_t)i * p->from[i_axis] + (ptrdiff_t)j0 * p->from[j_axis]),
                     p->from[j_axis], columns);
        }
}

void peri_copy(const peri_view *out, const peri_view *a)
{
    if (peri_view_size(out) == 0)
        return;
    const struct plan p = make_plan(out, a);
    char *to = out->data;
    const char *from = a->data;
    if (p.ndim == 0) {
        line(out->dtype, to, 1, a->dtype, from, 1, 1);
        return;
    }
    if (p.ndim == 1) {
        line(out->dtype, to, p.to[0], a->dtype, from, p.from[0], p.shape[0]);
        return;
    }
    const ptrdiff_t tw = (ptrdiff_t)peri_dtype_size(out->dtype);
    const ptrdiff_t fw = (ptrdiff_t)peri_dtype_size(a->dtype);
    size_t index[PERI_MAX_NDIM] = {0};
    for (;;) {
        sheet(&p, out->dtype, to, a->dtype, from);
        int axis = p.ndim - 3;
        for (; axis >= 0; axis--) {
            to += tw * p.to[axis];
            from += fw * p.from[axis];
            if (++index[axis] < p.shape[axis])
                break;
            to -= tw * p.to[axis] * (ptrdiff_t)p.shape[axis];
            from -= fw * p.from[axis] * (ptrdiff_t)p.shape[axis];
            index[axis] = 0;
        }
        if (axis < 0)
            return;
    }
}

void peri_fill(const peri_view *out, double value)
{
    const ptrdiff_t still[PERI_MAX_NDIM] = {0};
    const peri_view one = {&value, PERI_F64, out->ndim, out->shape, still};
    peri_copy(out, &one);
}

bool peri_broadcast_strides(const peri_view *a, int ndim, const size_t *shape, ptrdiff_t *stride)
{
    const int lead = ndim - a->ndim;
    if (lead < 0)
        return false;
    for (int axis = 0; axis < ndim; axis++) {
        if (axis < lead || (a->shape[axis - lead] == 1 && shape[axis] != 1))
            stride[axis] = 0;
        else if (a->shape[axis - lead] == shape[axis])
            stride[axis] = a->stride[axis - lead];
        else
            return false;
    }
    return true;
}
