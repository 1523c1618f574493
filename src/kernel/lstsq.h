/* SPDX-License-Identifier: MIT
 *
 * Linear least squares: x that makes |B - A x| least, and of those the one with the least |x|.
 * A (m,n), B (m,p), x (n,p).
 *
 * A Householder QR of A (of A^T where m < n; kernel/tsqr.h) gives x; then x is corrected until it
 * stops changing, the residuals summed in double-double:
 *
 *   condition up to about 1e5:  g = A^T (B - A x),  x += (R^T R)^-1 g       (seminormal equations)
 *   above:                      [ I  A ] [dr]   [ B - r - A x ]
 *                               [A^T 0 ] [dx] = [   - A^T r   ]  solved with Q and R
 *
 * Björck, "Iterative refinement of linear least squares solutions I", BIT 7 (1967); Björck,
 * "Stability analysis of the method of seminormal equations", Lin. Alg. Appl. 88 (1987).
 *
 * The rank is that of a pivoted decomposition of R with its columns scaled to length 1: how many
 * pivots exceed max(m,n) eps times the first. Below full rank x comes from a complete orthogonal
 * decomposition and is not corrected.
 */
#ifndef PERIGEE_KERNEL_LSTSQ_H
#define PERIGEE_KERNEL_LSTSQ_H

#include <stddef.h>

#include "kernel/status.h"
#include "kernel/stop.h"

typedef struct {
    double *x;        /* (n,p) */
    double *residual; /* (m,p): B - A x */
    double *rss;      /* (p): sums of squares of its columns */
    double *s;        /* (min(m,n)): singular values of A, descending */
    double *root;     /* (n,n) or NULL: C with C C^T = (A^T A)^-1, or its pseudo-inverse below full
                       * rank; zeros where m < n */
    size_t rank;
    int steps; /* corrections of x */
} peri_lstsq_result;

/* Bytes of workspace, aligned to 64, for peri_lstsq; SIZE_MAX when it does not fit. Most of it is
 * touched only for an ill-conditioned A. */
size_t peri_lstsq_work(size_t m, size_t n, size_t p);

/* A and B are row-major without gaps. Sizes may be 0. eps is the rounding of what A was made of:
 * FLT_EPSILON for numbers that came from f32. PERI_ERR_NONFINITE (facts.arg "X" or "y",
 * facts.index row and column), PERI_ERR_TOO_LARGE, PERI_ERR_NO_CONVERGENCE (singular values). */
peri_status peri_lstsq(size_t m, size_t n, size_t p, const double *A, const double *B, double eps,
                       peri_lstsq_result *result, void *work, const peri_stop *stop,
                       peri_facts *facts);

/* A running QR of [A B] for more rows than memory holds. `state` (n+p,n+p), row-major, is its
 * triangle; zeros to begin with. */
size_t peri_lstsq_add_work(size_t m, size_t n, size_t p);

/* state becomes the triangle of [state; A B] for m more rows. */
peri_status peri_lstsq_add(size_t m, size_t n, size_t p, const double *A, const double *B,
                           double *state, void *work, const peri_stop *stop, peri_facts *facts);

/* The least-squares problem that the triangle stands for: x, rss, s, root, rank of the rows added.
 * `residual` is not written; m in the rank's tolerance is the count of rows added. */
size_t peri_lstsq_finish_work(size_t n, size_t p);
peri_status peri_lstsq_finish(size_t m, size_t n, size_t p, const double *state,
                              peri_lstsq_result *result, void *work, peri_facts *facts);

#endif
