/* SPDX-License-Identifier: MIT
 *
 * Matrix products, C = A B, over CBLAS.
 *
 * A is (..., m, k) and B (..., k, n); the leading axes broadcast against each other and each pair
 * of matrices is multiplied. A 1-d A is taken as one row, a 1-d B as one column, and that axis is
 * dropped from C, so two 1-d operands give a C with no axes.
 *
 * Any strides are read: where BLAS can (rows or columns that lie one after another, so also
 * transposed views) in place, else through a copy in the workspace. f32 by f32 gives f32, all else
 * f64. A product of a matrix with its own transpose is exactly symmetric and costs half.
 *
 * The same operands, strides and thread count give the same bits.
 */
#ifndef PERIGEE_KERNEL_MATMUL_H
#define PERIGEE_KERNEL_MATMUL_H

#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* C's dtype, shape and number of axes for these operands. PERI_ERR_SHAPE: an operand has no axes
 * (facts.arg it), the inner extents differ (facts.arg "B", facts.index[0] its axis, facts.got its
 * extent), or leading axes do not broadcast (facts.arg "B", the same). */
peri_status peri_matmul_shape(const peri_view *a, const peri_view *b, int *dtype, int *ndim,
                              size_t shape[PERI_MAX_NDIM], peri_facts *facts);

/* Bytes of workspace for peri_matmul with these views; 0 when it needs none. SIZE_MAX when that
 * does not fit. */
size_t peri_matmul_work(const peri_view *a, const peri_view *b, const peri_view *c);

/* c = a b. c has the dtype and shape of peri_matmul_shape, any strides that give each element its
 * own place, and no byte in common with a and b. `work` is aligned for double. The stop flag is
 * looked at between blocks of 10 to 100 ms. PERI_ERR_TOO_LARGE: a row stride over INT_MAX. */
peri_status peri_matmul(const peri_view *a, const peri_view *b, const peri_view *c, void *work,
                        const peri_stop *stop, peri_facts *facts);

#endif
