/* SPDX-License-Identifier: MIT
 *
 * Adding slices into places: the adjoint of peri_take.
 */
#ifndef PERIGEE_KERNEL_SCATTER_H
#define PERIGEE_KERNEL_SCATTER_H

#include <stddef.h>

/* out[i, index[k], j] += v[i, k, j] for i < outer, k < count, j < inner, in the order of k, so that
 * a sum does not depend on how it was reached. out is (outer, extent, inner), v (outer, count,
 * inner), both row-major, of this dtype (f64 or f32) and apart; each index is below extent. */
void peri_scatter_add(int dtype, size_t outer, size_t extent, size_t inner, const size_t *index,
                      size_t count, const void *v, void *out);

#endif
