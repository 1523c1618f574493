/* SPDX-License-Identifier: MIT
 *
 * Copying between views of any strides and any dtypes.
 *
 * out, a: views of the same shape that do not overlap. A stride of 0 in `a` repeats an element
 * (broadcasting). Conversion f64 to f32 rounds to nearest even; f32 to f64 is exact; a copy within
 * a dtype keeps every bit, NaN payloads too. What does not fit bool or u8 becomes what peri_to_b8
 * and peri_to_u8 (dtype.h) make of it; peri_first_unfit finds it beforehand.
 */
#ifndef PERIGEE_KERNEL_COPY_H
#define PERIGEE_KERNEL_COPY_H

#include "view.h"

/* n elements, `ts` and `fs` apart; no byte belongs to both. */
void peri_convert(size_t n, int to_dtype, void *to, ptrdiff_t ts, int from_dtype, const void *from,
                  ptrdiff_t fs);

void peri_copy(const peri_view *out, const peri_view *a);

/* Sets every element of out to value (rounded to out's dtype). */
void peri_fill(const peri_view *out, double value);

/* The strides with which `a` is seen as having `shape` (ndim axes, a->ndim <= ndim) by NumPy's
 * rule: axes are matched from the last, an extent of 1 stretches. False when the shapes do not fit.
 */
bool peri_broadcast_strides(const peri_view *a, int ndim, const size_t *shape, ptrdiff_t *stride);

/* Whether an element of `a` does not fit the dtype, and *at its place, in row-major order. */
bool peri_first_unfit(const peri_view *a, int dtype, size_t *at, double *value);

#endif
