/* SPDX-License-Identifier: MIT
 *
 * Selecting and rearranging elements. Views may have any strides; unless said otherwise dst has
 * a's dtype and overlaps no input.
 */
#ifndef PERIGEE_KERNEL_REARRANGE_H
#define PERIGEE_KERNEL_REARRANGE_H

#include "kernel/status.h"
#include "kernel/view.h"

/* The elements of idx, in row-major order, as positions counted from 0: an element is in
 * 1..extent or, counted from the end, in -extent..-1. out: one for each element. Else
 * PERI_ERR_VALUE with facts.got and facts.index[0], the element's row-major position. */
peri_status peri_index_read(const peri_view *idx, size_t extent, size_t *out, peri_facts *facts);

/* dst = the slices index[0..count-1] of a along axis; dst has a's shape but for shape[axis] =
 * count. */
void peri_take(const peri_view *a, int axis, const size_t *index, size_t count,
               const peri_view *dst);

/* How many elements are not 0 (NaN is not). */
size_t peri_nonzero_count(const peri_view *a);

/* out[axis][k], k in 0..count-1: where the k-th element that is not 0 stands, in row-major order,
 * counted from `base`. */
void peri_nonzero(const peri_view *a, double base, double *const out[]);

/* The positions, from 0, of the nonzero elements of a 1-d mask; returns how many. */
size_t peri_mask_read(const peri_view *mask, size_t *out);

/* dst (1-d) = the elements of a, in row-major order, where mask (a's shape) is not 0. */
void peri_mask_select(const peri_view *a, const peri_view *mask, const peri_view *dst);

/* dst = a with 0 above the k-th diagonal of its last two axes (below it where `upper`). */
void peri_triangle(const peri_view *a, ptrdiff_t k, bool upper, const peri_view *dst);

/* dst (n, m) = a_i b_j of a (n) and b (m), rounded once to dst's dtype. */
void peri_outer(const peri_view *a, const peri_view *b, const peri_view *dst);

/* Sum of the diagonal of a (n, m), in double precision. */
double peri_trace(const peri_view *a);

/* dst = a[i+1] - a[i] along axis; dst is shorter by 1 there. */
void peri_diff(const peri_view *a, int axis, const peri_view *dst);

/* dst = a repeated along every axis; each extent of dst is a multiple of a's. */
void peri_tile(const peri_view *a, const peri_view *dst);

/* dst[i] = a[i - shift modulo the extent] along axis. */
void peri_roll(const peri_view *a, int axis, ptrdiff_t shift, const peri_view *dst);

#endif
