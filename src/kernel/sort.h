/* SPDX-License-Identifier: MIT
 *
 * Sorting, searching sorted arrays, and distinct values and rows.
 *
 * The order everywhere is NumPy's: ascending, -0 equal to +0, every NaN last and equal to every
 * other. Sorting is stable, so equal elements (zeros of either sign and NaNs with different
 * payloads among them) keep the order they came in.
 *
 * A lane of n elements is one run along the sorted axis. An element becomes an unsigned integer
 * of the same order, packed with its index into 64-bit words, which a radix sort orders (a merge
 * sort when n is small); for f64 the words carry the upper half of the key, and groups that agree
 * in it are then ordered by the lower half. A lane holds at most 2^32 - 1 elements, else
 * PERI_ERR_TOO_LARGE.
 *
 * Inputs may have any strides; no output may overlap an input.
 */
#ifndef PERIGEE_KERNEL_SORT_H
#define PERIGEE_KERNEL_SORT_H

#include <stdint.h>

#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* Words of workspace for lanes of n elements. */
static inline size_t peri_sort_work(size_t n)
{
    return 2 * n;
}

/* dst (a's shape and dtype) = a sorted along axis. work: peri_sort_work(extent) words. */
peri_status peri_sort(const peri_view *a, int axis, const peri_view *dst, uint64_t *work,
                      const peri_stop *stop, peri_facts *facts);

/* dst (a's shape, f64) = the order along axis: element k is where the k-th smallest stands,
 * counted from `base`. */
peri_status peri_argsort(const peri_view *a, int axis, double base, const peri_view *dst,
                         uint64_t *work, const peri_stop *stop, peri_facts *facts);

/* dst (v's shape, f64) = how many elements of the ascending a (1-d) are less than v, or with
 * `right` less or equal; plus `base`. */
peri_status peri_searchsorted(const peri_view *a, const peri_view *v, bool right, double base,
                              const peri_view *dst, const peri_stop *stop);

/* Orders the n rows of x (n, m), contiguous, and counts the distinct ones. order (n) receives
 * for each place the row that stands there, its top bit set where a new distinct row begins;
 * work: peri_sort_work(n) words. Rows are compared element by element from the left. */
#define PERI_UNIQUE_NEW ((uint64_t)1 << 63)
peri_status peri_unique_order(const peri_view *x, uint64_t *order, size_t *distinct, uint64_t *work,
                              const peri_stop *stop, peri_facts *facts);

/* From that order: values (distinct, m) of x's dtype, contiguous, the first row of each group;
 * counts and first (distinct) and inverse (n), indices counted from `base`. */
void peri_unique_fill(const peri_view *x, const uint64_t *order, double base,
                      const peri_view *values, double *counts, double *inverse, double *first);

#endif
