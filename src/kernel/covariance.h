/* SPDX-License-Identifier: MIT
 *
 * Covariance and correlation of the columns of X (n, m); observations are rows:
 *     C = (X - 1 mu')' (X - 1 mu') / (n - ddof),   mu = column means.
 * Two passes, in double precision whatever X's dtype; the product is CBLAS's dsyrk over blocks of
 * rows, so the workspace does not grow with n.
 */
#ifndef PERIGEE_KERNEL_COVARIANCE_H
#define PERIGEE_KERNEL_COVARIANCE_H

#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

enum { PERI_COVARIANCE_ROWS = 256 };

/* Doubles of workspace: the result, means, corrections and a block of centred rows. */
static inline size_t peri_covariance_work(size_t m)
{
    return m * m + 2 * m + PERI_COVARIANCE_ROWS * m;
}

/* dst (m, m), contiguous, of X's dtype. X contiguous, m >= 1. With n - ddof <= 0 every element is
 * NaN (or infinite), as division by 0 gives. PERI_ERR_TOO_LARGE when m does not fit an int. */
peri_status peri_covariance(const peri_view *X, double ddof, const peri_view *dst, double *work,
                            const peri_stop *stop, peri_facts *facts);

/* dst (m, m) = the correlations C_ij / sqrt(C_ii C_jj), within [-1, 1]; NaN for a constant
 * column. As above. */
peri_status peri_correlation(const peri_view *X, const peri_view *dst, double *work,
                             const peri_stop *stop, peri_facts *facts);

#endif
