/* SPDX-License-Identifier: MIT
 *
 * Householder QR of a tall matrix by blocks of rows: X = Q R, X (m,n), m >= n.
 *
 * Each block of rows is factored while it lies in the cache; the triangles it leaves, (n,n) each,
 * are stacked and factored the same way, level by level, until one is left. Columns carried along,
 * B (m,p), give the first n rows of Q^T B for free. Within a block, panels of 8 columns are kept in
 * compact WY form, H_1 ... H_8 = I - V T V^T, V (rows,8) with its unit diagonal written out.
 *
 * Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU
 * factorizations", 2012, section 3; Schreiber and Van Loan, "A storage-efficient WY representation
 * for products of Householder transformations", 1989.
 *
 * Where n is large the panels of 64 columns are applied to the rest together, by gemm. The cut into
 * blocks depends on m and n alone; blocks run on the pool.
 */
#ifndef PERIGEE_KERNEL_TSQR_H
#define PERIGEE_KERNEL_TSQR_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/status.h"
#include "kernel/stop.h"

enum { PERI_TSQR_LEVELS = 24 };

typedef struct {
    size_t m, n, p;
    size_t np, ld; /* n padded to whole panels; a row of a block: np + p padded */
    double *r;     /* (n,ld): R in columns 0..n-1, the first n rows of Q^T B from column np */
    double *scratch;
    bool stored; /* V and T of the rows were kept: Q can be applied */
    int nlevels;
    struct {
        size_t m, nblocks;
        double *v, *t;
    } level[PERI_TSQR_LEVELS];
} peri_tsqr;

/* Bytes of workspace, aligned to 64, for peri_tsqr_factor; SIZE_MAX when it does not fit. With
 * `store` it is about (m, ld) doubles, without it a few blocks. */
size_t peri_tsqr_work(size_t m, size_t n, size_t p, bool store);

/* Factors [X B] diag(scale), carrying B. X is (m,n) with rows ldx apart, B (m,p) with rows ldb
 * apart; scale has n + p numbers, NULL for ones. colmax (n+p) becomes the largest magnitude of each
 * column, unscaled. m >= n >= 1. *f points into work afterwards.
 * PERI_ERR_NONFINITE: facts.arg is "X" or "y", facts.index its row and column. */
peri_status peri_tsqr_factor(peri_tsqr *f, size_t m, size_t n, size_t p, const double *X,
                             size_t ldx, const double *scale, const double *B, size_t ldb,
                             bool store, void *work, double *colmax, const peri_stop *stop,
                             peri_facts *facts);

/* Bytes of workspace for peri_tsqr_apply on q columns. */
size_t peri_tsqr_apply_work(const peri_tsqr *f, size_t q);

/* With `transpose`, [top; c] = Q^T c: top (n,q) receives the first n rows; the others stay in c
 * (m,q) in an order of Q's own, n of its rows being unused. Without it, c = Q [top; c]. Needs
 * f->stored. */
void peri_tsqr_apply(const peri_tsqr *f, bool transpose, double *top, double *c, size_t q,
                     void *work);

#endif
