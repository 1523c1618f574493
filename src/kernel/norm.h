/* SPDX-License-Identifier: MIT
 *
 * Normalisation: each set of N elements is brought to mean 0 and variance 1, then scaled and
 * shifted. The sets are the rows (layer), the channels of a group of an image (group), or a
 * channel of all images (batch).
 *
 *     xhat = (x - mean) rstd,  rstd = 1 / sqrt(var + eps),  var = sum (x - mean)^2 / N
 *     y = w xhat + b
 *     dx = rstd (h - sum(h) / N - xhat sum(h xhat) / N)  with h = w dy
 *     dw = sum dy xhat,  db = sum dy
 *
 * Ba et al. 2016 (arXiv:1607.06450), Wu & He 2018 (arXiv:1803.08494), Ioffe & Szegedy 2015
 * (arXiv:1502.03167). Sums are gathered in double over pieces of 1024 elements, the mean and then
 * the deviations from it, so a mean far from 0 costs no digits of the variance.
 *
 * Arrays are contiguous and of one dtype; w and b may each be NULL for 1 and 0; mean and rstd are
 * double, what the backward pass needs of the forward one. The same bits come out whatever the
 * thread count. dX may be G. dw and db, each unless NULL, are beta (0 or 1) times what they hold
 * plus the gradient.
 */
#ifndef PERIGEE_KERNEL_NORM_H
#define PERIGEE_KERNEL_NORM_H

#include <stdbool.h>
#include <stddef.h>

/* X (rows,cols), w and b (cols), mean and rstd (rows). */
void peri_layer_norm(size_t rows, size_t cols, int dtype, const void *X, const void *w,
                     const void *b, double eps, void *Y, double *mean, double *rstd);

/* Bytes of workspace of the backward pass. */
size_t peri_layer_norm_work(size_t rows, size_t cols, int dtype);

void peri_layer_norm_backward(size_t rows, size_t cols, int dtype, const void *X, const void *w,
                              const double *mean, const double *rstd, const void *G, void *dX,
                              double beta, void *dw, void *db, void *work);

/* X (n,c,pixels), w and b (c), mean and rstd (n,groups). groups divides c. */
void peri_group_norm(size_t n, size_t c, size_t pixels, size_t groups, int dtype, const void *X,
                     const void *w, const void *b, double eps, void *Y, double *mean, double *rstd);

/* work: 2 n c doubles. */
void peri_group_norm_backward(size_t n, size_t c, size_t pixels, size_t groups, int dtype,
                              const void *X, const void *w, const double *mean, const double *rstd,
                              const void *G, void *dX, double beta, void *dw, void *db,
                              double *work);

/* X (n,c,pixels), w, b, mean and rstd (c). Where running_mean and running_var (c, of X's dtype)
 * are not NULL they become (1 - momentum) times what they were plus momentum times the mean and
 * the unbiased variance (NaN for a set of one element). */
void peri_batch_norm(size_t n, size_t c, size_t pixels, int dtype, const void *X, const void *w,
                     const void *b, double eps, double momentum, void *running_mean,
                     void *running_var, void *Y, double *mean, double *rstd);

/* With the running statistics: fills mean and rstd from them, and Y unless it is NULL. */
void peri_batch_norm_eval(size_t n, size_t c, size_t pixels, int dtype, const void *X,
                          const void *w, const void *b, double eps, const void *running_mean,
                          const void *running_var, void *Y, double *mean, double *rstd);

/* `constant`: mean and rstd do not depend on X (the pass before was an eval). */
void peri_batch_norm_backward(size_t n, size_t c, size_t pixels, int dtype, const void *X,
                              const void *w, const double *mean, const double *rstd, bool constant,
                              const void *G, void *dX, double beta, void *dw, void *db);

#endif
