/* SPDX-License-Identifier: MIT
 *
 * Quantiles by linear interpolation between order statistics: with h = (n - 1) q, i = floor(h)
 * and t = h - i, the quantile is x_(i) + t (x_(i+1) - x_(i)); NumPy's default, Hyndman & Fan 1996
 * definition 7. The order statistics are found by partial selection, not by sorting.
 */
#ifndef PERIGEE_KERNEL_QUANTILE_H
#define PERIGEE_KERNEL_QUANTILE_H

#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* Bytes of workspace for lanes of n elements and nq quantiles. */
static inline size_t peri_quantile_work(size_t n, size_t nq)
{
    return n * sizeof(double) + 2 * nq * sizeof(size_t);
}

/* dst (nq, lanes), contiguous, of x's dtype: the quantiles q (nq), each within [0, 1], of each
 * row of x (lanes, n), contiguous. NaN for a row that holds NaN, or is empty. `median`: the
 * quantile 0.5 is the mean of the two middle elements, which rounds less than interpolation. */
peri_status peri_quantile(const peri_view *x, const double *q, size_t nq, bool median,
                          const peri_view *dst, void *work, const peri_stop *stop);

#endif
