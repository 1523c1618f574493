/* SPDX-License-Identifier: MIT
 *
 * A dense layer and its gradients.
 *
 *     Y = f(Z),  Z = X W^T + b        dX = dZ W,  dW = dZ^T X,  db = sum over rows of dZ
 *
 * X (n,in), W (out,in) as torch.nn.Linear has it, b (out), Y and Z (n,out), contiguous. Bias and
 * activation are applied to a part of the product while it is in the cache; dW is added to what the
 * caller holds by the product itself. Parts are cut by sizes, so the same bits come out whatever
 * the thread count. Sizes fit an int.
 */
#ifndef PERIGEE_KERNEL_DENSE_H
#define PERIGEE_KERNEL_DENSE_H

#include <stddef.h>

#include "kernel/activation.h"
#include "kernel/status.h"
#include "kernel/stop.h"

/* b and Z may be NULL; Z is what the backward pass of f needs (peri_activate_backward). */
peri_status peri_dense_forward(size_t n, size_t in, size_t out, int dtype, const void *X,
                               const void *W, const void *b, peri_act f, double slope, void *Z,
                               void *Y, const peri_stop *stop);

/* Each of dX, dW and db unless NULL; the latter two are beta (0 or 1) times what they hold plus the
 * gradient. */
peri_status peri_dense_backward(size_t n, size_t in, size_t out, int dtype, const void *X,
                                const void *W, const void *dZ, void *dX, double beta, void *dW,
                                void *db, const peri_stop *stop);

/* sums[j] = beta sums[j] + sum over i of X[i,j], X (n,cols); gathered in double. */
void peri_column_sums(size_t n, size_t cols, int dtype, const void *X, double beta, void *sums);

#endif
