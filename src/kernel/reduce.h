/* SPDX-License-Identifier: MIT
 *
 * Reductions of views over any set of axes.
 *
 * The elements that make one result are taken in row-major order over the reduced axes, whatever
 * the strides, and always added in the same way: in blocks of 512, each in 16 lanes (element k to
 * lane k mod 16) joined as a tree, the blocks joined pairwise. So the bits depend on the values and
 * the shape alone, not on the layout of memory or the instruction set. f32 is widened first:
 * every sum, mean, variance and norm is accumulated in f64 and rounded once.
 */
#ifndef PERIGEE_KERNEL_REDUCE_H
#define PERIGEE_KERNEL_REDUCE_H

#include "kernel/ops.h"
#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* The reductions are the rows of ops.h. min is NaN where one is NaN, and inf for no element; any is
 * 1 where one is not 0, all 0 where one is 0; var is sum (x - mean)^2 / (n - ddof), in two passes;
 * norm is scaled where the squares leave the range. Elements of any dtype are widened to f64. */

/* out has a's axes, those with reduced[axis] of extent 1; its dtype is any. ddof: for PERI_VAR
 * and PERI_STD. Returns PERI_OK or PERI_ERR_INTERRUPTED. */
peri_status peri_reduce(peri_reduction op, const peri_view *a, const bool reduced[], double ddof,
                        const peri_view *out, const peri_stop *stop);

/* The one result of n elements of a dtype, one after another. */
peri_status peri_reduce_dense(peri_reduction op, int dtype, size_t n, const void *x, double ddof,
                              double *result, const peri_stop *stop);

/* Position, from 0 in row-major order over the reduced axes, of the first smallest (or largest)
 * element, or of the first NaN. There must be one. out as above. */
peri_status peri_reduce_position(bool largest, const peri_view *a, const bool reduced[],
                                 const peri_view *out, const peri_stop *stop);

/* out (a's shape) = running sums, or products, along the axis, accumulated in f64. Both are real.
 */
peri_status peri_scan(bool product, const peri_view *a, int axis, const peri_view *out,
                      const peri_stop *stop);

#endif
