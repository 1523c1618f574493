/* SPDX-License-Identifier: MIT
 *
 * Most of these copy blocks from one place to another: they make views of the blocks and leave
 * the copying to peri_copy. Where blocks can be single elements the loop is here. */
#include "kernel/rearrange.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/copy.h"
#include "kernel/elementwise.h"

static peri_walk walk_two(int ndim, const size_t *shape, const ptrdiff_t *a, const ptrdiff_t *b)
{
    peri_walk w = peri_walk_begin(ndim, shape);
    peri_walk_along(&w, a);
    peri_walk_along(&w, b);
    return w;
}

/* ---- selection ----------------------------------------------------------------------------- */

/* One index; false where it is none. */
static inline bool read_index(double x, double n, size_t *out)
{
    if (!(x >= -n && x <= n))
        return false;
    const int64_t whole = (int64_t)x;
    *out = (size_t)(whole < 0 ? whole + (int64_t)n : whole - 1);
    return (double)whole == x && whole != 0;
}

peri_status peri_index_read(const peri_view *idx, size_t extent, size_t *out, peri_facts *facts)
{
    enum { AHEAD = 256 };
    double block[AHEAD];
    if (peri_view_size(idx) == 0)
        return PERI_OK;
    size_t k = 0;
    const double n = (double)extent;
    const int last = idx->ndim - 1;
    const size_t length = last < 0 ? 1 : idx->shape[last];
    const ptrdiff_t step = last < 0 ? 1 : idx->stride[last];
    peri_walk w = walk_two(last < 0 ? 0 : last, idx->shape, idx->stride, idx->stride);
    do
        for (size_t i = 0; i < length; i += AHEAD) {
            const size_t count = length - i < AHEAD ? length - i : AHEAD;
            peri_convert(count, PERI_F64, block, 1, idx->dtype,
                         peri_address(idx, w.at[0] + (ptrdiff_t)i * step), step);
            for (size_t j = 0; j < count; j++, k++)
                if (!read_index(block[j], n, &out[k])) {
                    *facts = (peri_facts){.arg = "idx", .nindex = 1, .index = {k}, .got = block[j]};
                    return PERI_ERR_VALUE;
                }
        }
    while (peri_walk_next(&w));
    return PERI_OK;
}

/* Gathers single elements: the block behind the axis is one element, moved as it is. */
#define GATHER(T)                                                                                  \
    static void gather_##T(const T *a, ptrdiff_t sa, const size_t *index, size_t count, T *b,      \
                           ptrdiff_t sb)                                                           \
    {                                                                                              \
        if (sa == 1 && sb == 1) {                                                                  \
            for (size_t k = 0; k < count; k++)                                                     \
                b[k] = a[index[k]];                                                                \
            return;                                                                                \
        }                                                                                          \
        for (size_t k = 0; k < count; k++)                                                         \
            b[(ptrdiff_t)k * sb] = a[(ptrdiff_t)index[k] * sa];                                    \
    }
GATHER(uint8_t)
GATHER(uint32_t)
GATHER(uint64_t)

static void gather(size_t width, const void *a, ptrdiff_t sa, const size_t *index, size_t count,
                   void *b, ptrdiff_t sb)
{
    if (width == sizeof(uint64_t))
        gather_uint64_t(a, sa, index, count, b, sb);
    else if (width == sizeof(uint32_t))
        gather_uint32_t(a, sa, index, count, b, sb);
    else
        gather_uint8_t(a, sa, index, count, b, sb);
}

void peri_take(const peri_view *a, int axis, const size_t *index, size_t count,
               const peri_view *dst)
{
    if (peri_view_size(dst) == 0)
        return;
    const int behind = a->ndim - axis - 1;
    const size_t *shape = a->shape + axis + 1;
    const ptrdiff_t *sa = a->stride + axis + 1, *sb = dst->stride + axis + 1;
    const peri_view from = {a->data, a->dtype, behind, shape, sa};
    const peri_view to = {dst->data, dst->dtype, behind, shape, sb};
    const size_t block = peri_view_size(&from);
    const size_t width = peri_dtype_size(a->dtype);
    const bool flat = peri_view_is_contiguous(&from) && peri_view_is_contiguous(&to);
    peri_walk w = walk_two(axis, a->shape, a->stride, dst->stride);
    do {
        if (block == 1) {
            gather(width, peri_address(a, w.at[0]), a->stride[axis], index, count,
                   peri_address(dst, w.at[1]), dst->stride[axis]);
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            void *in = peri_address(a, w.at[0] + (ptrdiff_t)index[k] * a->stride[axis]);
            void *out = peri_address(dst, w.at[1] + (ptrdiff_t)k * dst->stride[axis]);
            if (flat) {
                memcpy(out, in, block * width);
            } else {
                const peri_view source = {in, a->dtype, behind, shape, sa};
                const peri_view target = {out, dst->dtype, behind, shape, sb};
                peri_copy(&target, &source);
            }
        }
    } while (peri_walk_next(&w));
}

/* Marks are looked at a block at a time. */
enum { MARKS = 1024 };

/* The places among the n elements from `offset` on, `stride` apart, that are not 0; how many. */
static size_t marked(const peri_view *v, ptrdiff_t offset, ptrdiff_t stride, size_t n,
                     uint16_t place[MARKS])
{
    unsigned char mark[MARKS];
    size_t count = 0;
    peri_convert(n, PERI_BOOL, mark, 1, v->dtype, peri_address(v, offset), stride);
    for (size_t i = 0; i < n; i++) { /* a place that is not one is written over */
        place[count] = (uint16_t)i;
        count += mark[i];
    }
    return count;
}

/* A view as lines along its last axis, all of it one line where that is so; without axes a line of
 * one element. */
typedef struct {
    size_t n;
    ptrdiff_t stride;
    int outer; /* axes before that */
} lines;

static lines lines_of(const peri_view *v, bool join)
{
    const int last = v->ndim - 1;
    if (last < 0 || (join && peri_view_is_contiguous(v)))
        return (lines){peri_view_size(v), 1, 0};
    return (lines){v->shape[last], v->stride[last], last};
}

size_t peri_nonzero_count(const peri_view *a)
{
    if (peri_view_size(a) == 0)
        return 0;
    size_t count = 0;
    const lines l = lines_of(a, true);
    peri_walk w = walk_two(l.outer, a->shape, a->stride, a->stride);
    do
        for (size_t i = 0; i < l.n; i += MARKS) {
            unsigned char mark[MARKS];
            const size_t n = l.n - i < MARKS ? l.n - i : MARKS;
            uint32_t sum = 0;
            peri_convert(n, PERI_BOOL, mark, 1, a->dtype,
                         peri_address(a, w.at[0] + (ptrdiff_t)i * l.stride), l.stride);
            for (size_t k = 0; k < n; k++)
                sum += mark[k];
            count += sum;
        }
    while (peri_walk_next(&w));
    return count;
}

void peri_nonzero(const peri_view *a, double base, double *const out[])
{
    if (peri_view_size(a) == 0)
        return;
    size_t k = 0;
    uint16_t place[MARKS];
    const lines l = lines_of(a, false);
    peri_walk w = walk_two(l.outer, a->shape, a->stride, a->stride);
    do
        for (size_t i = 0; i < l.n; i += MARKS) {
            const size_t n = l.n - i < MARKS ? l.n - i : MARKS;
            const size_t found = marked(a, w.at[0] + (ptrdiff_t)i * l.stride, l.stride, n, place);
            for (int axis = 0; axis < l.outer; axis++)
                for (size_t j = 0; j < found; j++)
                    out[axis][k + j] = (double)w.index[axis] + base;
            for (size_t j = 0; j < found && a->ndim > 0; j++)
                out[l.outer][k + j] = (double)(i + place[j]) + base;
            k += found;
        }
    while (peri_walk_next(&w));
}

size_t peri_mask_read(const peri_view *mask, size_t *out)
{
    size_t count = 0;
    uint16_t place[MARKS];
    for (size_t i = 0; i < mask->shape[0]; i += MARKS) {
        const size_t n = mask->shape[0] - i < MARKS ? mask->shape[0] - i : MARKS;
        const size_t found =
            marked(mask, (ptrdiff_t)i * mask->stride[0], mask->stride[0], n, place);
        for (size_t j = 0; j < found; j++)
            out[count + j] = i + place[j];
        count += found;
    }
    return count;
}

void peri_mask_select(const peri_view *a, const peri_view *mask, const peri_view *dst)
{
    if (peri_view_size(a) == 0)
        return;
    const size_t width = peri_dtype_size(a->dtype);
    const bool join = peri_view_is_contiguous(a) && peri_view_is_contiguous(mask);
    const lines l = lines_of(a, join), m = lines_of(mask, join);
    ptrdiff_t k = 0;
    uint16_t place[MARKS];
    size_t index[MARKS];
    peri_walk w = walk_two(l.outer, a->shape, a->stride, mask->stride);
    do
        for (size_t i = 0; i < l.n; i += MARKS) {
            const size_t n = l.n - i < MARKS ? l.n - i : MARKS;
            const size_t found =
                marked(mask, w.at[1] + (ptrdiff_t)i * m.stride, m.stride, n, place);
            /* marked() sets as many as it found, which the analyzer does not follow.
             * NOLINTBEGIN(clang-analyzer-core.uninitialized.Assign) */
            for (size_t j = 0; j < found; j++)
                index[j] = place[j];
            /* NOLINTEND(clang-analyzer-core.uninitialized.Assign) */
            gather(width, peri_address(a, w.at[0] + (ptrdiff_t)i * l.stride), l.stride, index,
                   found, peri_address(dst, k * dst->stride[0]), dst->stride[0]);
            k += (ptrdiff_t)found;
        }
    while (peri_walk_next(&w));
}

/* ---- rearrangement ------------------------------------------------------------------------- */

void peri_triangle(const peri_view *a, ptrdiff_t k, bool upper, const peri_view *dst)
{
    if (peri_view_size(a) == 0)
        return;
    const int rows = a->ndim - 2, cols = a->ndim - 1;
    const ptrdiff_t n = (ptrdiff_t)a->shape[rows], m = (ptrdiff_t)a->shape[cols];
    peri_walk w = walk_two(rows, a->shape, a->stride, dst->stride);
    do {
        for (ptrdiff_t i = 0; i < n; i++) {
            /* the kept columns are j <= i + k, or j >= i + k */
            const ptrdiff_t diagonal = upper ? i + k : i + k + 1;
            const ptrdiff_t cut = diagonal < 0 ? 0 : diagonal > m ? m : diagonal;
            const size_t left[1] = {(size_t)cut}, right[1] = {(size_t)(m - cut)};
            const ptrdiff_t *ca = a->stride + cols, *cb = dst->stride + cols;
            const ptrdiff_t ra = w.at[0] + i * a->stride[rows],
                            rb = w.at[1] + i * dst->stride[rows];
            const peri_view from[2] = {{peri_address(a, ra), a->dtype, 1, left, ca},
                                       {peri_address(a, ra + cut * *ca), a->dtype, 1, right, ca}};
            const peri_view to[2] = {{peri_address(dst, rb), dst->dtype, 1, left, cb},
                                     {peri_address(dst, rb + cut * *cb), dst->dtype, 1, right, cb}};
            peri_copy(&to[upper], &from[upper]);
            peri_fill(&to[!upper], 0);
        }
    } while (peri_walk_next(&w));
}

void peri_outer(const peri_view *a, const peri_view *b, const peri_view *dst)
{
    const size_t n = a->shape[0], m = b->shape[0];
    for (size_t i = 0; i < n; i++) {
        const double x = peri_get(a, (ptrdiff_t)i * a->stride[0]);
        const ptrdiff_t row = (ptrdiff_t)i * dst->stride[0];
        if (peri_is_f64(dst->dtype) && peri_is_f64(b->dtype) && b->stride[0] == 1 &&
            dst->stride[1] == 1) {
            const double *y = b->data;
            double *out = (double *)dst->data + row;
            for (size_t j = 0; j < m; j++)
                out[j] = x * y[j];
            continue;
        }
        /* the product of two floats is exact in double: one rounding */
        for (size_t j = 0; j < m; j++)
            peri_put(dst, row + (ptrdiff_t)j * dst->stride[1],
                     x * peri_get(b, (ptrdiff_t)j * b->stride[0]));
    }
}

double peri_trace(const peri_view *a)
{
    const size_t n = a->shape[0] < a->shape[1] ? a->shape[0] : a->shape[1];
    /* Neumaier's compensated sum */
    double sum = 0, lost = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = peri_get(a, (ptrdiff_t)i * (a->stride[0] + a->stride[1])), next = sum + x;
        lost += fabs(sum) >= fabs(x) ? (sum - next) + x : (x - next) + sum;
        sum = next;
    }
    return isfinite(sum) ? sum + lost : sum;
}

void peri_diff(const peri_view *a, int axis, const peri_view *dst)
{
    if (peri_view_size(dst) == 0)
        return;
    const peri_view pair[2] = {
        {peri_address(a, a->stride[axis]), a->dtype, a->ndim, dst->shape, a->stride},
        {a->data, a->dtype, a->ndim, dst->shape, a->stride}};
    peri_elementwise(PERI_EW_SUB, pair, dst, NULL);
}

void peri_tile(const peri_view *a, const peri_view *dst)
{
    if (peri_view_size(dst) == 0)
        return;
    size_t times[PERI_MAX_NDIM] = {0};
    ptrdiff_t step[PERI_MAX_NDIM] = {0};
    for (int axis = 0; axis < a->ndim; axis++) {
        times[axis] = dst->shape[axis] / a->shape[axis];
        step[axis] = (ptrdiff_t)a->shape[axis] * dst->stride[axis];
    }
    peri_walk w = walk_two(a->ndim, times, step, step);
    do {
        const peri_view to = {peri_address(dst, w.at[0]), dst->dtype, a->ndim, a->shape,
                              dst->stride};
        peri_copy(&to, a);
    } while (peri_walk_next(&w));
}

void peri_roll(const peri_view *a, int axis, ptrdiff_t shift, const peri_view *dst)
{
    if (peri_view_size(a) == 0)
        return;
    const ptrdiff_t n = (ptrdiff_t)a->shape[axis];
    const ptrdiff_t by = ((shift % n) + n) % n;
    size_t head[PERI_MAX_NDIM], tail[PERI_MAX_NDIM];
    memcpy(head, a->shape, (size_t)a->ndim * sizeof *head);
    memcpy(tail, a->shape, (size_t)a->ndim * sizeof *tail);
    head[axis] = (size_t)(n - by);
    tail[axis] = (size_t)by;
    const peri_view first = {a->data, a->dtype, a->ndim, head, a->stride};
    const peri_view last = {peri_address(a, (n - by) * a->stride[axis]), a->dtype, a->ndim, tail,
                            a->stride};
    const peri_view low = {dst->data, dst->dtype, a->ndim, tail, dst->stride};
    const peri_view high = {peri_address(dst, by * dst->stride[axis]), dst->dtype, a->ndim, head,
                            dst->stride};
    peri_copy(&high, &first);
    peri_copy(&low, &last);
}
