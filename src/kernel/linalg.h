/* SPDX-License-Identifier: MIT
 *
 * Decompositions and solutions of dense matrices over LAPACK.
 *
 * Matrices are row-major without gaps, of dtype PERI_F64 or PERI_F32, in and out; inputs are not
 * changed and outputs do not overlap them. LAPACK is column-major and so sees A^T in the same
 * memory: the QR of A is done as the LQ of A^T, the SVD with U and V exchanged. Transposed are only
 * what LU takes and the eigenvectors of eigh.
 *
 * Every function looks first whether all elements are finite (PERI_ERR_NONFINITE with facts.arg "A"
 * or "B" and the row and column) and whether the extents fit LAPACK's int (PERI_ERR_TOO_LARGE).
 * A matrix whose elements are so large or small that squares leave the range of its dtype is scaled
 * by a power of 2 on the way in and back on the way out. Extents may be 0.
 */
#ifndef PERIGEE_KERNEL_LINALG_H
#define PERIGEE_KERNEL_LINALG_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/status.h"
#include "kernel/view.h"

typedef enum {
    PERI_LINALG_SOLVE,
    PERI_LINALG_INV,
    PERI_LINALG_DET,
    PERI_LINALG_QR,
    PERI_LINALG_SVD,
    PERI_LINALG_VALUES,
    PERI_LINALG_PINV,
    PERI_LINALG_EIGH,
    PERI_LINALG_EIG,
    PERI_LINALG_LU
} peri_linalg_op;

/* Bytes of workspace, aligned to 64, for an (m,n) matrix; SIZE_MAX when it does not fit. Functions
 * without a `work` parameter need none. 0 also where the extents do not fit LAPACK's int. */
size_t peri_linalg_work(peri_linalg_op op, int dtype, size_t m, size_t n);

/* X with A X = B: A (n,n), B and X (n,p). *condition: an estimate, never too high, of the condition
 * of A in the infinity norm; rough below 1e8 (f32: 1e3), above seldom off by more than 3.
 * PERI_ERR_SINGULAR. */
peri_status peri_linalg_solve(int dtype, size_t n, size_t p, const void *A, const void *B, void *X,
                              double *condition, void *work, peri_facts *facts);

/* A^-1 (n,n), with *condition exact in the infinity norm. PERI_ERR_SINGULAR. */
peri_status peri_linalg_inv(int dtype, size_t n, const void *A, void *inverse, double *condition,
                            void *work, peri_facts *facts);

/* det A = *sign exp(*logdet); *det the same where it can be held, else 0 or infinite. */
peri_status peri_linalg_det(int dtype, size_t n, const void *A, double *sign, double *logdet,
                            double *det, void *work, peri_facts *facts);

/* Lower L (n,n) with A = L L^T; only the lower triangle of A counts. PERI_ERR_NOT_POSITIVE. */
peri_status peri_linalg_cholesky(int dtype, size_t n, const void *A, void *L, peri_facts *facts);

/* A = Q R, k = min(m,n): Q (m,k) with orthonormal columns, R (k,n) upper. */
peri_status peri_linalg_qr(int dtype, size_t m, size_t n, const void *A, void *Q, void *R,
                           void *work, peri_facts *facts);

/* A = U diag(s) Vt, k = min(m,n): U (m,k), s (k) descending, Vt (k,n). PERI_ERR_NO_CONVERGENCE. */
peri_status peri_linalg_svd(int dtype, size_t m, size_t n, const void *A, void *U, void *s,
                            void *Vt, void *work, peri_facts *facts);

/* The singular values alone, in double whatever the dtype of A. */
peri_status peri_linalg_values(int dtype, size_t m, size_t n, const void *A, double *s, void *work,
                               peri_facts *facts);

/* The pseudo-inverse (n,m): singular values up to rcond times the largest count as 0. *rank: how
 * many do not. */
peri_status peri_linalg_pinv(int dtype, size_t m, size_t n, const void *A, double rcond, void *P,
                             size_t *rank, void *work, peri_facts *facts);

/* A = V diag(w) V^T for a symmetric A (n,n): w (n) ascending, eigenvectors the columns of V (n,n).
 * Only the lower triangle counts. PERI_ERR_NO_CONVERGENCE. */
peri_status peri_linalg_eigh(int dtype, size_t n, const void *A, void *w, void *V, void *work,
                             peri_facts *facts);

/* Eigenvalues re + i im (n each, PERI_F64 as A is) of any square A (n,n) in LAPACK's order, pairs
 * of conjugates side by side with the positive im first, and right eigenvectors of norm 1, the
 * columns of V_re + i V_im (n,n each; both NULL: not wanted). PERI_ERR_NO_CONVERGENCE. */
peri_status peri_linalg_eig(size_t n, const double *A, double *re, double *im, double *V_re,
                            double *V_im, void *work, peri_facts *facts);

/* A = P L U with k = min(m,n): row order[i] of A, counted from 0, is row i of L U; L (m,k) is lower
 * with ones on the diagonal, U (k,n) upper. A singular A has a 0 on U's diagonal. */
peri_status peri_linalg_lu(int dtype, size_t m, size_t n, const void *A, size_t *order, void *L,
                           void *U, void *work, peri_facts *facts);

/* X with T X = B, or T^T X = B: T the lower or upper triangle of A (n,n), its diagonal taken as
 * ones with `unit`; B and X (n,p). PERI_ERR_SINGULAR: a 0 on the diagonal. */
peri_status peri_linalg_triangular(int dtype, size_t n, size_t p, const void *A, bool lower,
                                   bool transpose, bool unit, const void *B, void *X,
                                   peri_facts *facts);

typedef enum {
    PERI_NORM_FROBENIUS,
    PERI_NORM_ONE,
    PERI_NORM_INF,
    PERI_NORM_MINUS_ONE,
    PERI_NORM_MINUS_INF
} peri_norm;

/* A norm of a matrix (m,n): the largest (smallest) sum of magnitudes of a column (row) for ONE and
 * INF (MINUS_*). Summed in double. NaN and infinities pass through. 0 for an empty matrix. */
double peri_linalg_norm(int dtype, size_t m, size_t n, const void *A, peri_norm order);

/* (sum |x|^order)^(1/order) over n elements; order may be 0 (how many are not 0), negative or
 * infinite, as NumPy defines it. */
double peri_linalg_vector_norm(int dtype, size_t n, const void *x, double order);

#endif
