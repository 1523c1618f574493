/* SPDX-License-Identifier: MIT
 *
 * Elementwise arithmetic, comparison, logic and functions over views of any strides.
 *
 * The caller has resolved broadcasting: every input has the output's number of axes and extents
 * (an axis of stride 0 repeats). What is computed in which dtype, and what it gives, says the row
 * of the function (ops.h), by the dtypes of the inputs; the result is then written as the output's.
 *
 * An input may be the output itself, element by element; any other overlap is undefined here, and
 * the binding makes a copy. A value does not depend on its position or on the layout of memory,
 * except that pow with one exponent for all treats 2, 3, 1/2, 1 and -1 apart, each within an ulp.
 *
 * mod and idiv are NumPy's: the quotient is rounded down, the remainder has the divisor's sign,
 * both from the exact remainder (so 1 idiv 0.1 is 9). min, max and clip carry NaN.
 */
#ifndef PERIGEE_KERNEL_ELEMENTWISE_H
#define PERIGEE_KERNEL_ELEMENTWISE_H

#include "kernel/ops.h"
#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* The dtype in which a function computes, where `common` is what peri_common makes of its inputs
 * (of where's only the last two). Its row of a table of loops. */
int peri_ew_dtype(peri_ew op, int common);

/* PERI_OK, PERI_ERR_INTERRUPTED, or PERI_ERR_DTYPE where there is no loop for these inputs. */
peri_status peri_elementwise(peri_ew op, const peri_view in[], const peri_view *out,
                             const peri_stop *stop);

/* The same where all elements lie one after another, n of them in each input and in the output (or
 * one for all, where each[k] is false, in functions of two), of the dtype that peri_ew_dtype gives
 * (where's condition: bool) and the result's. */
peri_status peri_elementwise_dense(peri_ew op, int dtype, size_t n, const void *const in[],
                                   const bool each[], void *out, const peri_stop *stop);

/* For where, by a condition of any dtype. */
peri_status peri_elementwise_where(int condition, int dtype, size_t n, const void *const in[],
                                   void *out, const peri_stop *stop);

/* The same on numbers: x[k] is input k. */
double peri_elementwise_number(peri_ew op, const double x[]);

/* Whether |a - b| <= atol + rtol |b| for all elements of two views of the same shape. Equal
 * infinities are close; NaN is close to NaN where equal_nan says so. */
bool peri_elementwise_all_close(const peri_view *a, const peri_view *b, double rtol, double atol,
                                bool equal_nan);

#endif
