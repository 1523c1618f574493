/* SPDX-License-Identifier: MIT
 *
 * Softmax over the last axis, its relatives, their adjoints, and cross-entropy, which is its
 * logarithm taken at a class.
 *
 *     logsumexp(x)      l = max x + log sum_j exp(x_j - max x)
 *     softmax(x)        y_j = exp(x_j - l)              dx = y (g - sum g y)
 *     log_softmax(x)    y_j = x_j - l                   dx = g - exp(y) sum g
 *                       (of logsumexp                   dx = g exp(x - l))
 *     cross-entropy     -sum_j t_j (x_j - l)            dx = g (exp(x - l) sum t - t)
 *
 * X (rows,cols), contiguous, as are all others. A row is read from the first-level cache while its
 * largest element, its sum and its result are found. A row of -inf has logsumexp -inf and softmax
 * NaN, as in NumPy. Sums run over a row in vectors; blocks are some rows, so the same bits come out
 * whatever the thread count. After llm.c's softmax_forward and crossentropy_softmax_backward.
 */
#ifndef PERIGEE_KERNEL_SOFTMAX_H
#define PERIGEE_KERNEL_SOFTMAX_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/status.h"

typedef enum { PERI_SOFTMAX, PERI_LOG_SOFTMAX } peri_softmax_kind;

/* Y (rows,cols); may be X. */
void peri_softmax(peri_softmax_kind kind, size_t rows, size_t cols, int dtype, const void *X,
                  void *Y);

/* dX from Y and the gradient G of it. dX may be G. */
void peri_softmax_backward(peri_softmax_kind kind, size_t rows, size_t cols, int dtype,
                           const void *Y, const void *G, void *dX);

/* y (rows). */
void peri_logsumexp(size_t rows, size_t cols, int dtype, const void *X, void *y);

/* dX from X, y and the gradient g (rows) of it. */
void peri_logsumexp_backward(size_t rows, size_t cols, int dtype, const void *X, const void *y,
                             const void *g, void *dX);

/* What cross-entropy is taken against: a class of each row, or a probability for each class. The
 * target t is (1 - smoothing) times that plus smoothing / cols. */
typedef struct {
    const size_t *classes; /* (rows), 0-based; cols or more: the row counts nothing. NULL: */
    const void *T;         /* (rows,cols), of X's dtype */
    double smoothing;      /* in [0, 1] */
} peri_target;

/* Classes from numbers: target[i] = x[i] - 1, or SIZE_MAX where x[i] is `ignore` (NAN: none).
 * PERI_ERR_VALUE: x[facts.index[0]] is facts.got, which is no integer in 1..cols. */
peri_status peri_read_classes(size_t count, int dtype, const void *x, size_t cols, double ignore,
                              size_t *target, peri_facts *facts);

/* loss (rows) of each row, in double; l (rows), in X's dtype, unless NULL, is what the backward
 * pass needs; dX (rows,cols), unless NULL, is already scale times the gradient of the loss. */
void peri_cross_entropy(size_t rows, size_t cols, int dtype, const void *X, const peri_target *t,
                        double *loss, void *l, double scale, void *dX);

/* dX, where row i's loss has the gradient g[i] (g (rows), in X's dtype). Without l it is found
 * again. */
void peri_cross_entropy_backward(size_t rows, size_t cols, int dtype, const void *X,
                                 const peri_target *t, const void *l, const void *g, void *dX);

#endif
