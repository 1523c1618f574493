/* SPDX-License-Identifier: MIT
 *
 * Rows of a table by number, and the adjoint.
 *
 *     Y[i] = W[index[i]]                dW[v] = beta dW[v] + sum over i with index[i] = v of G[i]
 *
 * W (rows,cols), Y and G (n,cols), contiguous; index (n) 0-based and below rows. The sum runs in
 * the order of i in each row of W, and rows are cut into blocks, so the same bits come out whatever
 * the thread count.
 */
#ifndef PERIGEE_KERNEL_EMBEDDING_H
#define PERIGEE_KERNEL_EMBEDDING_H

#include <stddef.h>

void peri_embedding(size_t n, size_t rows, size_t cols, int dtype, const void *W,
                    const size_t *index, void *Y);

/* beta 0 or 1. */
void peri_embedding_backward(size_t n, size_t rows, size_t cols, int dtype, const void *G,
                             const size_t *index, double beta, void *dW);

#endif
