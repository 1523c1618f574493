/* SPDX-License-Identifier: MIT
 *
 * Activations of nets, each forward and backward in one pass, and binary cross-entropy.
 *
 *     relu        max(x, 0)                     g where x > 0
 *     leaky_relu  x, or slope x below 0         g, slope g
 *     elu         x, or slope (e^x - 1) below 0 g, slope e^x g          (slope: alpha)
 *     gelu        x Phi(x) = x (1 + erf(x / sqrt 2)) / 2                g (Phi(x) + x phi(x))
 *     gelu_tanh   x (1 + tanh u) / 2, u = sqrt(2/pi) (x + 0.044715 x^3)
 *     silu        x s, s = 1 / (1 + e^-x)                               g s (1 + x (1 - s))
 *     tanh sigmoid
 *
 * Hendrycks & Gimpel 2016 (arXiv:1606.08415). A NaN stays one. Arrays are contiguous; y may be x,
 * dx may be g. The same bits come out whatever the thread count.
 */
#ifndef PERIGEE_KERNEL_ACTIVATION_H
#define PERIGEE_KERNEL_ACTIVATION_H

#include <stddef.h>

typedef enum {
    PERI_ACT_NONE,
    PERI_ACT_RELU,
    PERI_ACT_LEAKY_RELU,
    PERI_ACT_ELU,
    PERI_ACT_GELU,
    PERI_ACT_GELU_TANH,
    PERI_ACT_SILU,
    PERI_ACT_TANH,
    PERI_ACT_SIGMOID,
    PERI_ACT_COUNT
} peri_act;

/* y[i] = f(x[i]), i < n. slope is for leaky_relu and elu. */
void peri_activate(peri_act f, size_t n, int dtype, double slope, const void *x, void *y);

/* dx[i] = g[i] f'(x[i]) */
void peri_activate_backward(peri_act f, size_t n, int dtype, double slope, const void *x,
                            const void *g, void *dx);

/* y[r,j] = f(x[r,j] + b[j]) for one part of a matrix in the calling thread: rows `ld` apart. b may
 * be NULL. */
void peri_activate_rows(peri_act f, size_t rows, size_t cols, size_t ld, int dtype, double slope,
                        const void *b, void *x);

/* Binary cross-entropy of logits: returns the sum over i of softplus(z[i]) - z[i] y[i]; the terms
 * go to loss (n, z's dtype) and scale times the gradient, scale (sigmoid(z) - y), to dz, each
 * unless NULL. work: peri_bce_work(n) doubles. */
double peri_bce(size_t n, int dtype, const void *z, const void *y, void *loss, double scale,
                void *dz, double *work);
size_t peri_bce_work(size_t n);

#endif
