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
#define LINE(to_suffix, to_t, from_suffix, from_t)                                                 \
    static void line_##to_suffix##_##from_suffix(                                                  \
        to_t *restrict to, ptrdiff_t ts, const from_t *restrict from, ptrdiff_t fs, size_t n)      \
    {                                                                                              \
        if (ts == 1 && fs == 1)                                                                    \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] = AS(to_suffix, from[i]);                                                    \
        else if (ts == 1 && fs == 0) {                                                             \
            const to_t same = AS(to_suffix, from[0]);                                              \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] = same;                                                                      \
        } else                                                                                     \
            for (size_t i = 0; i < n; i++, to += ts, from += fs)                                   \
                *to = AS(to_suffix, *from);                                                        \
    }
#define AS(to_suffix, x) peri_to_##to_suffix((double)(x))

/* A row for each dtype that elements may come from. */
#define EACH_SOURCE(X, to_suffix, to_t)                                                            \
    X(to_suffix, to_t, F64, f64, double)                                                           \
    X(to_suffix, to_t, F32, f32, float)                                                            \
    X(to_suffix, to_t, BOOL, b8, unsigned char)                                                    \
    X(to_suffix, to_t, U8, u8, unsigned char)
#define SOURCE_LINE(to_suffix, to_t, NAME, from_suffix, from_t)                                    \
    LINE(to_suffix, to_t, from_suffix, from_t)
#define SOURCE_CASE(to_suffix, to_t, NAME, from_suffix, from_t)                                    \
    case PERI_##NAME:                                                                              \
        line_##to_suffix##_##from_suffix(to, ts, from, fs, n);                                     \
        return;
#define LINES_TO(NAME, suffix, type, kind, name, other, values)                                    \
    EACH_SOURCE(SOURCE_LINE, suffix, type)                                                         \
    static void to_##suffix(type *to, ptrdiff_t ts, int from_dtype, const void *from,              \
                            ptrdiff_t fs, size_t n)                                                \
    {                                                                                              \
        switch ((peri_dtype)from_dtype) {                                                          \
            EACH_SOURCE(SOURCE_CASE, suffix, type)                                                 \
        }                                                                                          \
    }
PERI_EACH_DTYPE(LINES_TO)

/* Elements of one size as they are, every bit. */
#define MOVE(T)                                                                                    \
    static void move_##T(T *restrict to, ptrdiff_t ts, const T *restrict from, ptrdiff_t fs,       \
                         size_t n)                                                                 \
    {                                                                                              \
        if (ts == 1 && fs == 0) {                                                                  \
            const T same = *from;                                                                  \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] = same;                                                                      \
        } else if (ts == 1) {                                                                      \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] = from[(ptrdiff_t)i * fs];                                                   \
        } else {                                                                                   \
            for (size_t i = 0; i < n; i++, to += ts, from += fs)                                   \
                *to = *from;                                                                       \
        }                                                                                          \
    }
MOVE(uint8_t)
MOVE(uint32_t)
MOVE(uint64_t)

static void move(size_t n, size_t size, void *to, ptrdiff_t ts, const void *from, ptrdiff_t fs)
{
    if (ts == 1 && fs == 1)
        memcpy(to, from, n * size);
    else if (size == sizeof(uint64_t))
        move_uint64_t(to, ts, from, fs, n);
    else if (size == sizeof(uint32_t))
        move_uint32_t(to, ts, from, fs, n);
    else
        move_uint8_t(to, ts, from, fs, n);
}

void peri_convert(size_t n, int to_dtype, void *to, ptrdiff_t ts, int from_dtype, const void *from,
                  ptrdiff_t fs)
{
    if (to_dtype == from_dtype) {
        move(n, peri_dtype_size(to_dtype), to, ts, from, fs);
        return;
    }
    switch ((peri_dtype)to_dtype) {
#define CASE_TO(NAME, suffix, type, kind, name, other, values)                                     \
    case PERI_##NAME:                                                                              \
        to_##suffix(to, ts, from_dtype, from, fs, n);                                              \
        return;
        PERI_EACH_DTYPE(CASE_TO)
#undef CASE_TO
    }
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
                peri_convert(
                    columns, to_dtype,
                    to + tw * ((ptrdiff_t)i * p->to[i_axis] + (ptrdiff_t)j0 * p->to[j_axis]),
                    p->to[j_axis], from_dtype,
                    from + fw * ((ptrdiff_t)i * p->from[i_axis] + (ptrdiff_t)j0 * p->from[j_axis]),
                    p->from[j_axis]);
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
        peri_convert(1, out->dtype, to, 1, a->dtype, from, 1);
        return;
    }
    if (p.ndim == 1) {
        peri_convert(p.shape[0], out->dtype, to, p.to[0], a->dtype, from, p.from[0]);
        return;
    }
    const ptrdiff_t tw = (ptrdiff_t)peri_dtype_size(out->dtype);
    const ptrdiff_t fw = (ptrdiff_t)peri_dtype_size(a->dtype);
    peri_walk w = peri_walk_begin(p.ndim - 2, p.shape);
    peri_walk_along(&w, p.to);
    peri_walk_along(&w, p.from);
    do
        sheet(&p, out->dtype, to + tw * w.at[0], a->dtype, from + fw * w.at[1]);
    while (peri_walk_next(&w));
}

void peri_fill(const peri_view *out, double value)
{
    const ptrdiff_t still[PERI_MAX_NDIM] = {0};
    const peri_view one = {&value, PERI_F64, out->ndim, out->shape, still};
    peri_copy(out, &one);
}

bool peri_first_unfit(const peri_view *a, int dtype, size_t *at, double *value)
{
    if (peri_dtypes[dtype].values == NULL || peri_view_size(a) == 0 || a->dtype == dtype)
        return false;
    peri_walk w = peri_walk_begin(a->ndim, a->shape);
    peri_walk_along(&w, a->stride);
    *at = 0;
    do {
        *value = peri_get(a, w.at[0]);
        if (!peri_fits(dtype, *value))
            return true;
        ++*at;
    } while (peri_walk_next(&w));
    return false;
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
