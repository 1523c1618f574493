/* SPDX-License-Identifier: MIT
 *
 * Convolution of images (cross-correlation, as nets have it), its adjoints, and by them the
 * transposed convolution. One-dimensional convolution is h = kh = 1.
 *
 *     Y[n,o,i,j] = bias[o] + sum over c, a, b of
 *                  W[o,c,a,b] X[n, g C + c, sy i + dy a - py, sx j + dx b - px]
 *
 * X (n,c,h,w), W (o,c/groups,kh,kw), Y (n,o,oh,ow), C = c/groups, g = o div (o/groups); X is 0
 * outside. stride (sy,sx), padding (py,px), dilation (dy,dx). oh = (h + 2 py - dy (kh-1) - 1) div
 * sy + 1, ow alike. All arrays are contiguous, of one dtype.
 *
 * Methods
 *   implicit product   a staged (padded) image is read in panels of pixels that a register tile
 *                      multiplies with W; the matrix of im2col never exists as a whole (Georganas
 *                      et al. 2018, arXiv:1808.05567). The gradient of X is the same product over
 *                      dY, one for each phase of the stride, so that nothing is scattered.
 *   channels together  the same for many channels and narrow rows, whose pixels are laid out with
 *                      their channels in one piece, so that none are packed.
 *   Winograd           F(4x4,3x3) for 3x3 with stride 1: 36 products for 16 pixels where the
 *                      direct sum has 144 (Lavin & Gray 2015, arXiv:1509.09308). Its rounding is
 *                      some 10 times that of the direct sum: 1e-5 of the largest value in f32.
 *                      F(4x4,2x2) for 4x4 with stride 2, whose four phases are convolutions of 2x2
 *                      with stride 1: 25 products for 64.
 *
 * The same bits come out whatever the thread count. `slots` is how many blocks may compute at a
 * time, each with scratch of its own in the workspace: usually peri_threads(0). It has no
 * influence on the result.
 */
#ifndef PERIGEE_KERNEL_CONV_H
#define PERIGEE_KERNEL_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/status.h"
#include "kernel/stop.h"

typedef struct {
    size_t n, c, h, w;
    size_t o, kh, kw;
    size_t stride[2], padding[2], dilation[2]; /* y, x */
    size_t groups;
} peri_conv;

typedef enum { PERI_CONV_FORWARD, PERI_CONV_DATA, PERI_CONV_WEIGHTS } peri_conv_pass;

/* PERI_CONV_AUTO is the faster one by sizes; the others are for tests and measurements.
 * PERI_CONV_WINOGRAD is AUTO's where the shape has no Winograd form. */
typedef enum { PERI_CONV_AUTO, PERI_CONV_PRODUCT, PERI_CONV_WINOGRAD } peri_conv_method;

/* Y's height and width. PERI_ERR_VALUE: groups does not divide c or o, or a stride, dilation or
 * kernel extent is 0 (facts.arg says which); PERI_ERR_SHAPE: the kernel does not fit in the padded
 * image (facts.arg "w", facts.index[0] its axis 2 or 3, facts.got its reach); PERI_ERR_TOO_LARGE:
 * a size does not fit. n may be 0; no other extent may. */
peri_status peri_conv_output(const peri_conv *s, size_t *oh, size_t *ow, peri_facts *facts);

/* The height and width of X whose convolution has Y of oh x ow, with `extra` (output padding, less
 * than the stride) more rows and columns: what a transposed convolution gives. 0 where none. */
size_t peri_conv_input(size_t out, size_t kernel, size_t stride, size_t padding, size_t dilation,
                       size_t extra);

/* Bytes of workspace of a pass, SIZE_MAX when that does not fit. It must be 64-byte aligned. */
size_t peri_conv_work(const peri_conv *s, int dtype, peri_conv_pass pass, peri_conv_method method,
                      size_t slots);

/* Y. bias (o) may be NULL. */
peri_status peri_conv_forward(const peri_conv *s, int dtype, peri_conv_method method, const void *X,
                              const void *W, const void *bias, void *Y, void *work, size_t slots,
                              const peri_stop *stop);

/* dX from dY, the adjoint of X -> Y. bias (c), which may be NULL, is added to dX: with it this is
 * the transposed convolution of dY. */
peri_status peri_conv_backward_data(const peri_conv *s, int dtype, peri_conv_method method,
                                    const void *dY, const void *W, const void *bias, void *dX,
                                    void *work, size_t slots, const peri_stop *stop);

/* dW = beta dW + the adjoint of W -> Y applied to dY; beta 0 or 1. */
peri_status peri_conv_backward_weights(const peri_conv *s, int dtype, peri_conv_method method,
                                       const void *X, const void *dY, double beta, void *dW,
                                       void *work, size_t slots, const peri_stop *stop);

/* db (channels) = beta db + the sum of G (n,channels,pixels) over n and pixels. */
void peri_conv_backward_bias(size_t n, size_t channels, size_t pixels, int dtype, const void *G,
                             double beta, void *db);

#endif
