/* SPDX-License-Identifier: MIT
 *
 * C = alpha op(A) op(B) + beta C, row-major, in either real dtype, by CBLAS.
 */
#ifndef PERIGEE_KERNEL_GEMM_H
#define PERIGEE_KERNEL_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cblas.h>

#include "kernel/view.h"

/* op(A) (m,k), op(B) (k,n), C (m,n); `ta`, `tb`: op transposes what is in memory. Rows in memory
 * are lda, ldb, ldc elements apart. Every size fits an int. k = 0 needs beta 0 or 1. */
static inline void peri_gemm(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k,
                             double alpha, const void *A, size_t lda, const void *B, size_t ldb,
                             double beta, void *C, size_t ldc)
{
    if (m == 0 || n == 0)
        return;
    for (size_t i = 0; i < m && k == 0 && beta == 0; i++)
        memset((char *)C + i * ldc * peri_dtype_size(dtype), 0, n * peri_dtype_size(dtype));
    if (k == 0)
        return;
    PERI_REAL_DO(dtype,
                 cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                             tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, A,
                             (int)lda, B, (int)ldb, beta, C, (int)ldc),
                 cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                             tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, (float)alpha,
                             A, (int)lda, B, (int)ldb, (float)beta, C, (int)ldc));
}

#endif
